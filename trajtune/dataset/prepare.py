"""Turns a source into a snapshot: reads, splits in time, fits the vocabulary on train, encodes and writes."""

from importlib.metadata import version
from pathlib import Path
from typing import Final

from trajtune.careers.exchange.by_person import CAREERS_IN_A_PARTITION
from trajtune.careers.exchange.partitioned import PartitionedCareers, partitioned
from trajtune.careers.parse.text import arrow_overflow_explained
from trajtune.careers.schema import LoadedCareers
from trajtune.cluster import ray_session
from trajtune.dataset.data_report import write_data_report
from trajtune.dataset.divide import days_of, divide, without_endless
from trajtune.dataset.identity.synonyms import title_rule
from trajtune.dataset.profiling.facts import SplitFacts
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.dataset.split import calibration_window, last_days_known, resolve_cutoffs
from trajtune.dataset.write_snapshot import write_snapshot
from trajtune.experiment.load import resolve
from trajtune.experiment.settings import Experiment
from trajtune.stages import stage
from trajtune.storage.files import check_writable, storage_errors_explained
from trajtune.storage.path import stored_path

_SETTING: Final = "storage.snapshots"


def prepare(
    experiment: Experiment | str | Path,
    *,
    url: str | None = None,
    progress: bool = False,
    careers_in_a_partition: int = CAREERS_IN_A_PARTITION,
) -> Snapshot:
    """Read the experiment's source and write its snapshot below ``storage.snapshots``.

    The same data gives the same snapshot id, in any order of its rows.

    Args:
        experiment: What to read and how to split it: an experiment, its name or the path of its file.
        url: URL of the database; None: the environment variable ``POSTGRES_URL``.
        progress: Whether to show the stages on a terminal, with a progress bar while reading.
        careers_in_a_partition: Number of careers above which there are more partitions, and as many shards.

    Returns:
        The snapshot: a new one, or an existing one with the same content.

    Raises:
        ExperimentError: If the file of synonyms cannot be read or breaks a rule.
        SourceError: If there is nothing to read, if the text exceeds the limit of a snapshot, or if nearly
            all titles are outside the vocabulary of train.
        SplitError: If a split would be empty.
        StorageError: If the directory of snapshots cannot be written, or its store does not answer.
    """
    experiment = resolve(experiment)
    # Reading may take an hour, so these errors are found first.
    check_writable(stored_path(experiment.storage.snapshots), _SETTING)
    title_rule(experiment.vocabulary)
    # Only reading needs Ray. Encoding careers that were already read does not.
    from trajtune.careers.read import read_partitions

    with ray_session(), arrow_overflow_explained():
        careers = read_partitions(
            experiment.source,
            experiment.data,
            url=url,
            progress=progress,
            careers_in_a_partition=careers_in_a_partition,
        )
        with stage("Splitting by time and writing the snapshot", shown=progress):
            return _snapshot_of(careers, experiment)


def snapshot_of(loaded: LoadedCareers, experiment: Experiment) -> Snapshot:
    """Write the snapshot and the data report of careers that were already read; see `prepare`."""
    return _snapshot_of(partitioned(loaded), experiment)


def _snapshot_of(careers: PartitionedCareers, experiment: Experiment) -> Snapshot:
    with arrow_overflow_explained():
        snapshot, facts = write_content(careers, experiment)
    with storage_errors_explained(snapshot.path.parent, _SETTING):
        write_data_report(snapshot, facts)
    return snapshot


def write_content(
    careers: PartitionedCareers, experiment: Experiment
) -> tuple[Snapshot, dict[str, SplitFacts]]:
    """Write the content that the snapshot's id covers, without the data report; see `prepare`.

    Returns:
        The snapshot, and the facts of each split.
    """
    dates = days_of(careers, experiment)
    cutoffs = resolve_cutoffs(dates, experiment.split)
    first_end = last_days_known(*cutoffs, careers.as_of)[0]
    careers = without_endless(careers, first_end, experiment.data.merge_repeats)
    selection, facts = divide(careers, experiment, *cutoffs, dates)
    window = calibration_window(facts["val"].dates, cutoffs[0], experiment.finalize.calibration_share)
    refit, _ = divide(careers, experiment, window, cutoffs[1], dates)
    parent = stored_path(experiment.storage.snapshots)
    versions = {name: version(name) for name in ("trajtune", "pyarrow", "numpy", "ray")}
    quarantine = (careers.partitions, careers.quarantine)
    with storage_errors_explained(parent, _SETTING):
        path = write_snapshot(parent, selection, refit, quarantine, versions)
    return open_snapshot(path), facts

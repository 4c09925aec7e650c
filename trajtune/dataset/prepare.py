"""From a source to a snapshot: read, split in time, fit the vocabulary on train, encode, write."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.careers.parse.text import arrow_overflow_explained
from trajtune.careers.schema import LoadedCareers
from trajtune.dataset.as_of import without_endless_roles
from trajtune.dataset.data_report import write_data_report
from trajtune.dataset.encode import SplitData, as_served, encode_split
from trajtune.dataset.identity.synonyms import title_rule
from trajtune.dataset.profile import lone_date_warning, profile, refuse_unknown, served_warnings, warnings
from trajtune.dataset.snapshot import Division, Snapshot, open_snapshot, write_snapshot
from trajtune.dataset.split import (
    Splits,
    calibration_window,
    deciding_dates,
    last_days_known,
    resolve_cutoffs,
    split_dates,
    temporal_split,
)
from trajtune.dataset.titles import TitleEncoder
from trajtune.dataset.vocabulary_counts import count_titles
from trajtune.experiment.load import resolve
from trajtune.experiment.settings import AUTO, Experiment
from trajtune.storage.files import check_writable, storage_errors_explained
from trajtune.storage.path import stored_path

_SETTING: Final = "storage.snapshots"


def prepare(
    experiment: Experiment | str | Path, *, url: str | None = None, progress: bool = False
) -> Snapshot:
    """Read the experiment's source and write its snapshot below ``storage.snapshots``.

    The same data gives the same snapshot id, whatever the order of its rows.

    Args:
        experiment: What to read and how to split it: an experiment, its name or its file's path.
        url: The database; None: the environment's POSTGRES_URL.
        progress: Show a progress bar while reading.

    Returns:
        The snapshot, new or equal to one that existed.

    Raises:
        ExperimentError: If the file of synonyms cannot be read, or breaks a rule.
        SourceError: If there is nothing to read, more text than a snapshot holds, or hardly a title that
            the vocabulary of train holds.
        SplitError: If a split would be empty.
        StorageError: If the snapshots' directory cannot be written, or their store does not answer.
    """
    experiment = resolve(experiment)
    # Both before an hour of reading, not after it.
    check_writable(stored_path(experiment.storage.snapshots), _SETTING)
    title_rule(experiment.vocabulary)
    # Reading needs Ray; encoding careers that were already read does not.
    from trajtune.careers.read import load_career_sequences

    with arrow_overflow_explained():
        loaded = load_career_sequences(experiment.source, experiment.data, url=url, progress=progress)
    return snapshot_of(loaded, experiment)


def snapshot_of(loaded: LoadedCareers, experiment: Experiment) -> Snapshot:
    """Write the snapshot of careers that were already read, and its data report; see `prepare`."""
    with arrow_overflow_explained():
        snapshot, encoded = write_content(loaded, experiment)
    with storage_errors_explained(snapshot.path.parent, _SETTING):
        write_data_report(snapshot, encoded)
    return snapshot


def write_content(loaded: LoadedCareers, experiment: Experiment) -> tuple[Snapshot, dict[str, SplitData]]:
    """Write what the snapshot's id covers, without the data report; see `prepare`.

    Returns:
        The snapshot, and the careers of each split.
    """
    split = experiment.split
    dates = deciding_dates(
        loaded.careers, split.by, as_of=loaded.as_of, merge_repeats=experiment.data.merge_repeats
    )
    cutoffs = resolve_cutoffs(dates, split)
    first_end = last_days_known(*cutoffs, loaded.as_of)[0]
    loaded = without_endless_roles(loaded, first_end, experiment.data.merge_repeats)
    selection = divide(loaded, experiment, *cutoffs, dates)
    val_dates = selection.splits["val"].split_dates.to_numpy(zero_copy_only=False)
    window = calibration_window(val_dates, cutoffs[0], experiment.finalize.calibration_share)
    refit = divide(loaded, experiment, window, cutoffs[1], dates)
    parent = stored_path(experiment.storage.snapshots)
    versions = {name: version(name) for name in ("trajtune", "pyarrow", "numpy", "ray")}
    with storage_errors_explained(parent, _SETTING):
        path = write_snapshot(parent, selection, refit, loaded.quarantine, versions)
    return open_snapshot(path), dict(selection.splits)


def divide(
    loaded: LoadedCareers,
    experiment: Experiment,
    train_cutoff: date,
    val_cutoff: date,
    dates: NDArray[np.datetime64],
) -> Division:
    """Split, fit the vocabulary on this train, encode.

    Args:
        loaded: What was read.
        experiment: How to split it; its cutoffs are not used.
        train_cutoff: First day that is not train; for the refit, the first day of the calibration window.
        val_cutoff: First day that is not val.
        dates: From `deciding_dates`, for the warnings.
    """
    data, as_of = experiment.data, loaded.as_of
    splits = temporal_split(
        loaded.careers,
        train_cutoff,
        val_cutoff,
        experiment.split.by,
        as_of=as_of,
        merge_repeats=data.merge_repeats,
    )
    careers = {"train": splits.train, "val": splits.val, "test": splits.test}
    rule = title_rule(experiment.vocabulary)
    titles = {name: part["titles"] for name, part in careers.items()}
    tally = count_titles(titles, experiment.vocabulary, rule)
    # From train alone: `tally.train` holds no other spelling.
    encoder = TitleEncoder.fit(tally.train, rule=rule)
    known_until = last_days_known(train_cutoff, val_cutoff, as_of)
    is_by_move = experiment.split.by == "move"
    first_days = (date.min, train_cutoff, val_cutoff) if is_by_move else (None, None, None)
    encoded = {
        name: encode_split(part, encoder, data, observed=day, ended_since=since)
        for (name, part), day, since in zip(careers.items(), known_until, first_days, strict=True)
    }
    refuse_unknown({name: data.arrays for name, data in encoded.items()}, experiment.vocabulary)
    served = {name: asdict(as_served(part, encoder)) for name, part in encoded.items()}
    titles_read = {"identity": rule.by, "synonyms": len(rule.synonyms), "as_served": served}
    described = _description(loaded, splits, encoded, tally.unseen, experiment, dates)
    described["warnings"] += served_warnings(titles_read)
    return Division(encoded, encoder, {**described, "vocab_size": encoder.vocab_size, "titles": titles_read})


def _description(
    loaded: LoadedCareers,
    splits: Splits,
    encoded: Mapping[str, SplitData],
    unseen: Mapping[str, tuple[int, int]],
    experiment: Experiment,
    dates: NDArray[np.datetime64],
) -> dict[str, Any]:
    reasons: Counter[str] = Counter(loaded.quarantine["reason"].to_pylist())
    described = profile(encoded, unseen, splits.train_cutoff, experiment.vocabulary.min_count)
    cutoffs = {"train": splits.train_cutoff, "val": splits.val_cutoff}
    warned = warnings(described, dates, cutoffs, experiment.split.by)
    lone = lone_date_warning(split_dates(loaded.careers), loaded.as_of)
    if experiment.data.as_of == AUTO and lone is not None:
        warned.append(lone)
    return {
        "source": dict(loaded.source),
        "as_of": loaded.as_of.isoformat(),
        "cutoffs": {name: cutoff.isoformat() for name, cutoff in cutoffs.items()},
        "counts": dict(loaded.counts),
        "quarantine": dict(sorted(reasons.items())),
        "splits": described,
        "warnings": warned,
        "hireability": (
            f"label {experiment.data.hireable_key}"
            if experiment.data.hireable_key
            else f"proxy: stayed at least {experiment.data.hireable_months} months in the next role"
        ),
        "settings": {
            "data": experiment.data.model_dump(mode="json"),
            "split": experiment.split.model_dump(mode="json"),
            "vocabulary": experiment.vocabulary.model_dump(mode="json"),
        },
    }

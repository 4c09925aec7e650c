"""The Optuna study of a run: the one true record of a search, in a journal file.

Everything that is known of a trial is written here through the few functions below, and read back
by `search.record`. A trial's user attributes are

- ``params``: its whole `Params`; what is trained is this, not the searched values alone;
- ``origin``: where the point came from (``research_default``, ``sampler``, ...);
- ``epoch_0001``, ``epoch_0002``, ...: what each epoch reported, written before its value;
- ``error``: one line, for a trial that failed;
- ``duplicate_of``: the number of the trial whose results these are;
- ``cma_generation``: the generation of CMA-ES that suggested it.

Each function may be repeated with the same arguments: whoever resumes a search does not know how
far the last writer got. Knows nothing of Ray and torch.
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment import Params, SearchSettings
from trajtune.search.pruner import make_pruner
from trajtune.search.sampler import make_sampler
from trajtune.search.space import Space

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

STUDY_NAME: Final = "search"
JOURNAL: Final = "study.journal"
EPOCH_PREFIX: Final = "epoch_"
RESEARCH_DEFAULT_ORIGIN: Final = "research_default"
START_POINT_ORIGIN: Final = "start_point"
SAMPLER_ORIGIN: Final = "sampler"


def create_study(directory: Path, settings: SearchSettings, max_epochs: int) -> "optuna.Study":
    """Create the run's study, or open it for writing; one process at a time may.

    The caller holds the run's lock. A last record that a killed writer left incomplete is cut off
    (it was never acknowledged), and that writer's journal lock is removed.
    """
    import optuna

    journal = directory / JOURNAL
    if journal.exists():
        cut_incomplete_record(journal)
        (directory / f"{JOURNAL}.lock").unlink(missing_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        storage=_storage(journal),
        study_name=STUDY_NAME,
        load_if_exists=True,
        direction="minimize",
        pruner=make_pruner(settings.pruner, max_epochs),
    )


def read_study(directory: Path) -> "optuna.Study":
    """Open the run's study for reading; it may be written by another process meanwhile.

    Raises:
        RunError: If there is none, or the file is not one.
    """
    import optuna

    journal = directory / JOURNAL
    if not journal.is_file():
        raise RunError(f"{directory} has no {JOURNAL}. Give a run that `trajtune search` has written.")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=STUDY_NAME, storage=_storage(journal))
    except KeyError as error:
        raise RunError(
            f"{journal} holds no study yet. Wait for the search to begin, or resume it."
        ) from error
    except ValueError as error:
        raise RunError(f"{journal} is damaged: {error}. Mend it with `trajtune doctor`.") from error


def ask(study: "optuna.Study", space: Space, settings: SearchSettings, base: Params) -> "Trial":
    """A new trial with its params, suggested by the sampler or taken from the queue of start points."""
    from optuna.trial import TrialState

    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    number = waiting[0].number if waiting else len(study.get_trials(deepcopy=False))
    study.sampler = make_sampler(settings, number, space)
    return _with_params(study.ask(), space, base)


def ask_again(
    study: "optuna.Study", number: int, space: Space, settings: SearchSettings, base: Params
) -> "Trial":
    """A trial that was asked and never finished; what it lacks of its params is suggested as then."""
    from optuna.trial import Trial

    study.sampler = make_sampler(settings, number, space)
    frozen = study.get_trials(deepcopy=False)[number]
    return _with_params(Trial(study, frozen._trial_id), space, base)


def enqueue(study: "optuna.Study", space: Space, params: Params, origin: str) -> None:
    """Queue a point that is to be trained exactly as given."""
    study.enqueue_trial(
        space.searched_values(params),
        user_attrs={"origin": origin, "params": params.model_dump(mode="json")},
    )


def record_epoch(study: "optuna.Study", trial: "Trial", metric: str, report: Mapping[str, Any]) -> None:
    """Write what an epoch reported; an epoch that the study already holds is left as it is.

    Args:
        study: The study.
        trial: The trial.
        metric: Which entry of ``report`` is the trial's objective.
        report: ``epoch`` and the metrics of that epoch; None where undefined.
    """
    epoch = int(report["epoch"])
    if epoch in study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        return
    trial.set_user_attr(f"{EPOCH_PREFIX}{epoch:04d}", dict(report))
    trial.report(float(report[metric]), epoch)


def tell_complete(study: "optuna.Study", trial: "Trial") -> None:
    """The trial ran to its end: its value is that of its best epoch."""
    from optuna.trial import TrialState

    values = study.get_trials(deepcopy=False)[trial.number].intermediate_values.values()
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        study.tell(trial, min(finite), state=TrialState.COMPLETE)
    else:
        tell_failed(study, trial, "The trial ended without one epoch whose objective is finite.")


def tell_pruned(study: "optuna.Study", trial: "Trial") -> None:
    """The trial was stopped early; Optuna keeps its last value."""
    from optuna.trial import TrialState

    study.tell(trial, state=TrialState.PRUNED)


def tell_failed(study: "optuna.Study", trial: "Trial", error: str) -> None:
    """The trial broke."""
    from optuna.trial import TrialState

    trial.set_user_attr("error", error)
    study.tell(trial, state=TrialState.FAIL)


def first_of_equals(study: "optuna.Study", trial: "Trial") -> "FrozenTrial | None":
    """The first other trial with the same params that is not to be repeated; None if there is none.

    A trial that failed may be repeated: another node or another day may do better.
    """
    from optuna.trial import TrialState

    params = trial.user_attrs["params"]
    for other in study.get_trials(deepcopy=False):
        if other.number >= trial.number:
            return None
        if (
            other.state not in (TrialState.FAIL, TrialState.WAITING)
            and other.user_attrs.get("params") == params
        ):
            return other
    return None


def tell_duplicate(study: "optuna.Study", trial: "Trial", first: int) -> None:
    """Give ``trial`` the results of the finished trial ``first``, whose params are the same."""
    other = study.get_trials(deepcopy=False)[first]
    trial.set_user_attr("duplicate_of", first)
    for epoch, value in other.intermediate_values.items():
        name = f"{EPOCH_PREFIX}{epoch:04d}"
        trial.set_user_attr(name, other.user_attrs[name])
        trial.report(value, epoch)
    if other.state.name == "COMPLETE":
        tell_complete(study, trial)
    else:
        tell_pruned(study, trial)


def incomplete_bytes(journal: Path) -> int:
    """How many bytes follow the last whole record: what a writer was at when it died."""
    with journal.open("rb") as file:
        size = end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - 4096)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return size - (start + newline + 1)
            end = start
    return size


def cut_incomplete_record(journal: Path) -> None:
    """Shorten the journal to its whole records."""
    incomplete = incomplete_bytes(journal)
    if incomplete:
        os.truncate(journal, journal.stat().st_size - incomplete)


def _with_params(trial: "Trial", space: Space, base: Params) -> "Trial":
    suggested = space.suggest(trial)
    if "params" not in trial.user_attrs:
        _note_generation(trial)
        trial.set_user_attr("origin", SAMPLER_ORIGIN)
        trial.set_user_attr("params", space.resolve(base, suggested).model_dump(mode="json"))
    return trial


def _note_generation(trial: "Trial") -> None:
    """What CMA-ES has to know of its own earlier trials, since it remembers nothing."""
    from trajtune.search.cma import GENERATION, CmaSampler

    sampler = trial.study.sampler
    if isinstance(sampler, CmaSampler) and sampler.generation is not None:
        trial.set_user_attr(GENERATION, sampler.generation)


def _storage(journal: Path) -> "optuna.storages.JournalStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(journal)))

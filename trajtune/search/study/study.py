"""The Optuna study of a run: the one true record of a search, in a journal file or a database.

Everything that is known of a trial is written here through the few functions below, and read back
by `search.study.trial_records`. A trial's user attributes are

- ``params``: its whole `Params`; what is trained is this, not the searched values alone;
- ``origin``: where the point came from (``research_default``, ``sampler``, ...);
- ``epoch_0001``, ``epoch_0002``, ...: what each epoch reported, written before its value;
- ``error``: one line, for a trial that failed;
- ``damage``: one line, for a trial that met damaged checkpoints and went on from earlier ones;
- ``duplicate_of``: the number of the trial whose results these are.

The study's own are ``metrics``, its objectives with the deciding one first, and ``constraints``. How far a
trial is from keeping those are its constraints in Optuna.

Each function may be repeated with the same arguments: whoever resumes a search does not know how
far the last writer got. Knows nothing of Ray and torch.
"""

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment.objective import DIRECTIONS, cost, parse_constraint
from trajtune.experiment.params import Params
from trajtune.experiment.settings import SearchSettings
from trajtune.experiment.space import Space
from trajtune.search.study.journal import JOURNAL, clear_crash, journal_storage
from trajtune.search.study.pruner import make_pruner
from trajtune.search.study.sampler import make_sampler
from trajtune.storage.path import StoredPath, write_whole

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

STUDY_NAME: Final = "search"
DATABASE: Final = "study.json"
"""Names the database and the study, where the study is not in the run directory."""
METRICS_ATTRIBUTE: Final = "metrics"
CONSTRAINTS_ATTRIBUTE: Final = "constraints"
EPOCH_PREFIX: Final = "epoch_"
RESEARCH_DEFAULT_ORIGIN: Final = "research_default"
START_POINT_ORIGIN: Final = "start_point"
TRAINING_ORIGIN: Final = "training"
SAMPLER_ORIGIN: Final = "sampler"
REFERENCES: Final = {
    RESEARCH_DEFAULT_ORIGIN: "research default",
    TRAINING_ORIGIN: "experiment's training",
}
"""Origins of the trials that others are held against, which no pruner stops, with their names for readers."""


def create_study(
    directory: StoredPath, settings: SearchSettings, max_epochs: int, *, url_variable: str | None = None
) -> "optuna.Study":
    """Create the run's study, or open it for writing; one process at a time may.

    The caller holds the run's lock.

    Args:
        directory: The run's.
        settings: What makes the pruner.
        max_epochs: Of a trial.
        url_variable: Of a new study: the environment variable with the URL of the database that is to
            hold it; None: a journal in the run directory. A study stays where it is.

    Raises:
        RunError: If its database cannot be used.
    """
    import optuna

    from trajtune.search.study.database import database_storage

    if url_variable is not None and not (directory / JOURNAL).exists():
        _choose_database(directory, url_variable)
    database = _database(directory)
    if database is None:
        clear_crash(_on_disk(directory))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=database_storage(database.url_variable) if database else journal_storage(_on_disk(directory)),
        study_name=database.study_name if database else STUDY_NAME,
        load_if_exists=True,
        directions=[DIRECTIONS[metric] for metric in settings.metrics],
        pruner=make_pruner(settings.pruner, max_epochs),
    )
    if METRICS_ATTRIBUTE not in study.user_attrs:
        study.set_user_attr(METRICS_ATTRIBUTE, list(settings.metrics))
        study.set_user_attr(CONSTRAINTS_ATTRIBUTE, settings.constraints)
    return study


def read_study(directory: StoredPath) -> "optuna.Study":
    """Open the run's study for reading; it may be written by another process meanwhile.

    Raises:
        RunError: If there is none, it is not one, or its database cannot be used.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    database = _database(directory)
    if database is not None:
        from trajtune.search.study.database import READER_PATIENCE_S, database_storage

        storage = database_storage(database.url_variable, patience_s=READER_PATIENCE_S)
        try:
            return optuna.load_study(study_name=database.study_name, storage=storage)
        except KeyError as error:
            raise RunError(
                f"The database in {database.url_variable} has no study {database.study_name}. "
                "Set the variable to the one that was searched with, or resume the run if it never began."
            ) from error
    journal = directory / JOURNAL
    if not journal.is_file():
        raise RunError(f"{directory} has no {JOURNAL}. Give a run that `trajtune search` has written.")
    try:
        return optuna.load_study(study_name=STUDY_NAME, storage=journal_storage(_on_disk(directory)))
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
    frozen = study.get_trials(deepcopy=False)[trial.number]
    if epoch in recorded_epochs(frozen, several=has_several_objectives(study)):
        return
    trial.set_user_attr(f"{EPOCH_PREFIX}{epoch:04d}", dict(report))
    if not has_several_objectives(study):  # with several, Optuna takes no values of epochs
        trial.report(float(report[metric]), epoch)


def tell_complete(study: "optuna.Study", trial: "Trial") -> None:
    """The trial ran to its end: its values are those of its best epoch by the first objective."""
    from optuna.trial import TrialState

    report = best_report(study, study.get_trials(deepcopy=False)[trial.number])
    if report is None:
        tell_failed(study, trial, "The trial ended without one epoch whose objective is finite.")
        return
    values: list[float] = []
    for metric in objectives(study):
        if report.get(metric) is None:
            tell_failed(study, trial, f"`{metric}` must be a number, but is undefined on these val careers.")
            return
        values.append(report[metric])
    _set_constraints(study, trial, report)
    study.tell(trial, values, state=TrialState.COMPLETE)


def tell_pruned(study: "optuna.Study", trial: "Trial") -> None:
    """The trial was stopped early; Optuna keeps its last value, where there is one objective."""
    from optuna.trial import TrialState

    report = best_report(study, study.get_trials(deepcopy=False)[trial.number])
    if report is not None:
        _set_constraints(study, trial, report)
    study.tell(trial, state=TrialState.PRUNED)


def tell_failed(study: "optuna.Study", trial: "Trial", error: str) -> None:
    """The trial broke."""
    from optuna.trial import TrialState

    trial.set_user_attr("error", error)
    study.tell(trial, state=TrialState.FAIL)


def objectives(study: "optuna.Study") -> tuple[str, ...]:
    """The metrics that a study is for, the deciding one first."""
    # A study of before there was a choice says nothing, nor does one that is being made.
    return tuple(study.user_attrs.get(METRICS_ATTRIBUTE, ["val_next_role_nll"]))


def has_several_objectives(study: "optuna.Study") -> bool:
    """Whether there is a Pareto front and no pruning."""
    return len(study.directions) > 1


def recorded_epochs(frozen: "FrozenTrial", *, several: bool) -> list[int]:
    """The epochs that count, in order.

    With one objective an epoch counts once its value is in; the attribute alone may be a killed
    writer's last word. It is written first, but whoever reads a database while a search writes there may
    have asked for the attributes before and for the values after. With several, Optuna takes no values and
    the attribute is all there is.
    """
    if not several:
        return sorted(
            epoch for epoch in frozen.intermediate_values if f"{EPOCH_PREFIX}{epoch:04d}" in frozen.user_attrs
        )
    return sorted(
        int(name.removeprefix(EPOCH_PREFIX)) for name in frozen.user_attrs if name.startswith(EPOCH_PREFIX)
    )


def num_recorded(study: "optuna.Study", trial: "Trial") -> int:
    """How many epochs of a trial the study holds."""
    frozen = study.get_trials(deepcopy=False)[trial.number]
    return len(recorded_epochs(frozen, several=has_several_objectives(study)))


def reports(frozen: "FrozenTrial", *, several: bool) -> list[dict[str, Any]]:
    """What each epoch reported, in order."""
    return [
        frozen.user_attrs[f"{EPOCH_PREFIX}{epoch:04d}"] for epoch in recorded_epochs(frozen, several=several)
    ]


def best_report(study: "optuna.Study", frozen: "FrozenTrial") -> dict[str, Any] | None:
    """What the best epoch by the first objective reported, the first of equals; None without a finite one."""
    return best_of(reports(frozen, several=has_several_objectives(study)), objectives(study)[0])


def best_of(found: Sequence[dict[str, Any]], metric: str) -> dict[str, Any] | None:
    """The report with the best finite ``metric``, the first of equals; None if there is none."""
    finite = [report for report in found if report[metric] is not None and math.isfinite(report[metric])]
    return min(finite, key=lambda report: cost(metric, report[metric])) if finite else None


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
    for report in reports(other, several=has_several_objectives(study)):
        record_epoch(study, trial, objectives(study)[0], report)
    if other.state.name == "COMPLETE":
        tell_complete(study, trial)
    else:
        tell_pruned(study, trial)


def _with_params(trial: "Trial", space: Space, base: Params) -> "Trial":
    from trajtune.search.study.suggestion import set_params, suggest

    if "params" not in trial.user_attrs:
        trial.set_user_attr("origin", SAMPLER_ORIGIN)
        params = space.resolve(base, suggest(trial, space))
        trial.set_user_attr("params", params.model_dump(mode="json"))
    set_params(trial, space, space.searched_values(Params.model_validate(trial.user_attrs["params"])))
    return trial


def _set_constraints(study: "optuna.Study", trial: "Trial", report: Mapping[str, Any]) -> None:
    """Tell Optuna how far the trial is from keeping each constraint; said once, it stays."""
    for text in study.user_attrs.get(CONSTRAINTS_ATTRIBUTE, []):
        if text not in trial.constraints:
            trial.set_constraint(text, parse_constraint(text).violation(report))


@dataclass(frozen=True)
class _Database:
    """Where a study is that is not in the run directory; the URL itself is written nowhere."""

    url_variable: str
    study_name: str


def _database(directory: StoredPath) -> _Database | None:
    path = directory / DATABASE
    if not path.exists():
        return None
    content = json.loads(path.read_text("utf-8"))
    return _Database(content["url_variable"], content["study_name"])


def _choose_database(directory: StoredPath, url_variable: str) -> None:
    """Note where the study is to be; its name is its own among those of all who use the database."""
    path = directory / DATABASE
    if path.exists():
        return
    name = f"{directory.name}-{secrets.token_hex(4)}"
    content = json.dumps({"url_variable": url_variable, "study_name": name})
    write_whole(path, f"{content}\n".encode())


def _on_disk(directory: StoredPath) -> Path:
    """The directory of a run whose study is a journal: experiments allow no other."""
    assert isinstance(directory, Path), "a journal cannot grow in an object store"
    return directory

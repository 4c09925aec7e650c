"""What the study says of a trial, in our words; plain values, for people, files and decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from trajtune.experiment.objective import cost
from trajtune.search.study.study import RESEARCH_DEFAULT_ORIGIN, best_of, objectives, reports

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

WITH_RESULT: Final = ("COMPLETE", "PRUNED")
"""States of trials whose best epoch counts."""

UNFINISHED: Final = ("WAITING", "RUNNING")
"""States of trials that are still to be trained, or to be trained on."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: From 0; its directory is ``trials/<number, four digits>``.
        state: As Optuna names it: WAITING, RUNNING, COMPLETE, PRUNED or FAIL.
        origin: ``research_default``, ``sampler``, ...; None before it was asked.
        params: All of them; empty before it was asked.
        epochs: What each epoch reported, in order.
        best_epoch: The epoch (from 1) with the best first objective; None without an epoch.
        value: The first objective at that epoch.
        costs: All objectives at that epoch as something to be minimised, the first one first; empty
            without an epoch, or where one of them is undefined.
        damage: One line, for a trial that met damaged checkpoints.
        violations: Constraints, as the experiment writes them, to how far the trial breaks them; 0 or
            less: kept. Empty before it has ended.
        started, ended: Local times of the machine that searched; None where that has not happened.
        error: One line, for a trial that failed.
        duplicate_of: The trial whose results these are, if it was not trained itself.
    """

    number: int
    state: str
    origin: str | None
    params: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    best_epoch: int | None
    value: float | None
    error: str | None
    duplicate_of: int | None
    damage: str | None = None
    costs: tuple[float, ...] = ()
    violations: Mapping[str, float] = field(default_factory=dict)
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def is_feasible(self) -> bool:
        """Whether it keeps every constraint."""
        return all(violation <= 0 for violation in self.violations.values())

    @property
    def metrics(self) -> dict[str, Any]:
        """What the best epoch reported; empty without an epoch."""
        return next((dict(epoch) for epoch in self.epochs if epoch["epoch"] == self.best_epoch), {})

    @property
    def seconds(self) -> float:
        """Time spent in epochs."""
        return float(sum(epoch["seconds"] for epoch in self.epochs))

    @property
    def directory(self) -> str:
        """Where its checkpoints are, below the run."""
        return trial_directory(self.number)


def trial_directory(number: int) -> str:
    """A trial's directory below the run's."""
    return f"trials/{number:04d}"


def read_trial(frozen: "FrozenTrial", metrics: Sequence[str]) -> TrialRecord:
    """One trial of a study for ``metrics``."""
    attrs = frozen.user_attrs
    epochs = reports(frozen, several=len(metrics) > 1)
    best = best_of(epochs, metrics[0])
    values = {metric: best[metric] for metric in metrics if best and best.get(metric) is not None}
    return TrialRecord(
        number=frozen.number,
        state=frozen.state.name,
        origin=attrs.get("origin"),
        params=attrs.get("params", {}),
        epochs=epochs,
        best_epoch=best["epoch"] if best else None,
        value=values.get(metrics[0]),
        error=attrs.get("error"),
        duplicate_of=attrs.get("duplicate_of"),
        damage=attrs.get("damage"),
        costs=tuple(cost(*each) for each in values.items()) if len(values) == len(metrics) else (),
        violations=dict(frozen.constraints),
        started=frozen.datetime_start,
        ended=frozen.datetime_complete,
    )


def read_trials(study: "optuna.Study") -> list[TrialRecord]:
    """All trials in the order of their numbers."""
    metrics = objectives(study)
    return [read_trial(frozen, metrics) for frozen in study.get_trials(deepcopy=False)]


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The finished trials that may win, best first; ties go to the lower number.

    These have a result of their own and keep every constraint. With several objectives those of the Pareto
    front come first; within it, and behind it, the first objective decides.
    """
    found = [
        trial
        for trial in trials
        if trial.state in WITH_RESULT and trial.costs and trial.duplicate_of is None and trial.is_feasible
    ]
    several = any(len(trial.costs) > 1 for trial in found)
    behind = {trial.number for trial in found if several and _is_dominated(trial, found)}
    return sorted(found, key=lambda trial: (trial.number in behind, trial.costs[0], trial.number))


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The first of `ranked`: the best trial so far; None if none may win."""
    return next(iter(ranked(trials)), None)


def pareto_front(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Those of `ranked` that no other beats in one objective and equals in the rest, best first."""
    found = ranked(trials)
    return [trial for trial in found if not _is_dominated(trial, found)]


def _is_dominated(trial: TrialRecord, others: Sequence[TrialRecord]) -> bool:
    return any(
        other.costs != trial.costs and all(a <= b for a, b in zip(other.costs, trial.costs, strict=True))
        for other in others
    )


def research_default(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The research default's trial, once it was queued."""
    return next((trial for trial in trials if trial.origin == RESEARCH_DEFAULT_ORIGIN), None)

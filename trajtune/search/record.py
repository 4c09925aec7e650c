"""What the study says of a trial, in our words; plain values, for people, files and decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trajtune.search.study import EPOCH_PREFIX, RESEARCH_DEFAULT_ORIGIN

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
        best_epoch: The epoch (from 1) with the least objective; None without an epoch.
        value: The objective at that epoch.
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


def read_trial(frozen: "FrozenTrial") -> TrialRecord:
    """One trial of a study."""
    attrs, values = frozen.user_attrs, frozen.intermediate_values
    finite = {epoch: value for epoch, value in values.items() if value == value}
    best_epoch = min(finite, key=lambda epoch: (finite[epoch], epoch)) if finite else None
    return TrialRecord(
        number=frozen.number,
        state=frozen.state.name,
        origin=attrs.get("origin"),
        params=attrs.get("params", {}),
        # An epoch counts once its value is in; the attribute alone may be a killed writer's last word.
        epochs=[attrs[f"{EPOCH_PREFIX}{epoch:04d}"] for epoch in sorted(values)],
        best_epoch=best_epoch,
        value=None if best_epoch is None else finite[best_epoch],
        error=attrs.get("error"),
        duplicate_of=attrs.get("duplicate_of"),
    )


def read_trials(study: "optuna.Study") -> list[TrialRecord]:
    """All trials in the order of their numbers."""
    return [read_trial(frozen) for frozen in study.get_trials(deepcopy=False)]


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The finished trials with a result of their own, best first; ties go to the lower number."""
    found = [
        (trial.value, trial.number, trial)
        for trial in trials
        if trial.state in WITH_RESULT and trial.value is not None and trial.duplicate_of is None
    ]
    return [trial for _, _, trial in sorted(found, key=lambda entry: entry[:2])]


def research_default(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The research default's trial, once it was queued."""
    return next((trial for trial in trials if trial.origin == RESEARCH_DEFAULT_ORIGIN), None)

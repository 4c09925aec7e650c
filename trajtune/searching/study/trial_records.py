"""The trials of a study as plain data, for displays, files and decisions."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from trajtune.experiment.objective import best_epoch, cost
from trajtune.searching.study.epochs import reports
from trajtune.searching.study.objectives import objectives
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.sampled_study import REPEAT_OF, differs_in
from trajtune.searching.study.study import trials_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

WITH_RESULT: Final = ("COMPLETE", "PRUNED")
"""States of trials whose best epoch counts."""

UNFINISHED: Final = ("WAITING", "RUNNING")
"""States of trials whose training has not started or not ended."""


@dataclass(frozen=True)
class TrialRecord:
    """The record of one trial.

    Attributes:
        number: Number of the trial, from 0; its directory is ``trials/<number, four digits>``.
        state: Optuna's state: WAITING, RUNNING, COMPLETE, PRUNED or FAIL.
        origin: Origin of the params, see `searching.study.origins`; None before the trial has params.
        params: The complete `Params`; empty before the trial has params.
        epochs: The reports of the epochs, in order.
        best_epoch: The epoch (from 1) with the best first objective; None without an epoch.
        value: The first objective at that epoch.
        costs: All objectives at that epoch, in order, negated if they are maximised; empty without an
            epoch, or if one of them is undefined.
        damage: One-line description of damaged checkpoints; None if there were none.
        violations: For each constraint, in the experiment's spelling, the amount by which the trial violates
            it; 0 or less if it is met. Empty before the trial has ended.
        started, ended: Local times of the machine that searched; None if not reached yet.
        error: One-line reason of a failure; None if the trial did not fail.
        duplicate_of: Number of the trial whose results it has, if it was not trained itself.
        repeat_of: Number of the trial whose params it trains with another seed.
        seed: Seed of the trial; None: the search's seed.
        differs_in: Names of unsearched settings in which it differs from the experiment. The sampler does
            not see a trial that differs.
        mean_costs: ``costs`` averaged over the trial and its complete repeats.
        mean_value: The first objective, averaged in the same way.
        seeds: Number of trainings in these means; 0 without a result.
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
    repeat_of: int | None = None
    seed: int | None = None
    differs_in: tuple[str, ...] = ()
    mean_costs: tuple[float, ...] = ()
    mean_value: float | None = None
    seeds: int = 0

    @property
    def is_sampled(self) -> bool:
        """Whether the sampler sees the trial; see `searching.study.sampled_study`."""
        return self.repeat_of is None and not self.differs_in

    @property
    def is_feasible(self) -> bool:
        """Whether the trial meets every constraint."""
        return all(violation <= 0 for violation in self.violations.values())

    @property
    def metrics(self) -> dict[str, Any]:
        """The report of the best epoch; empty without an epoch."""
        return next((dict(epoch) for epoch in self.epochs if epoch["epoch"] == self.best_epoch), {})

    @property
    def seconds(self) -> float:
        """Time spent in epochs, in seconds."""
        return float(sum(epoch["seconds"] for epoch in self.epochs))

    @property
    def directory(self) -> str:
        """Directory of its checkpoints, relative to the run directory."""
        return trial_directory(self.number)


def trial_directory(number: int) -> str:
    """Return the directory of a trial, relative to the run directory."""
    return f"trials/{number:04d}"


def read_trial(frozen: "FrozenTrial", metrics: Sequence[str]) -> TrialRecord:
    """Return the record of one trial of a study whose objectives are ``metrics``."""
    attrs = frozen.user_attrs
    epochs = reports(frozen, several=len(metrics) > 1)
    best = best_epoch(epochs, metrics[0])
    values = {metric: best[metric] for metric in metrics if best and best.get(metric) is not None}
    costs = tuple(cost(*each) for each in values.items()) if len(values) == len(metrics) else ()
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
        costs=costs,
        violations=dict(frozen.constraints),
        started=frozen.datetime_start,
        ended=frozen.datetime_complete,
        repeat_of=attrs.get(REPEAT_OF),
        seed=attrs.get("seed"),
        differs_in=differs_in(frozen),
        mean_costs=costs,
        mean_value=values.get(metrics[0]),
        seeds=1 if costs else 0,
    )


def read_trials(study: "optuna.Study") -> list[TrialRecord]:
    """Return the records of all trials, ordered by number."""
    metrics = objectives(study)
    return with_means([read_trial(frozen, metrics) for frozen in trials_of(study)])


def with_means(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials with the means of their costs over seeds."""
    repeats_by_original: dict[int, list[TrialRecord]] = {}
    for trial in trials:
        if trial.repeat_of is not None and trial.state == "COMPLETE" and trial.costs:
            repeats_by_original.setdefault(trial.repeat_of, []).append(trial)
    return [_with_mean(trial, repeats_by_original.get(trial.number, [])) for trial in trials]


def _with_mean(trial: TrialRecord, repeats: Sequence[TrialRecord]) -> TrialRecord:
    if not trial.costs or not repeats:
        return trial
    trainings = [trial, *repeats]
    return replace(
        trial,
        mean_costs=tuple(map(statistics.fmean, zip(*(each.costs for each in trainings), strict=True))),
        mean_value=statistics.fmean(each.value for each in trainings if each.value is not None),
        seeds=len(trainings),
    )


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the finished trials that are eligible to win, best first; ties go to the lower number.

    Eligible trials were trained themselves and meet every constraint. Repeats are not listed: the original
    is ranked by its mean over seeds. With several objectives, the trials of the Pareto front come first.
    Within the front and after it, the first objective decides.
    """
    candidates = [
        trial
        for trial in trials
        if trial.state in WITH_RESULT
        and trial.costs
        and trial.duplicate_of is None
        and trial.repeat_of is None
        and trial.is_feasible
    ]
    several = any(len(trial.costs) > 1 for trial in candidates)
    dominated = {trial.number for trial in candidates if several and _is_dominated(trial, candidates)}
    return sorted(
        candidates, key=lambda trial: (trial.number in dominated, trial.mean_costs[0], trial.number)
    )


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the best trial so far, which is the first of `ranked`, or None if none is eligible."""
    return next(iter(ranked(trials)), None)


def pareto_front(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials of `ranked` that no other trial dominates, best first."""
    candidates = ranked(trials)
    return [trial for trial in candidates if not _is_dominated(trial, candidates)]


def _is_dominated(trial: TrialRecord, others: Sequence[TrialRecord]) -> bool:
    """Return whether another trial is better in one objective and not worse in the others."""
    return any(
        other.mean_costs != trial.mean_costs
        and all(a <= b for a, b in zip(other.mean_costs, trial.mean_costs, strict=True))
        for other in others
    )


def research_default(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the trial of the research default, or None before it is queued."""
    return next((trial for trial in trials if trial.origin == RESEARCH_DEFAULT_ORIGIN), None)

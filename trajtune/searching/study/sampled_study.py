"""A view of a study for samplers and figures: only trials that are comparable, each point once.

Some trials are not comparable with sampled trials. The research default differs from the experiment in
settings that are not searched, and so may start points and warm starts. Their values would mislead a sampler,
which sees only the searched params. Repeats train the params of another trial with another seed. All of these
are recorded and shown, but this view hides them.
"""

import copy
import math
import statistics
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from optuna import Study
from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from trajtune.searching.study.origins import REFERENCE_ORIGINS, RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.space_change import PresentSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

DIFFERS_IN: Final = "differs_in"
REPEAT_OF: Final = "repeat_of"


def is_sampled(frozen: "FrozenTrial") -> bool:
    """Return whether samplers and pruners see a trial."""
    return REPEAT_OF not in frozen.user_attrs and not differs_in(frozen)


def is_never_pruned(attributes: Mapping[str, Any]) -> bool:
    """Return whether a trial always runs to its end: a reference, a repeat, or one with other settings."""
    return (
        attributes["origin"] in REFERENCE_ORIGINS
        or REPEAT_OF in attributes
        or bool(attributes.get(DIFFERS_IN))
    )


def differs_in(frozen: "FrozenTrial") -> tuple[str, ...]:
    """Return the names of unsearched settings in which a trial differs from the experiment."""
    attributes = frozen.user_attrs
    if DIFFERS_IN in attributes:
        return tuple(attributes[DIFFERS_IN])
    # Earlier versions did not record this. Among their trials, at least the research default differs.
    return ("not recorded",) if attributes.get("origin") == RESEARCH_DEFAULT_ORIGIN else ()


class SampledStudy(Study):
    """A view of ``study`` that lists only its sampled trials.

    Args:
        study: The study. Everything except the list of trials is read from it and written to it.
        known: Trials of earlier searches, which are listed first; see `known_trial`.
        count_stopped: Whether a trial that was stopped early is listed as COMPLETE, with the value that
            it would probably have reached; see `probable_end`.
        present: The study's present space, in which its trials are listed; None: it is read from the study.
        in_place: Whether the hidden trials are listed as FAIL. Optuna's history figure uses a trial's
            number as its index in the list.
    """

    def __init__(
        self,
        study: Study,
        known: "Sequence[FrozenTrial]" = (),
        *,
        count_stopped: bool = False,
        present: PresentSpace | None = None,
        in_place: bool = False,
    ) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._study, self._known, self._count_stopped = study, known, count_stopped
        self._present, self._in_place = present, in_place

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> "list[FrozenTrial]":
        """Return the sampled trials, ordered by number."""
        return self._get_trials(deepcopy=deepcopy, states=states)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> "list[FrozenTrial]":
        everything = self._study._get_trials(deepcopy=False, use_cache=use_cache)
        trials = [
            trial if is_sampled(trial) else _failed(trial)
            for trial in everything
            if is_sampled(trial) or self._in_place
        ]
        self._present = self._present or PresentSpace(self._study)
        trials = self._present.of(trials)
        if self._count_stopped and len(self.directions) == 1:
            trials = _with_probable_ends(trials, maximize=self.direction.name == "MAXIMIZE")
        trials = [*self._known, *trials]
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def _get_best_trial(self, deepcopy: bool) -> "FrozenTrial":
        trials = [
            trial
            for trial in self._get_trials(deepcopy=deepcopy, states=(TrialState.COMPLETE,))
            if all(violation <= 0 for violation in trial.constraints.values())
        ]
        if not trials:
            raise ValueError("No feasible trials are completed yet.")
        sign = -1 if self.direction.name == "MAXIMIZE" else 1
        return min(trials, key=lambda trial: sign * trial.values[0])


class SampledTrialsSampler(BaseSampler):
    """A sampler that sees `SampledStudy` instead of the study.

    Args:
        sampler: The sampler that suggests params.
        known, count_stopped: As in `SampledStudy`.
    """

    def __init__(
        self, sampler: BaseSampler, known: "Sequence[FrozenTrial]" = (), *, count_stopped: bool = False
    ) -> None:
        self._sampler, self._known, self._count_stopped = sampler, known, count_stopped
        self._present: PresentSpace | None = None

    def __str__(self) -> str:
        return str(self._sampler)

    def reseed_rng(self) -> None:
        """Reseed the sampler."""
        self._sampler.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: "FrozenTrial"
    ) -> "dict[str, BaseDistribution]":
        """Return the params that the sampler suggests jointly."""
        return self._sampler.infer_relative_search_space(self._view(study), trial)

    def sample_relative(
        self, study: Study, trial: "FrozenTrial", search_space: "dict[str, BaseDistribution]"
    ) -> dict[str, Any]:
        """Return the sampler's values for the jointly suggested params."""
        return self._sampler.sample_relative(self._view(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: "FrozenTrial", param_name: str, param_distribution: "BaseDistribution"
    ) -> Any:
        """Return the sampler's value for one param."""
        return self._sampler.sample_independent(self._view(study), trial, param_name, param_distribution)

    def weighs_prior(self, study: Study) -> bool:
        """Return whether the sampler itself uses the prior; then no trial is drawn from it."""
        models = getattr(self._sampler, "models_with_prior", None)
        return models is not None and bool(models(self._view(study)))

    def before_trial(self, study: Study, trial: "FrozenTrial") -> None:
        """Call the sampler's hook before a trial gets its params."""
        self._sampler.before_trial(self._view(study), trial)

    def after_trial(self, study: Study, trial: "FrozenTrial", state: TrialState, values: Any) -> None:
        """Call the sampler's hook after a trial has ended, if the sampler sees the trial."""
        if is_sampled(trial):
            self._sampler.after_trial(self._view(study), trial, state, values)

    def _view(self, study: Study) -> SampledStudy:
        self._present = self._present or PresentSpace(study)
        return SampledStudy(study, self._known, count_stopped=self._count_stopped, present=self._present)


def known_trial(
    params: Mapping[str, Any], distributions: "dict[str, BaseDistribution]", value: float
) -> "FrozenTrial":
    """Create a complete trial that is not in the study.

    Its number is -1, because samplers exclude the trial that they suggest for by its number.
    """
    trial = create_trial(params=dict(params), distributions=distributions, value=value)
    trial.number = -1
    return trial


def probable_end(trial: "FrozenTrial", complete: "list[FrozenTrial]", *, maximize: bool) -> float | None:
    """Return the value that a trial would probably have reached if it had not been stopped.

    This is its best value plus the median improvement of complete trials after the epoch at which it was
    stopped. Two trials that were stopped at the same epoch keep their order.

    Args:
        trial: A trial that was stopped early.
        complete: The complete trials.
        maximize: Whether larger values are better.

    Returns:
        None if the trial has no finite value.
    """
    epoch = trial.last_step
    so_far = _best_until(trial.intermediate_values, epoch, maximize=maximize)
    if so_far is None:
        return None
    gains = [
        end - then
        for other in complete
        if other.last_step is not None
        and epoch in other.intermediate_values
        and (then := _best_until(other.intermediate_values, epoch, maximize=maximize)) is not None
        and (end := _best_until(other.intermediate_values, other.last_step, maximize=maximize)) is not None
    ]
    return so_far + (statistics.median(gains) if gains else 0.0)


def _with_probable_ends(trials: "list[FrozenTrial]", *, maximize: bool) -> "list[FrozenTrial]":
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    listed = []
    for trial in trials:
        value = None
        if trial.state == TrialState.PRUNED:
            value = probable_end(trial, complete, maximize=maximize)
        if value is not None:
            trial = copy.copy(trial)
            trial.state, trial.values = TrialState.COMPLETE, [value]
        listed.append(trial)
    return listed


def _failed(trial: "FrozenTrial") -> "FrozenTrial":
    """Return a copy of the trial in state FAIL, without its result."""
    failed = copy.copy(trial)
    failed.state, failed.values = TrialState.FAIL, None
    return failed


def _best_until(values: Mapping[int, float], epoch: int | None, *, maximize: bool) -> float | None:
    finite = [
        value
        for step, value in values.items()
        if epoch is not None and step <= epoch and math.isfinite(value)
    ]
    return (max if maximize else min)(finite, default=None)

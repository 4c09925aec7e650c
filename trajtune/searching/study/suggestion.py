"""Makes a sampler's suggestion for a trial complete before any part of it is written.

Optuna writes one param after another. If a process dies in between, the remaining params would be drawn from
another position of the random sequence. So all params are first suggested and recorded together, and then set
in Optuna one by one, which can be repeated.
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import PartialFixedSampler, RandomSampler

from trajtune.experiment.space import Space, Value
from trajtune.searching.study.space_change import unwritable

if TYPE_CHECKING:
    from optuna.trial import Trial


def suggest(trial: "Trial", space: Space) -> dict[str, Value]:
    """Return the sampler's suggestion for a trial, without writing any param to the study."""
    return space.suggest(cast("Trial", _UnwrittenTrial(trial)))


def set_params(trial: "Trial", space: Space, values: Mapping[str, Value]) -> None:
    """Set ``values`` as the trial's params in Optuna; params that are already set are kept.

    Params that Optuna refuses after a change of the space are left out; see `space_change.unwritable`.
    """
    study = trial.study
    left_out = unwritable(study, space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fixed = PartialFixedSampler(dict(values), RandomSampler())
    sampler, study.sampler = study.sampler, fixed
    try:
        space.draw(lambda name, entry: values[name] if name in left_out else entry.suggest(trial, name))
    finally:
        study.sampler = sampler


class _UnwrittenTrial:
    """Behaves like a trial without params; suggested params are kept here, not in the study."""

    def __init__(self, trial: "Trial") -> None:
        self._study = trial.study
        self._relative = trial.relative_params
        # Some samplers read the params suggested so far.
        self._frozen = copy.deepcopy(self._study.get_trials(deepcopy=False)[trial.number])
        self._frozen.params, self._frozen.distributions = {}, {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> Any:
        return self._suggest(name, FloatDistribution(low, high, log=log), low)

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> Any:
        return self._suggest(name, IntDistribution(low, high, step=step, log=log), low)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._suggest(name, CategoricalDistribution(choices), choices[0])

    def _suggest(self, name: str, distribution: BaseDistribution, first: Any) -> Any:
        """Return a value of ``distribution``, which is ``first`` if there is no other."""
        if distribution.single():
            value = first
        elif name in self._relative:
            value = self._relative[name]
        else:
            value = self._study.sampler.sample_independent(self._study, self._frozen, name, distribution)
        self._frozen.params = {**self._frozen.params, name: value}
        self._frozen.distributions = {**self._frozen.distributions, name: distribution}
        return value

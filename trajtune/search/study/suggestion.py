"""What a sampler suggests for a trial, all of it before any of it is written.

Optuna writes one param after another. A process that dies in between leaves a trial whose rest would be
drawn from another place of the random sequence; so the whole point is drawn and written at once, and then
given to Optuna param by param, as often as it takes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler

from trajtune.experiment.space import Space, Value

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial


def draw(trial: "Trial", space: Space) -> dict[str, Value]:
    """The sampler's suggestion for a trial; the study is as before."""
    return space.suggest(cast("Trial", _Drawer(trial)))


def give(trial: "Trial", space: Space, values: Mapping[str, Value]) -> None:
    """Make ``values`` the trial's params in Optuna; those that it has already stay."""
    study = trial.study
    sampler, study.sampler = study.sampler, _Given(values)
    try:
        space.suggest(trial)
    finally:
        study.sampler = sampler


class _Drawer:
    """Answers as a trial would that is asked for the first time, and writes nothing."""

    def __init__(self, trial: "Trial") -> None:
        self._study = trial.study
        self._relative = trial.relative_params
        self._frozen = self._study.get_trials(deepcopy=False)[trial.number]

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> Any:
        return low if low == high else self._draw(name, FloatDistribution(low, high, log=log))

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> Any:
        return low if low == high else self._draw(name, IntDistribution(low, high, step=step, log=log))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return choices[0] if len(choices) == 1 else self._draw(name, CategoricalDistribution(choices))

    def _draw(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._relative:
            return self._relative[name]
        return self._study.sampler.sample_independent(self._study, self._frozen, name, distribution)


class _Given(BaseSampler):
    """Suggests what was drawn."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def infer_relative_search_space(
        self, study: "optuna.Study", trial: "FrozenTrial"
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: "optuna.Study", trial: "FrozenTrial", search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: "optuna.Study",
        trial: "FrozenTrial",
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._values[param_name]

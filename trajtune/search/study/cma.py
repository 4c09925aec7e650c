"""CMA-ES as an Optuna sampler that keeps nothing but what the study says.

Optuna's own CmaEsSampler pickles its state into the study and unpickles it there; a study that
somebody else made could then run code. Here the state is computed anew for each trial: each finished
generation is told to a fresh optimizer, in the order of the trials' numbers.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler

from trajtune.experiment.space import FloatRange, IntRange, Space
from trajtune.search.study.study import CMA_GENERATION

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_SIGMA: Final = 1 / 6
"""First standard deviation in the unit cube: three of them reach from the centre to the edge."""

Range = FloatRange | IntRange


class CmaSampler(BaseSampler):
    """CMA-ES over the numbers that every trial has; choices and conditional params are drawn at random.

    A generation is told once ``population_size`` of its trials have a value; one that was stopped
    early counts with its last. ``generation`` is that of the last suggestion, None where there was
    nothing for CMA-ES to suggest.
    """

    def __init__(self, space: Space, *, study_seed: int, trial_seed: int) -> None:
        self._ranges: dict[str, Range] = {
            name: entry
            for name, entry in space.searched.items()
            if isinstance(entry, FloatRange | IntRange) and entry.low < entry.high and not entry.when
        }
        self._study_seed, self._trial_seed = study_seed, trial_seed
        self._others = RandomSampler(seed=trial_seed)
        self.generation: int | None = None

    def infer_relative_search_space(
        self, study: "optuna.Study", trial: "FrozenTrial"
    ) -> dict[str, BaseDistribution]:
        """The numbers that are searched under no condition."""
        return {name: _distribution(entry) for name, entry in self._ranges.items()}

    def sample_relative(
        self, study: "optuna.Study", trial: "FrozenTrial", search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point of the generation under way."""
        if not self._ranges:
            return {}
        sign = -1 if study.direction.name == "MAXIMIZE" else 1
        optimizer = self._optimizer(study.get_trials(deepcopy=False), sign)
        self.generation = int(optimizer.generation)
        optimizer._rng.seed(self._trial_seed)
        point = optimizer.ask()
        return {
            name: _from_unit(entry, float(x))
            for (name, entry), x in zip(self._ranges.items(), point, strict=True)
        }

    def sample_independent(
        self,
        study: "optuna.Study",
        trial: "FrozenTrial",
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A param that CMA-ES cannot search, at random."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def _optimizer(self, trials: Sequence["FrozenTrial"], sign: int) -> CMA:
        size = len(self._ranges)
        optimizer = CMA(
            mean=np.full(size, 0.5),
            sigma=_SIGMA,
            bounds=np.tile([0.0, 1.0], (size, 1)),
            seed=self._study_seed,
        )
        generations: defaultdict[int, list[tuple[NDArray[np.float64], float]]] = defaultdict(list)
        for trial in trials:
            generation = trial.user_attrs.get(CMA_GENERATION)
            if generation is not None and trial.state.name in ("COMPLETE", "PRUNED"):
                value = trial.value
                if value is not None and math.isfinite(value):
                    generations[generation].append((self._to_unit(trial.params), sign * value))
        while len(told := generations[optimizer.generation]) >= optimizer.population_size:
            optimizer.tell(told[: optimizer.population_size])
        return optimizer

    def _to_unit(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        return np.array([_to_unit(entry, params[name]) for name, entry in self._ranges.items()])


def _distribution(entry: Range) -> BaseDistribution:
    if isinstance(entry, FloatRange):
        return FloatDistribution(entry.low, entry.high, log=entry.log)
    return IntDistribution(entry.low, entry.high, log=entry.log, step=entry.step)


def _edges(entry: Range) -> tuple[float, float]:
    """The range in the scale that is searched; each whole number gets the same room as any other."""
    half = entry.step / 2 if isinstance(entry, IntRange) else 0.0
    low, high = entry.low - half, entry.high + half
    return (math.log(low), math.log(high)) if entry.log else (low, high)


def _to_unit(entry: Range, value: float) -> float:
    low, high = _edges(entry)
    return ((math.log(value) if entry.log else value) - low) / (high - low)


def _from_unit(entry: Range, x: float) -> float | int:
    low, high = _edges(entry)
    value = low + x * (high - low)
    value = math.exp(value) if entry.log else value
    if isinstance(entry, FloatRange):
        return min(max(value, entry.low), entry.high)
    steps = round((value - entry.low) / entry.step)
    return min(max(entry.low + steps * entry.step, entry.low), entry.high)

"""Draws params from an experiment's prior instead of the sampler.

Draws from the prior are mixed with those of the sampler, like in PriorBand (Mallik et al., NeurIPS 2023).
The share of prior draws falls as trials end. So a wrong prior costs few trials and excludes no params.
Knows nothing of Optuna.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from trajtune.errors import ExperimentError
from trajtune.experiment.load import did_you_mean
from trajtune.experiment.params import Params
from trajtune.experiment.prior import PriorSettings
from trajtune.experiment.space import Choice, FloatRange, IntRange, Space, Value

_STREAM = 1
"""Separates the random numbers of the prior from those of the sampler, which uses the same seed."""


def draw_from_prior(
    prior: PriorSettings | None, space: Space, base: Params, *, seed: int, number: int, ended: int
) -> dict[str, Value] | None:
    """Return the searched params of trial ``number``, or None if the sampler should suggest them.

    Args:
        prior: The experiment's prior; None if it has none.
        space: The search space.
        base: The experiment's ``training``.
        seed: Seed of the search.
        number: Number of the trial.
        ended: Number of ended trials that the sampler learns from.
    """
    if prior is None:
        return None
    rng = np.random.default_rng([seed, number, _STREAM])
    if rng.random() >= prior.trials / (prior.trials + ended):
        return None
    center = center_of(prior, base)
    return space.draw(
        lambda name, entry: _around(center[name], prior.widths.get(name, prior.width), entry, rng.random())
    )


def center_of(prior: PriorSettings, base: Params) -> dict[str, Any]:
    """Return the centre of the prior, with the values of ``base`` where the prior has none."""
    return {**base.model_dump(), **prior.center}


UnitPrior = NormalDist | tuple[float, ...]
"""Prior of one param in Optuna's unit cube: a normal distribution for a range, which is not
normalised, and the logarithms of the probabilities for choices."""


def unit_prior(
    prior: PriorSettings, center: Mapping[str, Any], name: str, entry: FloatRange | IntRange | Choice
) -> UnitPrior:
    """Return the prior of a param whose values Optuna scales to 0..1, with half a step beyond both ends."""
    width = prior.widths.get(name, prior.width)
    if isinstance(entry, Choice):
        width = min(width, 1.0) if center[name] in entry.choices else 1.0
        rest = width / len(entry.choices)
        return tuple(math.log(rest + (1 - width) * (value == center[name])) for value in entry.choices)
    half = entry.step / 2 if isinstance(entry, IntRange) else 0.0
    middle = min(max(float(center[name] or 0), entry.low), entry.high)
    values = [entry.low, entry.high, middle, entry.low - half, entry.high + half]
    low, high, middle, first, last = map(math.log, values) if entry.log else values
    if first == last:
        return NormalDist(0.5, 1.0)
    return NormalDist((middle - first) / (last - first), width * (high - low) / (last - first) or 1.0)


def check_prior(prior: PriorSettings | None, space: Space) -> None:
    """Check that a prior names only params that the space searches.

    Raises:
        ExperimentError: If it names another param, or if a width is not above 0.
    """
    if prior is None:
        return
    for name in [*prior.center, *prior.widths]:
        if name not in space.searched:
            raise ExperimentError(
                f"`search.prior` must name searched params, but the space does not search {name}. "
                f"{did_you_mean(name, space.searched)}It searches {', '.join(space.searched)}."
            )
    for name, width in prior.widths.items():
        if not width > 0:
            raise ExperimentError(f"`search.prior.widths` must be above 0, but {name} has {width:g}.")
    for name, value in prior.center.items():
        entry = space.searched[name]
        is_known = value in entry.choices if isinstance(entry, Choice) else _is_number(value)
        if not is_known:
            raise ExperimentError(
                f"`search.prior.center` must have values in the space, but {name} has {value!r}. "
                "Give one of its values."
            )


def _around(center: Value, width: float, entry: FloatRange | IntRange | Choice, chance: float) -> Value:
    """Return the quantile ``chance`` (0 to 1) of the prior for ``entry``."""
    if isinstance(entry, Choice):
        return _choice(center, min(width, 1.0), entry, chance)
    is_log = entry.log
    low, high = (math.log(entry.low), math.log(entry.high)) if is_log else (entry.low, entry.high)
    if low == high:
        return entry.low
    middle = min(max(float(center or 0), entry.low), entry.high)
    normal = NormalDist(math.log(middle) if is_log else middle, width * (high - low))
    below, above = normal.cdf(low), normal.cdf(high)
    share = below + chance * (above - below)
    at = normal.inv_cdf(share) if 0 < share < 1 else low
    value = min(max(math.exp(at) if is_log else at, entry.low), entry.high)
    return (
        value
        if isinstance(entry, FloatRange)
        else entry.low + entry.step * round((value - entry.low) / entry.step)
    )


def _choice(center: Value, width: float, entry: Choice, chance: float) -> Value:
    """Return the centre with probability ``1 - width``, and otherwise any choice with equal probability."""
    if center in entry.choices:
        if chance >= width:
            return center
        chance /= width
    return entry.choices[min(int(chance * len(entry.choices)), len(entry.choices) - 1)]


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

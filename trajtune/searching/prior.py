"""Draws params from an experiment's prior, in place of a sampler, the more rarely the more trials have ended.

The draws of a prior are mixed with those of the sampler, as in PriorBand (Mallik et al., NeurIPS 2023), so a
wrong belief costs a fading share of the trials and rules out nothing. Knows nothing of Optuna.
"""

import math
from statistics import NormalDist

import numpy as np

from trajtune.errors import ExperimentError
from trajtune.experiment.load import did_you_mean
from trajtune.experiment.params import Params
from trajtune.experiment.prior import PriorSettings
from trajtune.experiment.space import Choice, FloatRange, IntRange, Space, Value

_STREAM = 1
"""Tells the random numbers of the prior from those of the sampler, which have the same seed."""


def drawn_from_prior(
    prior: PriorSettings | None, space: Space, base: Params, *, seed: int, number: int, ended: int
) -> dict[str, Value] | None:
    """The searched params of trial ``number``; None if the sampler is to suggest them.

    Args:
        prior: The belief; None without one.
        space: The space.
        base: The experiment's training.
        seed: The search's.
        number: The trial's.
        ended: Trials that have ended and that the sampler learns from.
    """
    if prior is None:
        return None
    rng = np.random.default_rng([seed, number, _STREAM])
    if rng.random() >= prior.trials / (prior.trials + ended):
        return None
    center = {**base.model_dump(), **prior.center}
    return space.draw(
        lambda name, entry: _around(center[name], prior.widths.get(name, prior.width), entry, rng.random())
    )


def check_prior(prior: PriorSettings | None, space: Space) -> None:
    """Check that a prior is about params that the space searches.

    Raises:
        ExperimentError: If it names another, or a width is not above 0.
    """
    if prior is None:
        return
    for name in [*prior.center, *prior.widths]:
        if name not in space.searched:
            raise ExperimentError(
                f"`search.prior` must be about searched params, but the space does not search {name}. "
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
                f"`search.prior.center` must hold values of the space, but {name} has {value!r}. "
                "Give one of its values."
            )


def _around(center: Value, width: float, entry: FloatRange | IntRange | Choice, chance: float) -> Value:
    """The value of ``entry`` below which the prior has the probability ``chance`` (0 to 1)."""
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
    """A choice: the centre with a chance of ``1 - width``, and otherwise any of them."""
    if center in entry.choices:
        if chance >= width:
            return center
        chance /= width
    return entry.choices[min(int(chance * len(entry.choices)), len(entry.choices) - 1)]


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

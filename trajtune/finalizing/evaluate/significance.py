"""When a difference is more than chance, and how many people it takes to see one.

A difference is more than chance if its 95 % interval does not hold 0. Several comparisons that one decision
rests on are corrected together (Holm 1979). A difference can be seen if it is more than chance in four tests
of five.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

ONE_SIDED: Final = 0.025
"""Chance of a false alarm on each side of a 95 % interval."""

POWER: Final = 0.8

_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf(1 - ONE_SIDED)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's corrected p-values, in the given order: each is compared with the level of a single test.

    Examples:
        >>> holm({"a": 0.03, "b": 0.01, "c": 0.04})
        {'a': 0.06, 'b': 0.03, 'c': 0.06}
    """
    corrected: dict[str, float] = {}
    running = 0.0
    rising = sorted(p_values, key=lambda name: p_values[name])
    for place, name in enumerate(rising):
        running = max(running, min(1.0, (len(rising) - place) * p_values[name]))
        corrected[name] = running
    return {name: corrected[name] for name in p_values}


def standard_error(interval: Mapping[str, float]) -> float:
    """Of a mean with a 95 % interval: its ``low`` and ``high``."""
    return (interval["high"] - interval["low"]) / (2 * _Z)


def more_than_chance(standard_error: float) -> float:
    """The smallest measured difference that is more than chance, in a single comparison."""
    return _Z * standard_error


def visible(standard_error: float, comparisons: int = 1) -> float:
    """The smallest true difference that is more than chance in four tests of five.

    Args:
        standard_error: Of the measured difference.
        comparisons: Among so many it must be more than chance.
    """
    z = _NORMAL.inv_cdf(1 - ONE_SIDED / comparisons)
    return (z + _NORMAL.inv_cdf(POWER)) * standard_error


def people_needed(people: int, visible_now: float, difference: float) -> int:
    """How many people make a difference visible, where a larger one is visible with those there are.

    Args:
        people: Those there are.
        visible_now: `visible` with them.
        difference: The true difference, above 0.
    """
    return max(people, round(people * (visible_now / difference) ** 2))

"""Significance of differences, and the number of people needed to detect them.

A difference is more than chance if its 95 % interval does not contain 0. If a decision depends on several
comparisons, they are corrected together (Holm 1979). A difference is visible if it is more than chance in
four of five tests (a power of 80 %).
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

ONE_SIDED: Final = 0.025
"""Probability of a false alarm on each side of a 95 % interval."""

POWER: Final = 0.8

_NORMAL: Final = NormalDist()
_Z: Final = _NORMAL.inv_cdf(1 - ONE_SIDED)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return Holm's corrected p-values in the given order, to compare with the level of a single test.

    Examples:
        >>> holm({"a": 0.03, "b": 0.01, "c": 0.04})
        {'a': 0.06, 'b': 0.03, 'c': 0.06}
    """
    corrected: dict[str, float] = {}
    running = 0.0
    rising = sorted(p_values, key=lambda name: p_values[name])
    for position, name in enumerate(rising):
        running = max(running, min(1.0, (len(rising) - position) * p_values[name]))
        corrected[name] = running
    return {name: corrected[name] for name in p_values}


def standard_error(interval: Mapping[str, float]) -> float:
    """Return the standard error of a mean from the ``low`` and ``high`` of its 95 % interval."""
    return (interval["high"] - interval["low"]) / (2 * _Z)


def more_than_chance(standard_error: float) -> float:
    """Return the smallest measured difference that is more than chance in a single comparison."""
    return _Z * standard_error


def visible(standard_error: float, comparisons: int = 1) -> float:
    """Return the smallest true difference that is more than chance in four of five tests.

    Args:
        standard_error: Standard error of the measured difference.
        comparisons: Number of comparisons that are corrected together.
    """
    z = _NORMAL.inv_cdf(1 - ONE_SIDED / comparisons)
    return (z + _NORMAL.inv_cdf(POWER)) * standard_error


def people_needed(people: int, visible_now: float, difference: float) -> int:
    """Return how many people make a difference visible.

    Args:
        people: Present number of people, which is the minimum of the result.
        visible_now: Result of `visible` with the present number of people.
        difference: The true difference, above 0.
    """
    return max(people, round(people * (visible_now / difference) ** 2))

"""Confidence intervals of means and of differences: the paired bootstrap over people (Efron 1979).

Val and test have one example for each person, so resampling examples resamples people.
"""

# P people

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.model.metrics import next_role_scores
from trajtune.model.predictions import Predictions

RESAMPLES: Final = 2000
_AT_ONCE: Final = 2**22
_PERCENTILES: Final = (2.5, 97.5)


def interval(values: NDArray[np.floating], *, seed: int = 0) -> tuple[float, float] | None:
    """95 % percentile interval of the mean over people; None without people.

    Args:
        values: One number for each person ``[P]``; NaN: the person does not count.
        seed: Seed of the resampling; the interval does not depend on the order of people.
    """
    people = np.sort(values[~np.isnan(values)].astype(np.float64))
    num = len(people)
    if num == 0:
        return None
    random = np.random.default_rng(seed)
    distinct, count = np.unique(people, return_counts=True)
    means: list[NDArray[np.float64]] = []
    few = len(distinct) < num // 8
    at_once = max(1, _AT_ONCE // (len(distinct) if few else num))
    for first in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - first)
        if few:  # counts of the drawn values are multinomial: an accuracy has two values, not P
            means.append(random.multinomial(num, count / num, size=size) @ distinct / num)
        else:
            means.append(people[random.integers(0, num, (size, num))].mean(1))
    low, high = np.percentile(np.concatenate(means), _PERCENTILES)
    return float(low), float(high)


def gain(
    model: Predictions, other: Predictions, *, seed: int = 0
) -> Mapping[str, Mapping[str, float] | None]:
    """How much better the model is than another predictor on the same people, with 95 % intervals.

    Returns:
        For ``top1``, ``top5``, ``mrr`` and ``nll``: ``gain``, ``low`` and ``high``; positive is better
        (a lower NLL). None where the metric is undefined for every person.
    """
    scores, other_scores = next_role_scores(model), next_role_scores(other)
    gains: dict[str, Mapping[str, float] | None] = {}
    for name, own in scores.items():
        difference = (other_scores[name] - own) if name == "nll" else (own - other_scores[name])
        bounds = interval(difference, seed=seed)
        gains[name] = (
            None
            if bounds is None
            else {"gain": float(np.nanmean(difference)), "low": bounds[0], "high": bounds[1]}
        )
    return gains

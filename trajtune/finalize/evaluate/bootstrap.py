"""How sure a difference is: the paired bootstrap over people (Efron 1979).

Val and test hold one example a person, so to draw examples is to draw people.
"""

# P people

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.model.predictions import Predictions

RESAMPLES: Final = 2000
_AT_ONCE: Final = 2**22
_PERCENTILES: Final = (2.5, 97.5)


def interval(values: NDArray[np.floating], *, seed: int = 0) -> tuple[float, float] | None:
    """95 % percentile interval of the mean over people; None without people.

    Args:
        values: One number a person ``[P]``; NaN: the person does not count.
        seed: Of the resampling; the interval does not depend on the order of people.
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
        if few:  # how often each value is drawn is multinomial: an accuracy has two values, not P
            means.append(random.multinomial(num, count / num, size=size) @ distinct / num)
        else:
            means.append(people[random.integers(0, num, (size, num))].mean(1))
    low, high = np.percentile(np.concatenate(means), _PERCENTILES)
    return float(low), float(high)


def per_person(predictions: Predictions) -> dict[str, NDArray[np.float64]]:
    """What the next-role metrics are means of, ``[P]`` each; the NLL is NaN where it is undefined."""
    rank = predictions.rank
    known = rank > 0
    return {
        "top1": (rank == 1).astype(np.float64),
        "top5": (known & (rank <= 5)).astype(np.float64),
        "mrr": np.where(known, 1.0 / np.maximum(rank, 1), 0.0),
        "nll": predictions.nll,
    }


def gain(
    model: Predictions, other: Predictions, *, seed: int = 0
) -> Mapping[str, Mapping[str, float] | None]:
    """How much better the model is than another predictor on the same people, with 95 % intervals.

    Returns:
        For top1, top5, mrr and nll: ``gain``, ``low`` and ``high``; positive is better (less, for the
        NLL). None where it is not defined for anybody.
    """
    ours, theirs = per_person(model), per_person(other)
    found: dict[str, Mapping[str, float] | None] = {}
    for name in ours:
        difference = (theirs[name] - ours[name]) if name == "nll" else (ours[name] - theirs[name])
        limits = interval(difference, seed=seed)
        found[name] = (
            None
            if limits is None
            else {"gain": float(np.nanmean(difference)), "low": limits[0], "high": limits[1]}
        )
    return found

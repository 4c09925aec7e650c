"""Confidence intervals of means and differences by the paired bootstrap over people (Efron 1979).

There is one example of a next role per person, so resampling examples resamples people. If a predictor was
trained with several seeds, seeds are resampled too.
"""

# P people, S seeds, D draws, E examples

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.model.metrics import next_role_scores
from trajtune.model.predictions import Predictions

RESAMPLES: Final = 2000
_AT_ONCE: Final = 2**22
_PERCENTILES: Final = (2.5, 97.5)

Gain = Mapping[str, float]
"""A gain: ``gain`` (positive is better), ``low`` and ``high`` of its 95 % interval, and the p-values
``p_better`` and ``p_worse``, the probabilities of a gain or loss of this size if there were none."""


def interval(values: NDArray[np.floating], *, seed: int = 0) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the mean over people, or None without people.

    Args:
        values: One number per person, ``[P]``; people with NaN are ignored.
        seed: Seed of the resampling; the interval does not depend on the order of people.
    """
    people = values[~np.isnan(values)].astype(np.float64)
    return bounds(_means(people, seed)) if len(people) else None


def bounds(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % percentile interval of resampled values ``[D]``."""
    low, high = np.percentile(draws, _PERCENTILES)
    return float(low), float(high)


def gain(model: Predictions, *others: Predictions, seed: int = 0) -> Mapping[str, Gain | None]:
    """Return the model's gain over another predictor on the same people, with 95 % intervals.

    Args:
        model: Predictions of the model, ``[E]``.
        others: Predictions of the other predictor, ``[E]``, one for each seed that it was trained with. The
            gain is the mean over seeds, and seeds are resampled with the people.
        seed: Seed of the resampling.

    Returns:
        A `Gain` for ``top1``, ``top5``, ``mrr`` and ``nll`` (a lower NLL is better); None if the metric is
        undefined for every person.
    """
    scores, other_scores = next_role_scores(model), [next_role_scores(other) for other in others]
    gains: dict[str, Gain | None] = {}
    for name, own in scores.items():
        differences = np.stack([own - other[name] for other in other_scores])
        gains[name] = mean_gain(-differences if name == "nll" else differences, seed=seed)
    return gains


def mean_gain(differences: NDArray[np.float64], *, seed: int = 0) -> Gain | None:
    """Return the mean of differences as a `Gain`, or None without people.

    Args:
        differences: Differences by seed and person, ``[S, P]``; positive is better; people with a NaN are
            ignored.
        seed: Seed of the resampling.
    """
    people = differences[:, ~np.isnan(differences).any(0)]
    if not people.shape[1]:
        return None
    draws = _means(people[0], seed) if len(people) == 1 else _means_over_seeds(people, seed)
    return gain_of(float(people.mean()), draws)


def gain_of(value: float, draws: NDArray[np.float64]) -> Gain:
    """Return a `Gain` from the measured value and its resampled values ``[D]``."""
    low, high = bounds(draws)
    return {
        "gain": value,
        "low": low,
        "high": high,
        "p_better": float((draws <= 0).sum() + 1) / (len(draws) + 1),
        "p_worse": float((draws >= 0).sum() + 1) / (len(draws) + 1),
    }


def ratio_draws(
    numerators: NDArray[np.float64], denominator: NDArray[np.float64], *, seed: int = 0
) -> NDArray[np.float64]:
    """Return resampled ratios of sums over people, ``[K, D]``.

    Args:
        numerators: K numbers per person, ``[K, P]``.
        denominator: One number per person, ``[P]``, for example the person's number of examples.
        seed: Seed of the resampling; the draws do not depend on the order of people.
    """
    columns = np.vstack([numerators, denominator])
    columns = columns[:, np.lexsort(columns)]
    sums = [columns[:, people].sum(2) for people in _draws_of_people(columns.shape[1], seed)]
    drawn = np.concatenate(sums, axis=1)
    return np.asarray(drawn[:-1] / drawn[-1])


def _means(people: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return resampled means ``[D]`` of one number per person ``[P]``."""
    people, num = np.sort(people), len(people)
    distinct, count = np.unique(people, return_counts=True)
    if len(distinct) >= num // 8:
        return np.concatenate([people[drawn].mean(1) for drawn in _draws_of_people(num, seed)])
    # With few distinct values, for example 0 and 1, the counts of drawn values are multinomial.
    random = np.random.default_rng(seed)
    sizes = _sizes(len(distinct))
    return np.concatenate(
        [random.multinomial(num, count / num, size=size) @ distinct / num for size in sizes]
    )


def _means_over_seeds(people: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return resampled means ``[D]`` of ``[S, P]``; seeds and people are drawn independently."""
    people, num_seeds = people[:, np.lexsort(people)], len(people)
    random = np.random.default_rng([seed, 1])
    means = []
    for drawn in _draws_of_people(people.shape[1], seed):
        by_seed = np.stack([one[drawn].mean(1) for one in people])
        weights = random.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=len(drawn))
        means.append((weights.T * by_seed).sum(0) / num_seeds)
    return np.concatenate(means)


def _draws_of_people(num: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of the people of each draw, ``[draws at once, P]``."""
    random = np.random.default_rng(seed)
    for size in _sizes(num):
        yield random.integers(0, num, (size, num))


def _sizes(width: int) -> list[int]:
    """Return the numbers of draws that are made at once, so that memory is bounded."""
    at_once = max(1, _AT_ONCE // width)
    return [min(at_once, RESAMPLES - first) for first in range(0, RESAMPLES, at_once)]

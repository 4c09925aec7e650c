"""Isotonic regression whose blocks are shrunk toward the probabilities before calibration.

A block of plain isotonic regression may have only two people, and then its value may be 0 % or 100 %. Here
each block also counts pseudo-observations, for which the probability before calibration is right. Their
number, the pseudo-count, is chosen by cross-fitting. It is large if the model is already calibrated or there
are few examples, and small if many examples show miscalibration.
"""

# E examples, U distinct probabilities, K knots

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Array = NDArray[np.float64]

PSEUDO_COUNTS: Final = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 1e6)
"""Candidate numbers of pseudo-observations per block; with a million, probabilities hardly change."""

BOUND: Final = 0.95
"""Level of the one-sided Clopper-Pearson bound, the maximum of the calibrated probabilities of a block."""

STEEPEST: Final = 20.0
"""Maximum slope of the curve: a step of 0.1 is at least 0.005 wide.

Two computations of the same softmax differ by about 5e-8. So their calibrated values differ by at most 1e-6.
"""

_FOLDS: Final = 5
_REPEATS: Final = 5
_EDGE: Final = 1e-4


@dataclass(frozen=True)
class Block:
    """Neighbouring examples to which isotonic regression gives the same value.

    Attributes:
        low: Lowest probability before calibration.
        high: Highest probability before calibration.
        num: Number of examples, or the sum of their weights.
        positives: Number of examples whose event occurred, or the sum of their weights.
    """

    low: float
    high: float
    num: float
    positives: float

    @property
    def bound(self) -> float:
        """The upper Clopper-Pearson bound with one more negative example, so that it is below 1."""
        others = max(self.num - self.positives, 0.0) + 1
        return float(betaincinv(self.positives + 1, others, BOUND))

    def value(self, probability: float, pseudo_count: float) -> float:
        """Return the calibrated probability at a probability within the block."""
        shrunk = (self.positives + pseudo_count * probability) / (self.num + pseudo_count)
        return min(max(shrunk, _EDGE), self.bound)

    def joined(self, after: "Block") -> "Block":
        """Return this block merged with the next one."""
        return Block(self.low, after.high, self.num + after.num, self.positives + after.positives)


def isotonic_blocks(probability: Array, came_true: Array, weight: Array | None = None) -> list[Block]:
    """Return the blocks of isotonic regression, ordered by probability.

    Args:
        probability: Probability before calibration, in 0..1, ``[E]``.
        came_true: Whether the predicted event occurred, 1 or 0, ``[E]``.
        weight: Weights of the examples, at least 0, ``[E]``; None: all are 1.
    """
    from sklearn.isotonic import isotonic_regression

    distinct_U, place_E = np.unique(probability, return_inverse=True)
    ones = np.ones(len(probability)) if weight is None else weight
    num_U, positives_U = np.bincount(place_E, ones), np.bincount(place_E, ones * came_true)
    fitted_U = isotonic_regression(positives_U / num_U, sample_weight=num_U)
    first = np.flatnonzero(np.r_[True, fitted_U[1:] > fitted_U[:-1]])
    last = np.r_[first[1:], len(distinct_U)] - 1
    columns = (
        distinct_U[first],
        distinct_U[last],
        np.add.reduceat(num_U, first),
        np.add.reduceat(positives_U, first),
    )
    return [Block(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def shrunk_knots(blocks: list[Block], pseudo_count: float) -> tuple[Array, Array]:
    """Return the knots of the shrunk curve: probabilities before and after calibration, ``[K]`` each.

    Both increase. Within a block the curve is linear, because the pseudo-observations have the probability
    before calibration. Blocks that would decrease are merged. No part is steeper than `STEEPEST`: at a step
    the curve begins to rise, and it reaches the step's height later.
    """
    joined: list[Block] = []
    for block in blocks:
        joined.append(block)
        while len(joined) > 1 and _falls(joined[-2], joined[-1], pseudo_count):
            after = joined.pop()
            joined[-1] = joined[-1].joined(after)
    x, y = [], []
    for block in joined:
        for place in sorted({block.low, block.high}):
            x.append(place)
            y.append(block.value(place, pseudo_count))
    return _least_widths(x, y)


def choose_pseudo_count(probability: Array, came_true: Array, weight: Array | None = None) -> float:
    """Return the value in `PSEUDO_COUNTS` with the lowest cross-fitted Brier score.

    The arguments are those of `isotonic_blocks`.
    """
    num, loss = len(probability), np.zeros(len(PSEUDO_COUNTS))
    ones = np.ones(num) if weight is None else weight
    random = np.random.default_rng(0)
    for _ in range(_REPEATS):
        fold = random.permutation(np.arange(num) % _FOLDS)
        for f in range(_FOLDS):
            seen, held_out = fold != f, fold == f
            blocks = isotonic_blocks(probability[seen], came_true[seen], ones[seen])
            for number, pseudo_count in enumerate(PSEUDO_COUNTS):
                p = np.interp(probability[held_out], *shrunk_knots(blocks, pseudo_count))
                loss[number] += float(ones[held_out] @ (p - came_true[held_out]) ** 2)
    return PSEUDO_COUNTS[int(loss.argmin())]


def _falls(before: Block, after: Block, pseudo_count: float) -> bool:
    return before.value(before.high, pseudo_count) > after.value(after.low, pseudo_count)


def _least_widths(x: list[float], y: list[float]) -> tuple[Array, Array]:
    """Return the largest curve at or below the knots that is nowhere steeper than `STEEPEST`."""
    places, values = [x[0]], [y[0]]
    for left, right, below, above in zip(x, x[1:], y, y[1:], strict=False):
        start = values[-1]
        end = start + STEEPEST * (right - left)
        slope = (above - below) / (right - left)
        if start < below and slope < STEEPEST and end > above:  # it catches up with the curve in between
            caught_up = left + (below - start) / (STEEPEST - slope)
            if left < caught_up < right:
                places.append(caught_up)
                values.append(below + slope * (caught_up - left))
        places.append(right)
        values.append(min(above, end))
    return np.array(places), np.array(values)

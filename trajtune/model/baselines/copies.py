"""The copy distribution: probabilities of returning to an earlier title of the same career."""

# E examples, K distinct earlier titles of all examples, V titles

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples

DECAY: Final = 0.7
"""Weight of an earlier title, relative to the distinct title that was held after it."""


@dataclass(frozen=True)
class Copies:
    """Earlier titles of each example: the distinct known titles of all its roles except the last.

    Attributes:
        offsets: int64 ``[E + 1]``: the titles of example ``e`` are ``[offsets[e], offsets[e + 1])``.
        titles: int64 ``[K]``, never 0, the most recent first.
        probability: float64 ``[K]``: `DECAY` to the power of the title's position, scaled to sum to 1 per
            example.
    """

    offsets: NDArray[np.int64]
    titles: NDArray[np.int64]
    probability: NDArray[np.float64]

    def of(self, target: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of each example's target, ``[E]``; 0 where there is no earlier title."""
        number = np.diff(self.offsets)
        example = np.repeat(np.arange(len(number)), number)
        hit = self.titles == target[example]
        return np.bincount(example[hit], self.probability[hit], minlength=len(number)).astype(np.float64)

    def mix_into(self, probabilities: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        """Give the earlier titles the probability ``share`` in each row ``[E, V]`` that has any.

        The rows are changed in place and returned.
        """
        number = np.diff(self.offsets)
        probabilities[number > 0] *= 1 - share
        example = np.repeat(np.arange(len(number)), number)
        probabilities[example, self.titles] += share * self.probability
        return probabilities


def has_copies(arrays: CareerArrays, examples: Examples) -> NDArray[np.bool_]:
    """Return whether each example has an earlier title to copy, ``[E]``."""
    known = np.concatenate([[0], np.cumsum(arrays.title_ids != 0)])
    return np.asarray(known[examples.target - 1] > known[examples.start])


def copies_of(arrays: CareerArrays, examples: Examples) -> Copies:
    """Return the earlier titles of the examples, in the order of the examples."""
    number = examples.length - 1
    example = np.repeat(np.arange(len(number)), number)
    back = np.arange(len(example)) - np.repeat(np.cumsum(number) - number, number)
    titles = arrays.title_ids[examples.target[example] - 2 - back].astype(np.int64)  # newest first
    example, titles = example[titles != 0], titles[titles != 0]
    most = int(titles.max(initial=0)) + 1
    # The most recent occurrence of each title in an example.
    first = np.sort(np.unique(example * most + titles, return_index=True)[1])
    example, titles = example[first], titles[first]
    distinct = np.bincount(example, minlength=len(number))
    offsets = np.concatenate([[0], np.cumsum(distinct)]).astype(np.int64)
    weight = DECAY ** (np.arange(len(titles)) - offsets[:-1][example]).astype(np.float64)
    total = np.bincount(example, weight, minlength=len(number))
    return Copies(offsets, titles, weight / total[example])

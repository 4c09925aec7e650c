"""Measures the drift of a split's titles from train's, and the drift that chance alone would give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.encode import SplitData
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.titles import UNKNOWN

COMMON_TITLES: Final = 50
"""Number of the most frequent train titles with a bin each in the stability index; the others share one."""

PERMUTATIONS: Final = 99
"""Number of random divisions of the same careers that `chance_index` compares."""

_MOST_PERMUTED: Final = 20_000
"""Maximum number of careers of each split in a division. For larger splits the index is scaled."""


@dataclass(frozen=True)
class Sample:
    """Some careers of a split, for `chance_index`.

    Attributes:
        titles: Title of each role of these careers: its id, or its Unicode key if the title is unknown.
        lengths: Number of roles of each career, int64 ``[N]``.
    """

    titles: list[int | str]
    lengths: NDArray[np.int64]


def sample_of(data: SplitData, first: int, total: int) -> Sample:
    """Return the part of a split's sample in one partition. The sample is evenly spaced over the split.

    Args:
        data: Careers of the split in this partition.
        first: Number of the split's careers in earlier partitions.
        total: Number of the split's careers in all partitions.
    """
    offsets = data.arrays.offsets
    lengths = np.diff(offsets)
    chosen = np.linspace(0, total - 1, min(total, _MOST_PERMUTED)).astype(np.int64) - first
    is_taken = np.zeros(len(lengths), bool)
    is_taken[chosen[(chosen >= 0) & (chosen < len(lengths))]] = True
    at = np.flatnonzero(np.repeat(is_taken, lengths))
    ids = data.arrays.title_ids[at]
    unknown = np.flatnonzero(ids == UNKNOWN)
    titles: list[int | str] = ids.tolist()
    for index, text in zip(
        unknown.tolist(), data.titles.flatten().take(at[unknown]).to_pylist(), strict=True
    ):
        titles[index] = identity(text) or text
    return Sample(titles, lengths[is_taken])


def whole_sample(parts: Sequence[Sample]) -> Sample:
    """Join the parts of a split's sample, in the order of the partitions."""
    titles = [title for part in parts for title in part.titles]
    return Sample(titles, np.concatenate([part.lengths for part in parts]))


def title_bins(title_ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Count unknown titles, each frequent title, and all other titles. Rarer titles have higher ids."""
    return np.bincount(np.minimum(title_ids, COMMON_TITLES + 1), minlength=COMMON_TITLES + 2)


def stability_index(expected: NDArray[np.number[Any]], observed: NDArray[np.number[Any]]) -> float:
    """Return the population stability index: the sum of (q - p) ln(q / p) over bins; 0 is no change.

    Half a count is added to each bin, so that an empty bin does not make the index infinite.

    Args:
        expected: Number of roles in each bin, ``[K]``.
        observed: Number of roles in the same bins, ``[K]``.
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (expected, observed))
    return float(((q - p) * np.log(q / p)).sum())


def chance_index(train: Sample, other: Sample, num_careers: tuple[int, int], min_count: int = 1) -> float:
    """Return the 95th percentile of the stability index of two samples from one population.

    Small samples differ without any drift: each lacks titles that the other has, and some titles are
    frequent in train only by chance. So the careers of both splits are divided at random into two groups of
    the same sizes, `PERMUTATIONS` times. Each time the vocabulary comes from the first group only. Careers
    are divided, not roles, because the roles of one person are similar. The seed is fixed.

    Args:
        train: Sample of the split that the vocabulary comes from.
        other: Sample of val or test.
        num_careers: Number of careers in the two complete splits.
        min_count: Minimum number of occurrences of a title; rarer titles are unknown, as in the vocabulary.
    """
    codes = _codes(train.titles, other.titles)
    lengths = np.concatenate([train.lengths, other.lengths])
    num_first, num_titles = len(train.lengths), int(codes.max()) + 1
    random = np.random.default_rng(0)
    found = []
    for _ in range(PERMUTATIONS):
        in_first = np.zeros(len(lengths), bool)
        in_first[random.permutation(len(lengths))[:num_first]] = True
        is_expected = np.repeat(in_first, lengths)
        expected = np.bincount(codes[is_expected], minlength=num_titles)
        observed = np.bincount(codes[~is_expected], minlength=num_titles)
        found.append(stability_index(*_binned(expected, observed, min_count)))
    # The expected index is proportional to the sum of the inverse sample sizes.
    taken = 1 / num_first + 1 / len(other.lengths)
    wanted = 1 / num_careers[0] + 1 / num_careers[1]
    return float(np.quantile(found, 0.95)) * wanted / taken


def _binned(
    expected: NDArray[np.int64], observed: NDArray[np.int64], min_count: int
) -> tuple[NDArray[np.number[Any]], NDArray[np.number[Any]]]:
    """Count titles in the bins of `title_bins`, for the vocabulary that ``expected`` gives."""
    order = np.argsort(-expected, kind="stable")
    num_known = int((expected >= min_count).sum())
    bin_of = np.arange(len(order))
    bin_of[COMMON_TITLES:] = COMMON_TITLES
    bin_of[num_known:] = COMMON_TITLES + 1
    first, second = (
        np.bincount(bin_of, weights=counts[order], minlength=COMMON_TITLES + 2)
        for counts in (expected, observed)
    )
    return first, second


def _codes(first: list[int | str], second: list[int | str]) -> NDArray[np.int64]:
    """Number the titles from 0. Equal titles get the same number."""
    numbers: dict[int | str, int] = {}
    return np.array([numbers.setdefault(title, len(numbers)) for title in (*first, *second)], np.int64)

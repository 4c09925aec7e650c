"""How far the titles of a split are from train's, and how far chance alone would bring them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.encode import SplitData
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.titles import UNKNOWN

COMMON_TITLES: Final = 50
"""The commonest train titles have a bin each in the stability index; the others share one."""

PERMUTATIONS: Final = 99
"""Random divisions of the same careers that `chance_index` compares."""

_MOST_PERMUTED: Final = 20_000
"""Careers of each split in those divisions; with more, the index is scaled to the real numbers."""


@dataclass(frozen=True)
class Sample:
    """Some careers of a split, for `chance_index`.

    Attributes:
        titles: Of all their roles: an id or, if the title is unknown, its identity.
        lengths: int64 ``[N]``: the number of roles of each career.
    """

    titles: list[int | str]
    lengths: NDArray[np.int64]


def sample_of(data: SplitData, first: int, total: int) -> Sample:
    """The part of a split's sample that is in one partition: evenly spaced careers of the whole split.

    Args:
        data: The careers of the split in this partition.
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
    """The sample of a split from its parts, in the order of the partitions."""
    titles = [title for part in parts for title in part.titles]
    return Sample(titles, np.concatenate([part.lengths for part in parts]))


def title_bins(title_ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Counts of unknown titles, of each common one, and of all others; indices rise as titles get rarer."""
    return np.bincount(np.minimum(title_ids, COMMON_TITLES + 1), minlength=COMMON_TITLES + 2)


def stability_index(expected: NDArray[np.number[Any]], observed: NDArray[np.number[Any]]) -> float:
    """Population stability index: sum of (q - p) ln(q / p) over bins; 0 is no change.

    Args:
        expected: Counts in each bin, ``[K]``.
        observed: Counts in the same bins. Half a count is added to each bin of both, so that an empty
            one does not make the index infinite.
    """
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (expected, observed))
    return float(((q - p) * np.log(q / p)).sum())


def chance_index(train: Sample, other: Sample, num_careers: tuple[int, int], min_count: int = 1) -> float:
    """The stability index that two samples of one population reach by chance: its 95th percentile.

    Small samples differ without any drift: each lacks titles that the other has, and the titles that are
    common in train are so partly by chance. So the careers of both splits are divided at random into two
    groups of the same sizes, `PERMUTATIONS` times, and each time the vocabulary comes from the first group
    alone. Careers are divided and not roles, because the roles of one person are alike. The seed is fixed.

    Args:
        train: Of the split that the vocabulary comes from.
        other: Of val or test.
        num_careers: The number of careers in both whole splits.
        min_count: Rarer titles are unknown, as in the vocabulary.
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
    """Counts of titles in the bins of `title_bins`, with the vocabulary that ``expected`` gives."""
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
    """A number from 0 for each title, the same for equal ones."""
    numbers: dict[int | str, int] = {}
    return np.array([numbers.setdefault(title, len(numbers)) for title in (*first, *second)], np.int64)

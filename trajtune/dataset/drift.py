"""How far the titles of a split are from train's, compared with what chance alone gives at that size."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.encode import SplitData
from trajtune.dataset.titles import UNKNOWN, identity

COMMON_TITLES: Final = 50
"""The commonest train titles have a bin each in the stability index; the others share one."""

DRIFTED: Final = 0.25
"""A population stability index above this is commonly called a major shift (Siddiqi 2006)."""

PERMUTATIONS: Final = 99
"""Random divisions of the same careers that `chance_index` compares."""

_MOST_PERMUTED: Final = 20_000
"""Careers of each split in those divisions; with more, the index is scaled to the real numbers."""


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


def chance_index(train: SplitData, other: SplitData, min_count: int = 1) -> float:
    """The stability index that two samples of one population reach by chance: its 95th percentile.

    Small samples differ without any drift: each lacks titles that the other has, and the titles that are
    common in train are so partly by chance. So the careers of both splits are divided at random into two
    groups of the same sizes, `PERMUTATIONS` times, and each time the vocabulary comes from the first group
    alone. Careers are divided and not roles, because the roles of one person are alike. The seed is fixed.

    Args:
        train: The split that the vocabulary comes from.
        other: Val or test.
        min_count: Rarer titles are unknown, as in the vocabulary.
    """
    (first, first_lengths), (second, second_lengths) = _some_careers(train), _some_careers(other)
    codes = _codes(first, second)
    lengths = np.concatenate([first_lengths, second_lengths])
    num_first, num_titles = len(first_lengths), int(codes.max()) + 1
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
    taken = 1 / num_first + 1 / len(second_lengths)
    wanted = 1 / train.arrays.num_careers + 1 / other.arrays.num_careers
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


def _some_careers(data: SplitData) -> tuple[list[int | str], NDArray[np.int64]]:
    """The titles and lengths of at most `_MOST_PERMUTED` careers, evenly spaced.

    A title is its id or, if it is unknown, its identity.
    """
    offsets = data.arrays.offsets
    lengths = np.diff(offsets)
    is_taken = np.zeros(len(lengths), bool)
    most = min(len(lengths), _MOST_PERMUTED)
    is_taken[np.linspace(0, len(lengths) - 1, most).astype(np.int64)] = True
    at = np.flatnonzero(np.repeat(is_taken, lengths))
    ids = data.arrays.title_ids[at]
    unknown = np.flatnonzero(ids == UNKNOWN)
    titles: list[int | str] = ids.tolist()
    for index, text in zip(
        unknown.tolist(), data.titles.flatten().take(at[unknown]).to_pylist(), strict=True
    ):
        titles[index] = identity(text) or text
    return titles, lengths[is_taken]


def _codes(first: list[int | str], second: list[int | str]) -> NDArray[np.int64]:
    """A number from 0 for each title, the same for equal ones."""
    numbers: dict[int | str, int] = {}
    return np.array([numbers.setdefault(title, len(numbers)) for title in (*first, *second)], np.int64)

"""Counts of what followed the last titles of a career, in flat arrays, and distributions from them.

The distribution is interpolated by Witten and Bell (1991), from a uniform one up to the longest context:
``p(w | c) = (count(c, w) + d(c) p(w | c without its oldest title)) / (n(c) + d(c))``, with ``n`` moves
(a sum of weights) from the context to ``d`` different titles. A context that was never seen keeps the
distribution of the shorter one. A move to a title that the vocabulary lacks is not counted.

Contexts are tuples of symbols: a title, 0 for an unknown title, `START` before the first role. Each order
is a level of a tree: a context is the row of the same context without its oldest symbol, and that symbol.
So a context is one exact int64, for any vocabulary.
"""

# E moves or examples, C contexts of one order, P pairs of a context and a next title, V titles, O orders

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples

START: Final = -1
"""The symbol before a career's first role."""


def contexts_of(arrays: CareerArrays, examples: Examples, order: int) -> NDArray[np.int64]:
    """The last titles before each target, ``[E, order]``, the newest last, `START` before the first."""
    at = examples.target[:, None] + np.arange(-order, 0)
    inside = at >= examples.start[:, None]
    return np.where(inside, arrays.title_ids[np.where(inside, at, 0)], START).astype(np.int64)


@dataclass(frozen=True)
class OrderCounts:
    """What followed each context of one order; row ``c`` is ``[offsets[c], offsets[c + 1])`` of the pairs.

    Attributes:
        keys: int64 ``[C]``, rising: ``parent × (V + 1) + symbol + 1``. ``symbol`` is the context's oldest
            symbol (-1 to V - 1), ``parent`` the row of the others in the order below. Order 0 has the
            key 0 alone, or no row if nothing was counted.
        offsets: int64 ``[C + 1]``.
        next: int64 ``[P]``: a title that followed, rising within a row, never 0.
        weight: float64 ``[P]``: how often, each move counted with its weight.
        total: float64 ``[C]``: the sum of a row's weights.
    """

    keys: NDArray[np.int64]
    offsets: NDArray[np.int64]
    next: NDArray[np.int64]
    weight: NDArray[np.float64]
    total: NDArray[np.float64]

    @property
    def distinct(self) -> NDArray[np.int64]:
        """int64 ``[C]``: how many different titles followed."""
        return np.diff(self.offsets)

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each key; -1 for a context that was not seen."""
        return _find(self.keys, keys)


@dataclass(frozen=True)
class NGramCounts:
    """Counts of contexts of 0 to ``order`` titles.

    Attributes:
        vocab_size: V.
        orders: By order, from 0; plain arrays, from which another form of the distribution can be built.
    """

    vocab_size: int
    orders: tuple[OrderCounts, ...]

    @property
    def order(self) -> int:
        """Titles in the longest context."""
        return len(self.orders) - 1

    def symbols(self, order: int) -> NDArray[np.int64]:
        """The contexts of one order as symbols, ``[C, order]``, the newest last."""
        if order == 0:
            return np.empty((len(self.orders[0].keys), 0), np.int64)
        parent, symbol = np.divmod(self.orders[order].keys, self.vocab_size + 1)
        return np.column_stack([symbol - 1, self.symbols(order - 1)[parent]])

    def rows(self, contexts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The row of each context ``[E, order or more]`` in every order; -1 where it was not seen."""
        rows = [np.full(len(contexts), 0 if len(self.orders[0].keys) else -1, np.int64)]
        for order, counts in enumerate(self.orders[1:], start=1):
            parent = rows[-1]
            keys = parent * (self.vocab_size + 1) + contexts[:, -order] + 1
            rows.append(counts.find(np.where(parent >= 0, keys, -1)))
        return rows

    def states(self, contexts: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number of the longest context seen, ``[E]``: where it is equal, the distribution is."""
        state = np.full(len(contexts), -1, np.int64)
        before = 0
        for counts, row in zip(self.orders, self.rows(contexts), strict=True):
            state = np.where(row >= 0, before + row, state)
            before += len(counts.keys)
        return state

    def shortest(self) -> NDArray[np.float64]:
        """The distribution without a context, ``[V]``."""
        result = np.full(self.vocab_size, 1 / max(self.vocab_size - 1, 1))
        result[0] = 0.0
        counts = self.orders[0]
        if len(counts.keys):
            spread = counts.total + counts.distinct
            result *= counts.distinct / spread
            result[counts.next] += counts.weight / spread
        return result

    def distribution(self, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of the next title ``[E, V]``; rows sum to 1, column 0 is 0."""
        result = np.tile(self.shortest(), (len(contexts), 1))
        for counts, all_rows in list(zip(self.orders, self.rows(contexts), strict=True))[1:]:
            seen = np.flatnonzero(all_rows >= 0)
            row = all_rows[seen]
            distinct = counts.distinct[row]
            spread = counts.total[row] + distinct
            result[seen] *= (distinct / spread)[:, None]
            at = np.repeat(counts.offsets[row] - np.cumsum(distinct) + distinct, distinct)
            at += np.arange(len(at))
            result[np.repeat(seen, distinct), counts.next[at]] += counts.weight[at] / np.repeat(
                spread, distinct
            )
        return result

    def target_probabilities(
        self, contexts: NDArray[np.int64], target: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Probability of each target by contexts of each order, ``[O, E]``, without a distribution over V.

        Args:
            contexts: ``[E, order]``.
            target: int64 ``[E]``; the probability of 0 is 0.
        """
        result = [self.shortest()[target]]
        for counts, row in list(zip(self.orders, self.rows(contexts), strict=True))[1:]:
            probability = result[-1].copy()
            seen = np.flatnonzero(row >= 0)
            distinct = counts.distinct[row[seen]]
            spread = counts.total[row[seen]] + distinct
            probability[seen] *= distinct / spread
            pairs = np.repeat(np.arange(len(counts.keys)), counts.distinct) * self.vocab_size + counts.next
            place = _find(pairs, row[seen] * self.vocab_size + target[seen])
            followed = place >= 0
            probability[seen[followed]] += counts.weight[place[followed]] / spread[followed]
            result.append(probability)
        return np.stack(result)


@dataclass(frozen=True)
class _OrderIndex:
    """`OrderCounts` before the weights are known; ``place`` ``[E]`` is the pair of each move."""

    keys: NDArray[np.int64]
    offsets: NDArray[np.int64]
    next: NDArray[np.int64]
    place: NDArray[np.int64]

    def count(self, weights: NDArray[np.float64] | None) -> OrderCounts:
        weight = np.bincount(self.place, weights, minlength=len(self.next)).astype(np.float64)
        total = np.add.reduceat(weight, self.offsets[:-1]) if len(weight) else weight
        return OrderCounts(self.keys, self.offsets, self.next, weight, total)


@dataclass(frozen=True)
class NGramIndex:
    """The contexts and pairs among some moves, to be counted under several weights.

    Attributes:
        vocab_size: V.
        counted: bool ``[E]``: the moves to a title that the vocabulary holds.
        orders: By order, from 0.
    """

    vocab_size: int
    counted: NDArray[np.bool_]
    orders: Sequence[_OrderIndex]

    def count(self, weights: NDArray[np.float64] | None = None) -> NGramCounts:
        """Count the moves with weights float64 ``[E]``, all positive; None: each counts 1."""
        known = None if weights is None else weights[self.counted]
        return NGramCounts(self.vocab_size, tuple(order.count(known) for order in self.orders))


def index_ngrams(
    contexts: NDArray[np.int64], next_titles: NDArray[np.int64], vocab_size: int
) -> NGramIndex:
    """Find the contexts of 0 to ``order`` titles and what followed them.

    Args:
        contexts: int64 ``[E, order]``, as `contexts_of` gives them.
        next_titles: int64 ``[E]``; moves to 0 are left out.
        vocab_size: V.
    """
    counted = next_titles != 0
    contexts, next_titles = contexts[counted], next_titles[counted]
    row = np.zeros(len(next_titles), np.int64)
    keys = np.zeros(min(1, len(row)), np.int64)
    orders = [_order_index(keys, row, next_titles, vocab_size)]
    for order in range(1, contexts.shape[1] + 1):
        key = row * (vocab_size + 1) + contexts[:, -order] + 1
        keys, row = np.unique(key, return_inverse=True)
        orders.append(_order_index(keys, row, next_titles, vocab_size))
    return NGramIndex(vocab_size, counted, orders)


def _order_index(
    keys: NDArray[np.int64], row: NDArray[np.int64], next_titles: NDArray[np.int64], vocab_size: int
) -> _OrderIndex:
    pairs, place = np.unique(row * vocab_size + next_titles, return_inverse=True)
    offsets = np.searchsorted(pairs, np.arange(len(keys) + 1) * vocab_size)
    return _OrderIndex(keys, offsets.astype(np.int64), pairs % vocab_size, place)


def _find(rising: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each number lies among rising ones; -1 where it does not."""
    if not len(rising):
        return np.full(len(asked), -1, np.int64)
    at = np.minimum(np.searchsorted(rising, asked), len(rising) - 1)
    return np.where(rising[at] == asked, at, -1)

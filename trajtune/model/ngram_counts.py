"""N-gram counts of what followed the last titles of a career, in flat arrays, and distributions from them.

A distribution is interpolated from a uniform one up to the longest context:
``p(w | c) = mass(c, w) + backoff(c) × p(w | c without its oldest title)``. A context that was never seen
has the distribution of the shorter context. The mass and the back-off are computed from weighted counts by
one of two smoothing methods; see `smooth` for the formulas.

Contexts are tuples of symbols: a title, 0 for an unknown title, `START` before the first role. The orders are
the levels of a tree: a context is stored as its oldest symbol and the row of the context without that symbol.
A context is therefore one exact int64 for any vocabulary size.
"""

# E moves or examples, C contexts of one order, P pairs of a context and a next title, V titles

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples

START: Final = -1
"""Symbol before the first role of a career."""


def contexts_of(arrays: CareerArrays, examples: Examples, order: int) -> NDArray[np.int64]:
    """Return the last titles before each target, ``[E, order]``, newest last, padded with `START`."""
    at = examples.target[:, None] + np.arange(-order, 0)
    inside = at >= examples.start[:, None]
    return np.where(inside, arrays.title_ids[np.where(inside, at, 0)], START).astype(np.int64)


@dataclass(frozen=True)
class Contexts:
    """The contexts of one order and the titles that followed.

    The pairs of context ``c`` are ``[offsets[c], offsets[c + 1])``.

    Attributes:
        keys: int64 ``[C]``, ascending: ``parent × (V + 1) + symbol + 1``. ``symbol`` is the context's oldest
            symbol (-1 to V - 1), ``parent`` is the row of the other symbols in the order below. Order 0 has
            only the key 0, or no row if nothing was counted.
        offsets: int64 ``[C + 1]``.
        next: int64 ``[P]``: titles that followed, ascending within a row, never 0.
    """

    keys: NDArray[np.int64]
    offsets: NDArray[np.int64]
    next: NDArray[np.int64]

    @property
    def distinct(self) -> NDArray[np.int64]:
        """Number of different titles that followed, int64 ``[C]``."""
        return np.diff(self.offsets)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum ``[C]`` over each row of values ``[P]``."""
        return np.add.reduceat(values, self.offsets[:-1]) if len(values) else values


@dataclass(frozen=True)
class Level:
    """One order of an n-gram distribution.

    Attributes:
        contexts: C contexts and P pairs.
        mass: float64 ``[P]``: probability that the context gives to each title that followed it.
        backoff: float64 ``[C]``: factor of the shorter context's distribution; the back-off and the masses of
            a row sum to 1.
    """

    contexts: Contexts
    mass: NDArray[np.float64]
    backoff: NDArray[np.float64]


@dataclass(frozen=True)
class NGramDistribution:
    """Probabilities of the next title given the last ``order`` titles.

    Attributes:
        vocab_size: V.
        levels: Levels by order, from 0, as plain arrays.
    """

    vocab_size: int
    levels: tuple[Level, ...]

    @property
    def num_pairs(self) -> int:
        """Number of pairs of a context and a title that followed it, over all orders."""
        return sum(len(level.mass) for level in self.levels)

    def symbols(self, order: int) -> NDArray[np.int64]:
        """Return the contexts of one order as symbols, ``[C, order]``, newest last."""
        keys = self.levels[order].contexts.keys
        if order == 0:
            return np.empty((len(keys), 0), np.int64)
        parent, symbol = np.divmod(keys, self.vocab_size + 1)
        return np.column_stack([symbol - 1, self.symbols(order - 1)[parent]])

    def states(self, contexts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the longest context that was seen, ``[E]``, 0 for none.

        Examples with equal numbers have equal distributions.
        """
        state = np.zeros(len(contexts), np.int64)
        before = 1
        for level, row in zip(self.levels, self._rows(contexts), strict=True):
            state = np.where(row >= 0, before + row, state)
            before += len(level.backoff)
        return state

    def probabilities(self, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probabilities ``[E, V]`` after contexts ``[E, order]``; rows sum to 1, column 0 is 0."""
        result = np.tile(self.unconditional(), (len(contexts), 1))
        for level, row in list(zip(self.levels, self._rows(contexts), strict=True))[1:]:
            seen = np.flatnonzero(row >= 0)
            row = row[seen]
            result[seen] *= level.backoff[row, None]
            distinct = level.contexts.distinct[row]
            pairs = np.repeat(level.contexts.offsets[row] - np.cumsum(distinct) + distinct, distinct)
            pairs += np.arange(len(pairs))
            result[np.repeat(seen, distinct), level.contexts.next[pairs]] += level.mass[pairs]
        return result

    def unconditional(self) -> NDArray[np.float64]:
        """Return the probabilities ``[V]`` of the next title if no context was seen."""
        base = self.levels[0]
        result = uniform(self.vocab_size)
        if len(base.backoff):
            result *= base.backoff
            result[base.contexts.next] += base.mass
        return result

    def _rows(self, contexts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return find_rows([level.contexts for level in self.levels], contexts, self.vocab_size)


def uniform(vocab_size: int) -> NDArray[np.float64]:
    """Return the uniform distribution ``[V]`` of a model without counts; 0 at index 0."""
    result = np.full(vocab_size, 1 / max(vocab_size - 1, 1))
    result[0] = 0.0
    return result


def find_rows(
    orders: Sequence[Contexts], contexts: NDArray[np.int64], vocab_size: int
) -> list[NDArray[np.int64]]:
    """Return the row ``[E]`` of each context in every order from 0; -1 where it was not seen.

    Args:
        orders: Known contexts by order, from 0.
        contexts: Contexts to find, int64 ``[E, longest order or more]``.
        vocab_size: V.
    """
    rows = [np.full(len(contexts), 0 if len(orders[0].keys) else -1, np.int64)]
    for order, known in enumerate(orders[1:], start=1):
        keys = rows[-1] * (vocab_size + 1) + contexts[:, -order] + 1
        rows.append(_find(known.keys, np.where(rows[-1] >= 0, keys, -1)))
    return rows


@dataclass(frozen=True)
class NGramIndex:
    """The contexts and pairs of a set of moves, which can be counted with several weights and smoothings.

    Attributes:
        vocab_size: V.
        counted: bool ``[E]``: moves to a title in the vocabulary; the others are not counted.
        orders: Contexts by order, from 0.
        places: Index of the pair of each counted move, by order.
    """

    vocab_size: int
    counted: NDArray[np.bool_]
    orders: tuple[Contexts, ...]
    places: tuple[NDArray[np.int64], ...]

    def find(
        self, contexts: NDArray[np.int64], target: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the rows of the contexts and of their pairs with the targets ``[E]`` by order; -1: none."""
        found = []
        for order, row in zip(self.orders, find_rows(self.orders, contexts, self.vocab_size), strict=True):
            pairs = np.repeat(np.arange(len(order.keys)), order.distinct) * self.vocab_size + order.next
            found.append((row, _find(pairs, np.where(row >= 0, row * self.vocab_size + target, -1))))
        return found


def index_ngrams(contexts: NDArray[np.int64], next_titles: NDArray[np.int64], vocab_size: int) -> NGramIndex:
    """Return the contexts of 0 to ``order`` titles and the titles that followed them.

    Args:
        contexts: Contexts of the moves, int64 ``[E, order]``, from `contexts_of`.
        next_titles: Next titles, int64 ``[E]``; moves to 0 are left out.
        vocab_size: V.
    """
    counted = next_titles != 0
    contexts, next_titles = contexts[counted], next_titles[counted]
    row = np.zeros(len(next_titles), np.int64)
    keys = np.zeros(min(1, len(row)), np.int64)
    orders, places = [], []
    for order in range(contexts.shape[1] + 1):
        if order:
            keys, row = np.unique(row * (vocab_size + 1) + contexts[:, -order] + 1, return_inverse=True)
        pairs, place = np.unique(row * vocab_size + next_titles, return_inverse=True)
        offsets = np.searchsorted(pairs, np.arange(len(keys) + 1) * vocab_size).astype(np.int64)
        orders.append(Contexts(keys, offsets, pairs % vocab_size))
        places.append(place)
    return NGramIndex(vocab_size, counted, tuple(orders), tuple(places))


@dataclass(frozen=True)
class Smoothed:
    """The levels of every order, in two forms: as the longest context of a distribution and as a shorter one.

    Attributes:
        vocab_size: V.
        longest: Levels by order, from 0, as the longest context.
        shorter: Levels by order, from 0 to the longest order minus one, as a shorter context.
    """

    vocab_size: int
    longest: Sequence[Level]
    shorter: Sequence[Level]

    def distribution(self, order: int) -> NGramDistribution:
        """Return the distribution with contexts of up to ``order`` titles."""
        return NGramDistribution(self.vocab_size, (*self.shorter[:order], self.longest[order]))

    def target_probabilities(
        self, found: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    ) -> list[NDArray[np.float64]]:
        """Return the probability of each target, ``[E]``, for each order of the longest context.

        No distribution over V titles is computed.

        Args:
            found: Result of `NGramIndex.find` for targets in the vocabulary.
        """
        below = np.full(len(found[0][0]), uniform(self.vocab_size)[-1])
        result = []
        for order, (row, pair) in enumerate(found):
            result.append(_interpolated(self.longest[order], below, row, pair))
            if order < len(self.shorter):
                below = _interpolated(self.shorter[order], below, row, pair)
        return result


def smooth(
    index: NGramIndex, weights: NDArray[np.float64] | None = None, discount: float | None = None
) -> Smoothed:
    """Return the smoothed counts of the moves.

    Let ``n`` be the sum of a context's weights and ``d`` the number of different titles that followed it.
    Witten and Bell (1991) use ``mass = count / (n + d)`` and ``backoff = d / (n + d)``.

    Kneser and Ney (1995) subtract a discount ``D`` from each count: ``mass = (count - D) / n`` and
    ``backoff = D d / n``. In a shorter context they count the different longer contexts in which the title
    followed, instead of moves. With weights, a count below 1 is reduced by the share ``D`` of itself, and
    contributes its value instead of 1 to ``d`` and to the shorter context.

    Args:
        index: Moves to count.
        weights: Weights of the moves, float64 ``[E]``, positive; None: each move counts 1.
        discount: Discount ``D``, between 0 and 1; None: Witten-Bell smoothing.
    """
    if weights is not None:
        weights = weights[index.counted]
    counts = [
        np.bincount(place, weights, minlength=len(order.next)).astype(np.float64)
        for order, place in zip(index.orders, index.places, strict=True)
    ]
    if discount is None:
        levels = [_witten_bell(*entry) for entry in zip(index.orders, counts, strict=True)]
        return Smoothed(index.vocab_size, levels, levels[:-1])
    longest = [_discounted(order, count, discount) for order, count in zip(index.orders, counts, strict=True)]
    shorter = []
    for order in range(len(counts) - 1):
        longer = np.empty(len(counts[order + 1]), np.int64)
        longer[index.places[order + 1]] = index.places[order]
        number = np.bincount(longer, np.minimum(counts[order + 1], 1), minlength=len(counts[order]))
        shorter.append(_discounted(index.orders[order], number.astype(np.float64), discount))
    return Smoothed(index.vocab_size, longest, shorter)


def _witten_bell(contexts: Contexts, count: NDArray[np.float64]) -> Level:
    distinct = contexts.distinct
    spread = contexts.sums(count) + distinct
    return Level(contexts, count / np.repeat(spread, distinct), distinct / spread)


def _discounted(contexts: Contexts, count: NDArray[np.float64], discount: float) -> Level:
    total, lost = contexts.sums(count), discount * np.minimum(count, 1)
    mass = (count - lost) / np.repeat(total, contexts.distinct)
    return Level(contexts, mass, contexts.sums(lost) / total)


def _interpolated(
    level: Level, below: NDArray[np.float64], row: NDArray[np.int64], pair: NDArray[np.int64]
) -> NDArray[np.float64]:
    result = below.copy()
    result[row >= 0] *= level.backoff[row[row >= 0]]
    result[pair >= 0] += level.mass[pair[pair >= 0]]
    return result


def _find(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of each value in the ascending array; -1 where it is missing."""
    if not len(ascending):
        return np.full(len(values), -1, np.int64)
    at = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return np.where(ascending[at] == values, at, -1)

"""What followed the last titles of a career, counted in flat arrays, and n-gram distributions from it.

A distribution is interpolated from a uniform one up to the longest context:
``p(w | c) = mass(c, w) + backoff(c) × p(w | c without its oldest title)``. A context that was never seen
keeps the distribution of the shorter one. Two smoothings give the mass and the back-off from the counts,
in which each move has a weight; `smooth` has the formulas.

Contexts are tuples of symbols: a title, 0 for an unknown title, `START` before the first role. Each order
is a level of a tree: a context is the row of the same context without its oldest symbol, and that symbol.
So a context is one exact int64, whatever the size of the vocabulary.
"""

# E moves or examples, C contexts of one order, P pairs of a context and a next title, V titles

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
class Contexts:
    """The contexts of one order and the titles that followed; row ``c`` is ``[offsets[c], offsets[c + 1])``.

    Attributes:
        keys: int64 ``[C]``, rising: ``parent × (V + 1) + symbol + 1``. ``symbol`` is the context's oldest
            symbol (-1 to V - 1), ``parent`` the row of the others in the order below. Order 0 has the
            key 0 alone, or no row if nothing was counted.
        offsets: int64 ``[C + 1]``.
        next: int64 ``[P]``: a title that followed, rising within a row, never 0.
    """

    keys: NDArray[np.int64]
    offsets: NDArray[np.int64]
    next: NDArray[np.int64]

    @property
    def distinct(self) -> NDArray[np.int64]:
        """int64 ``[C]``: how many different titles followed."""
        return np.diff(self.offsets)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum ``[C]`` over each row of values ``[P]``."""
        return np.add.reduceat(values, self.offsets[:-1]) if len(values) else values


@dataclass(frozen=True)
class Level:
    """One order of an n-gram distribution.

    Attributes:
        contexts: C contexts and P pairs.
        mass: float64 ``[P]``: probability that the context itself gives to each title that followed it.
        backoff: float64 ``[C]``: the factor of the shorter context's distribution; it and the masses of
            the row sum to 1.
    """

    contexts: Contexts
    mass: NDArray[np.float64]
    backoff: NDArray[np.float64]


@dataclass(frozen=True)
class NGramDistribution:
    """Probabilities of the next title given the last ``order`` titles.

    Attributes:
        vocab_size: V.
        levels: By order, from 0; plain arrays, from which another form of the distribution can be built.
    """

    vocab_size: int
    levels: tuple[Level, ...]

    @property
    def num_pairs(self) -> int:
        """Pairs of a context and a title that followed it, of every order."""
        return sum(len(level.mass) for level in self.levels)

    def symbols(self, order: int) -> NDArray[np.int64]:
        """The contexts of one order as symbols, ``[C, order]``, the newest last."""
        keys = self.levels[order].contexts.keys
        if order == 0:
            return np.empty((len(keys), 0), np.int64)
        parent, symbol = np.divmod(keys, self.vocab_size + 1)
        return np.column_stack([symbol - 1, self.symbols(order - 1)[parent]])

    def states(self, contexts: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number ``[E]`` of the longest context that was seen, 0 for none; it decides the distribution."""
        state = np.zeros(len(contexts), np.int64)
        before = 1
        for level, row in zip(self.levels, self._rows(contexts), strict=True):
            state = np.where(row >= 0, before + row, state)
            before += len(level.backoff)
        return state

    def probabilities(self, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities ``[E, V]`` after contexts ``[E, order]``; rows sum to 1, column 0 is 0."""
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
        """Probabilities ``[V]`` of the next title where no context was seen."""
        base = self.levels[0]
        result = uniform(self.vocab_size)
        if len(base.backoff):
            result *= base.backoff
            result[base.contexts.next] += base.mass
        return result

    def _rows(self, contexts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return find_rows([level.contexts for level in self.levels], contexts, self.vocab_size)


def uniform(vocab_size: int) -> NDArray[np.float64]:
    """The distribution ``[V]`` that a model without any count has; 0 at index 0."""
    result = np.full(vocab_size, 1 / max(vocab_size - 1, 1))
    result[0] = 0.0
    return result


def find_rows(
    orders: Sequence[Contexts], contexts: NDArray[np.int64], vocab_size: int
) -> list[NDArray[np.int64]]:
    """The row ``[E]`` of each context in every order from 0; -1 where it was not seen.

    Args:
        orders: By order, from 0.
        contexts: int64 ``[E, longest order or more]``.
        vocab_size: V.
    """
    rows = [np.full(len(contexts), 0 if len(orders[0].keys) else -1, np.int64)]
    for order, known in enumerate(orders[1:], start=1):
        keys = rows[-1] * (vocab_size + 1) + contexts[:, -order] + 1
        rows.append(_find(known.keys, np.where(rows[-1] >= 0, keys, -1)))
    return rows


@dataclass(frozen=True)
class NGramIndex:
    """The contexts and pairs among some moves, to be counted with several weights and smoothings.

    Attributes:
        vocab_size: V.
        counted: bool ``[E]``: the moves to a title that the vocabulary holds; the others are not counted.
        orders: By order, from 0.
        places: By order, the pair of each counted move.
    """

    vocab_size: int
    counted: NDArray[np.bool_]
    orders: tuple[Contexts, ...]
    places: tuple[NDArray[np.int64], ...]

    def find(
        self, contexts: NDArray[np.int64], target: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """The row of each context and the pair of it and its target, ``[E]`` each, by order; -1 for none."""
        found = []
        for order, row in zip(self.orders, find_rows(self.orders, contexts, self.vocab_size), strict=True):
            pairs = np.repeat(np.arange(len(order.keys)), order.distinct) * self.vocab_size + order.next
            found.append((row, _find(pairs, np.where(row >= 0, row * self.vocab_size + target, -1))))
        return found


def index_ngrams(contexts: NDArray[np.int64], next_titles: NDArray[np.int64], vocab_size: int) -> NGramIndex:
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
    """The levels of every order, as the longest context of a distribution and as a shorter one.

    Attributes:
        vocab_size: V.
        longest: By order, from 0.
        shorter: By order, from 0, up to one less than the longest.
    """

    vocab_size: int
    longest: Sequence[Level]
    shorter: Sequence[Level]

    def distribution(self, order: int) -> NGramDistribution:
        """The distribution with contexts of up to ``order`` titles."""
        return NGramDistribution(self.vocab_size, (*self.shorter[:order], self.longest[order]))

    def target_probabilities(
        self, found: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    ) -> list[NDArray[np.float64]]:
        """Probability of each target ``[E]`` by order of the longest context, without a distribution over V.

        Args:
            found: What `NGramIndex.find` gives for targets that the vocabulary holds.
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
    """Count the moves and smooth the counts.

    With ``n`` the sum of a context's weights and ``d`` the number of different titles that followed it,
    Witten and Bell (1991) give ``mass = count / (n + d)`` and ``backoff = d / (n + d)``.

    Kneser and Ney (1995) subtract a discount ``D`` from each count: ``mass = (count - D) / n`` and
    ``backoff = D d / n``; and a shorter context does not count moves but the different longer contexts in
    which the title followed. With weights, a count below 1 loses the share ``D`` of itself, and counts as
    itself, not as 1, in ``d`` and in the shorter context.

    Args:
        index: The moves.
        weights: float64 ``[E]``, positive; None: each move counts 1.
        discount: ``D``, between 0 and 1; None: Witten-Bell.
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


def _find(rising: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each number lies among rising ones; -1 where it does not."""
    if not len(rising):
        return np.full(len(asked), -1, np.int64)
    at = np.minimum(np.searchsorted(rising, asked), len(rising) - 1)
    return np.where(rising[at] == asked, at, -1)

"""The n-gram peer: back-off counts of up to three titles, weighted by age and mixed with copies.

It is written with dictionaries and numpy, independently of the product's counts, so that each can check the
other.
"""

# E examples, V titles

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of

Matrix = NDArray[np.float64]
Which = Literal["last", "every_transition"]

WHICH: Final[tuple[Which, ...]] = ("every_transition", "last")
ORDERS: Final = (1, 2, 3)
HALF_LIVES: Final = (None, 20.0, 5.0)
"""Ages in years at which a move counts half; None: all moves count the same."""
SMOOTHINGS: Final = (0.3, 1.0, 3.0)
"""Factors of the Witten-Bell estimate of the unseen mass."""
COPY_SHARES: Final = (0.0, 0.05, 0.15, 0.3, 0.5)
COPY_DECAY: Final = 0.7
"""Weight of each earlier title, relative to the one after it."""
START: Final = -1
MIN_PROBABILITY: Final = 1e-12


@dataclass(frozen=True)
class Moves:
    """Examples of careers, the input of a peer.

    Attributes:
        arrays: Careers.
        examples: Examples in these careers ``[E]``.
        vocab_size: V.
    """

    arrays: CareerArrays
    examples: Examples
    vocab_size: int

    @property
    def target(self) -> NDArray[np.int64]:
        """Next titles ``[E]``; 0 is unknown."""
        return self.arrays.title_ids[self.examples.target].astype(np.int64)

    def title(self, back: int) -> NDArray[np.int64]:
        """Return the title ``back`` roles before the next one ``[E]``; `START` before the first role."""
        inside = back <= self.examples.length
        at = np.where(inside, self.examples.target - back, 0)
        return np.where(inside, self.arrays.title_ids[at], START).astype(np.int64)

    def known(self) -> "Moves":
        """Return the examples whose next title is in the vocabulary."""
        return self.take(np.flatnonzero(self.target))

    def take(self, chosen: NDArray[np.int64]) -> "Moves":
        """Return the given examples."""
        examples = Examples(self.examples.start[chosen], self.examples.length[chosen])
        return replace(self, examples=examples)

    def weights(self, half_life: float | None) -> NDArray[np.float64]:
        """Return the weights by age ``[E]``; the newest move has weight 1."""
        if half_life is None:
            return np.ones(len(self.examples))
        days = self.arrays.start_days[self.examples.target]
        return np.asarray(0.5 ** ((days.max() - days) / 365.25 / half_life))


@dataclass(frozen=True)
class Fold:
    """Careers to fit peers on, and examples to predict."""

    train: CareerArrays
    predicted: Moves

    def moves(self, which: Which) -> Moves:
        """Return the train examples whose next title is known."""
        return Moves(self.train, examples_of(self.train, which), self.predicted.vocab_size).known()


@dataclass(frozen=True)
class Ngram:
    """Settings of the n-gram with copies."""

    which: Which
    half_life: float | None
    order: int
    smoothing: float
    copy_share: float

    def predict(self, fold: Fold) -> Matrix:
        """Return the probabilities for the examples of the fold, ``[E, V]``."""
        counts = count(fold.moves(self.which), self.half_life)
        *_, distribution = backed_off(counts, fold.predicted, self.smoothing, self.order)
        return mixed_with_copy(distribution, copies(fold.predicted), self.copy_share)


def tuned_ngram(fold: Fold) -> tuple[Ngram, float]:
    """Return the settings with the lowest NLL on the examples of the fold, and that NLL."""
    moves = fold.predicted.known()
    rows, target, copied = np.arange(len(moves.examples)), moves.target, copies(moves)
    of_copy, earlier = copied[rows, target], copied.any(1)
    best: tuple[float, Ngram] | None = None
    for which, half_life in product(WHICH, HALF_LIVES):
        counts = count(fold.moves(which), half_life)
        for smoothing in SMOOTHINGS:
            for order, distribution in enumerate(backed_off(counts, moves, smoothing, ORDERS[-1])):
                of_counts = distribution[rows, target]
                for share in COPY_SHARES if order else ():
                    mixed = np.where(earlier, (1 - share) * of_counts + share * of_copy, of_counts)
                    nll = mean_nll(mixed)
                    if best is None or nll < best[0]:
                        best = nll, Ngram(which, half_life, order, smoothing, share)
    assert best is not None
    return best[1], best[0]


Counts = list[dict[tuple[int, ...], Counter[int]]]


def count(moves: Moves, half_life: float | None) -> Counts:
    """Return weighted counts of the next titles after each context of zero to three titles."""
    counts: Counts = [defaultdict(Counter) for _ in range(ORDERS[-1] + 1)]
    weights = moves.weights(half_life).tolist()
    for context, target, weight in zip(contexts(moves), moves.target.tolist(), weights, strict=True):
        for order, after in enumerate(counts):
            after[context[len(context) - order :]][target] += weight
    return counts


def contexts(moves: Moves) -> list[tuple[int, ...]]:
    """Return the last titles before each next title, newest last."""
    back = np.column_stack([moves.title(order) for order in reversed(ORDERS)])
    return [tuple(row) for row in back.tolist()]


def backed_off(counts: Counts, moves: Moves, smoothing: float, most: int) -> Iterator[Matrix]:
    """Yield the distributions of orders 0 to ``most``, ``[E, V]`` each: Witten-Bell back-off from uniform."""
    distinct = {context: row for row, context in enumerate(dict.fromkeys(contexts(moves)))}
    row_of = np.array([distinct[context] for context in contexts(moves)], np.int64)
    result = np.full((len(distinct), moves.vocab_size), 1 / (moves.vocab_size - 1))
    result[:, 0] = 0
    for order in range(most + 1):
        for context, row in distinct.items():
            if after := counts[order].get(context[len(context) - order :]):
                total = sum(after.values())
                unseen = smoothing * len(after)
                result[row] *= unseen / (total + unseen)
                result[row, list(after)] += np.array(list(after.values())) / (total + unseen)
        yield result[row_of]


def copies(moves: Moves) -> Matrix:
    """Return the copy probabilities of the titles before the last one, ``[E, V]``; newer titles have more."""
    result = np.zeros((len(moves.examples), moves.vocab_size))
    ids = moves.arrays.title_ids.tolist()
    for row, (start, length) in enumerate(zip(moves.examples.start, moves.examples.length, strict=True)):
        earlier = dict.fromkeys(title for title in reversed(ids[start : start + length - 1]) if title)
        if earlier:
            weights = COPY_DECAY ** np.arange(len(earlier))
            result[row, list(earlier)] = weights / weights.sum()
    return result


def mixed_with_copy(distribution: Matrix, copied: Matrix, share: float) -> Matrix:
    """Return the mixture, ``[E, V]``; without earlier titles, only the distribution."""
    shares = share * copied.any(1, keepdims=True)
    return np.asarray((1 - shares) * distribution + shares * copied)


def mean_nll(probabilities: Matrix) -> float:
    """Return the mean log-loss of the targets' probabilities, in nats."""
    return float(-np.log(np.maximum(probabilities, MIN_PROBABILITY)).mean())

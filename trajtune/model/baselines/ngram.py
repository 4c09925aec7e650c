"""The strongest baseline that only counts: n-grams with back-off, mixed with a copy of earlier titles.

What it counts is chosen on val, once; a fit on other careers takes the same choice.
"""

# E examples or moves, V titles

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of
from trajtune.model.baselines.blocks import score_in_blocks
from trajtune.model.baselines.copies import DECAY, copies_of, has_copies
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.baselines.outcomes import Outcomes, outcomes_by_last_title
from trajtune.model.network.ngram_module import ngram_state
from trajtune.model.ngram_counts import (
    NGramDistribution,
    NGramIndex,
    contexts_of,
    index_ngrams,
    smooth,
)
from trajtune.model.predict import predictions
from trajtune.model.predictions import Predictions

ORDERS: Final = (1, 2, 3)
MOVES: Final[tuple[Literal["all", "last"], ...]] = ("all", "last")
HALF_LIVES: Final = (None, 20.0, 5.0)
DISCOUNTS: Final = (None, 0.5, 0.75)
COPY_SHARES: Final = (0.0, 0.05, 0.15, 0.3, 0.5)
MOST_VAL: Final = 20_000
"""Val careers that the choice reads: the first ones, in the order of the snapshot."""

MOST_PAIRS: Final = 2**21
"""Pairs of a context and a next title in an exported graph: 25 MB."""

_DAYS_A_YEAR: Final = 365.25
_SAME_NLL: Final = 9
"""Decimals of a log-loss; choices that agree to so many are equally good, and the simplest wins."""


@dataclass(frozen=True)
class NGram:
    """An n-gram baseline, fitted.

    ``p = (1 - copy_share) n-gram + copy_share copy`` where the career has an earlier title to copy, else
    the n-gram alone.

    Attributes:
        vocab_size: V.
        choice: What was counted and how it is mixed.
        titles: The n-gram, with contexts of up to ``choice.order`` titles.
        outcomes: Tenure and hireability by last title.
        name: As in reports.
    """

    vocab_size: int
    choice: NGramChoice
    titles: NGramDistribution
    outcomes: Outcomes
    name: str = "ngram"

    def distribution(self, arrays: CareerArrays, examples: Examples) -> NDArray[np.float64]:
        """Probabilities of the next title ``[E, V]``; rows sum to 1, column 0 is 0."""
        result = self.titles.probabilities(contexts_of(arrays, examples, self.choice.order))
        if not self.choice.copy_share:
            return result
        return copies_of(arrays, examples).mix_into(result, self.choice.copy_share)

    def predict(self, arrays: CareerArrays, examples: Examples) -> Predictions:
        """Predict examples; tenure and hireability are NaN where train knew of none.

        Examples without a copy whose distribution, current title and target are the same are computed once.
        """
        ids = arrays.title_ids.astype(np.int64)
        target, current = ids[examples.target], ids[examples.target - 1]
        state = self.titles.states(contexts_of(arrays, examples, self.choice.order))
        asked = (state * self.vocab_size + target) * self.vocab_size + current
        if self.choice.copy_share:
            alone = has_copies(arrays, examples)
            asked[alone] = -1 - np.flatnonzero(alone)
        _, first, which = np.unique(asked, return_index=True, return_inverse=True)

        def distribution(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            chosen = first[rows]
            return self.distribution(arrays, Examples(examples.start[chosen], examples.length[chosen]))

        scored = score_in_blocks(distribution, target[first], current[first], self.vocab_size)
        return predictions(
            arrays,
            examples,
            scored.take(which),
            self.outcomes.tenure[current],
            self.outcomes.hireability[current],
        )


def ngram(train: CareerArrays, vocab_size: int, choice: NGramChoice) -> NGram:
    """Count the moves of the careers as ``choice`` says."""
    moves = _moves(train, choice.moves)
    index = _index(train, moves, vocab_size, choice.order)
    titles = smooth(index, _weights(train, moves, choice.half_life_years), choice.discount)
    outcomes = outcomes_by_last_title(train, vocab_size)
    return NGram(vocab_size, choice, titles.distribution(choice.order), outcomes)


def exportable(train: CareerArrays, vocab_size: int, choice: NGramChoice) -> dict[str, Any]:
    """`ngram` as the state of a `NGramModule`, with the longest contexts that fit into an exported graph."""
    fitted = ngram(train, vocab_size, choice)
    if choice.order > 1 and fitted.titles.num_pairs > MOST_PAIRS:
        return exportable(train, vocab_size, replace(choice, order=choice.order - 1))
    return ngram_state(fitted.titles, choice.copy_share, DECAY)


def choose_ngram(train: CareerArrays, val: CareerArrays, vocab_size: int) -> NGramChoice:
    """The choice with the least log-loss on the last moves of val, counted on train.

    Of val the first `MOST_VAL` careers are read. Of equal choices the simplest wins: the lower order, then
    all moves, the longer half-life, Witten-Bell, fewer copies.
    """
    examples = examples_of(val, "last")
    examples = Examples(examples.start[:MOST_VAL], examples.length[:MOST_VAL])
    known = val.title_ids[examples.target] != 0
    examples = Examples(examples.start[known], examples.length[known])
    if not len(examples):
        return NGramChoice(ORDERS[0], MOVES[0], HALF_LIVES[0], DISCOUNTS[0], COPY_SHARES[0])
    measured = sorted(_measured(train, val, examples, vocab_size), key=lambda entry: entry[:2])
    return measured[0][2]


def _measured(
    train: CareerArrays, val: CareerArrays, examples: Examples, vocab_size: int
) -> Iterator[tuple[float, tuple[int, ...], NGramChoice]]:
    """Log-loss, simplicity and each choice; the probability of the targets is all that is computed."""
    target = val.title_ids[examples.target].astype(np.int64)
    contexts = contexts_of(val, examples, max(ORDERS))
    copied = copies_of(val, examples).of(target)
    may_copy = has_copies(val, examples)
    for m, which in enumerate(MOVES):
        moves = _moves(train, which)
        index = _index(train, moves, vocab_size, max(ORDERS))
        found = index.find(contexts, target)
        for (h, half_life), (d, discount) in product(enumerate(HALF_LIVES), enumerate(DISCOUNTS)):
            smoothed = smooth(index, _weights(train, moves, half_life), discount)
            by_order = smoothed.target_probabilities(found)
            for order, (c, share) in product(ORDERS, enumerate(COPY_SHARES)):
                alone = by_order[order]
                mixed = np.where(may_copy, (1 - share) * alone + share * copied, alone)
                nll = round(float(-np.log(mixed).mean()), _SAME_NLL)
                yield nll, (order, m, h, d, c), NGramChoice(order, which, half_life, discount, share)


def _moves(train: CareerArrays, which: Literal["all", "last"]) -> Examples:
    return examples_of(train, "every_transition" if which == "all" else "last")


def _index(train: CareerArrays, moves: Examples, vocab_size: int, order: int) -> NGramIndex:
    next_titles = train.title_ids[moves.target].astype(np.int64)
    return index_ngrams(contexts_of(train, moves, order), next_titles, vocab_size)


def _weights(
    train: CareerArrays, moves: Examples, half_life_years: float | None
) -> NDArray[np.float64] | None:
    """``0.5 ** (age / half-life)``, with the age of a move from the newest one; None: each counts 1."""
    if half_life_years is None or not len(moves):
        return None
    start = train.start_days[moves.target].astype(np.float64)
    weight = 0.5 ** ((start.max() - start) / _DAYS_A_YEAR / half_life_years)
    return np.asarray(np.maximum(weight, np.finfo(np.float64).tiny), np.float64)

"""The n-gram baseline: n-gram counts with back-off, mixed with copies of earlier titles.

It is the strongest baseline that only counts. Its options are chosen once, on val; a fit on other careers
uses the same options.
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
MAX_VAL_CAREERS: Final = 20_000
"""Most val careers that the choice reads: the first ones, in the order of the snapshot."""

MAX_PAIRS: Final = 2**21
"""Most pairs of a context and a next title in an exported graph: 25 MB."""

_DAYS_A_YEAR: Final = 365.25
_SAME_NLL: Final = 9
"""Decimals to which log-losses are compared; among choices with equal log-losses the simplest wins."""


@dataclass(frozen=True)
class NGram:
    """A fitted n-gram baseline.

    ``p = (1 - copy_share) n-gram + copy_share copy`` where the career has an earlier title to copy. Without
    one it is the n-gram alone.

    Attributes:
        vocab_size: V.
        choice: Options: which moves are counted, and how the parts are mixed.
        titles: The n-gram, with contexts of up to ``choice.order`` titles.
        outcomes: Tenure and hireability by last title.
        name: Name in reports.
    """

    vocab_size: int
    choice: NGramChoice
    titles: NGramDistribution
    outcomes: Outcomes
    name: str = "ngram"

    def distribution(self, arrays: CareerArrays, examples: Examples) -> NDArray[np.float64]:
        """Return the probabilities of the next title ``[E, V]``; rows sum to 1, column 0 is 0."""
        result = self.titles.probabilities(contexts_of(arrays, examples, self.choice.order))
        if not self.choice.copy_share:
            return result
        return copies_of(arrays, examples).mix_into(result, self.choice.copy_share)

    def predict(self, arrays: CareerArrays, examples: Examples) -> Predictions:
        """Predict examples; tenure and hireability are NaN where train has no known value.

        Examples that have nothing to copy and share distribution, current title and target are computed once.
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
    """Return the n-gram baseline with the options ``choice``, fitted on the train careers."""
    moves = _moves(train, choice.moves)
    index = _index(train, moves, vocab_size, choice.order)
    titles = smooth(index, _weights(train, moves, choice.half_life_years), choice.discount)
    outcomes = outcomes_by_last_title(train, vocab_size)
    return NGram(vocab_size, choice, titles.distribution(choice.order), outcomes)


def exportable(train: CareerArrays, vocab_size: int, choice: NGramChoice) -> dict[str, Any]:
    """Return `ngram` as the state of an `NGramModule`; contexts are shortened to fit into a graph."""
    fitted = ngram(train, vocab_size, choice)
    if choice.order > 1 and fitted.titles.num_pairs > MAX_PAIRS:
        return exportable(train, vocab_size, replace(choice, order=choice.order - 1))
    return ngram_state(fitted.titles, choice.copy_share, DECAY)


def choose_ngram(train: CareerArrays, val: CareerArrays, vocab_size: int) -> NGramChoice:
    """Return the options with the lowest log-loss on the last moves of val, fitted on train.

    Only the first `MAX_VAL_CAREERS` val careers are read. Among equally good options the simplest win: the
    lower order, then all moves, the longer half-life, Witten-Bell, fewer copies.
    """
    examples = examples_of(val, "last")
    examples = Examples(examples.start[:MAX_VAL_CAREERS], examples.length[:MAX_VAL_CAREERS])
    known = val.title_ids[examples.target] != 0
    examples = Examples(examples.start[known], examples.length[known])
    if not len(examples):
        return NGramChoice(ORDERS[0], MOVES[0], HALF_LIVES[0], DISCOUNTS[0], COPY_SHARES[0])
    measured = sorted(_measured(train, val, examples, vocab_size), key=lambda entry: entry[:2])
    return measured[0][2]


def _measured(
    train: CareerArrays, val: CareerArrays, examples: Examples, vocab_size: int
) -> Iterator[tuple[float, tuple[int, ...], NGramChoice]]:
    """Yield log-loss, rank in simplicity and options for each choice, without distributions over V titles."""
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
    """Return ``0.5 ** (age / half-life)``, with the age relative to the newest move; None: all weigh 1."""
    if half_life_years is None or not len(moves):
        return None
    start = train.start_days[moves.target].astype(np.float64)
    weight = 0.5 ** ((start.max() - start) / _DAYS_A_YEAR / half_life_years)
    return np.asarray(np.maximum(weight, np.finfo(np.float64).tiny), np.float64)

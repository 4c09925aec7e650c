"""Baselines that predict the next title, its tenure and hireability by counting moves of train careers."""

# E examples, C contexts (distinct), V titles

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.model.baselines.blocks import score_in_blocks
from trajtune.model.baselines.ngram import ngram
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.baselines.outcomes import Outcomes, outcomes_by_last_title, overall_outcomes
from trajtune.model.ngram_counts import contexts_of
from trajtune.model.predict import predictions
from trajtune.model.predictions import Predictions
from trajtune.model.transition_counts import successors, transitions_of, unigram

CURRENT_TITLE_SHARE = 0.9
"""Probability that the current-title baseline gives to the current title."""


class Predictor(Protocol):
    """A fitted baseline."""

    @property
    def name(self) -> str:
        """Name of the baseline in reports."""

    def predict(self, arrays: CareerArrays, examples: Examples) -> Predictions:
        """Predict examples, in their order."""


@dataclass(frozen=True)
class Baseline:
    """A baseline whose predictions depend only on the last titles of a career.

    Attributes:
        name: Name in reports.
        order: Number of last titles that the distribution depends on.
        vocab_size: V.
        distribution: Maps contexts, int64 ``[C, order]`` (newest title last, -1 before the first), to
            probabilities, float64 ``[C, V]``; rows sum to 1, column 0 is 0.
        outcomes: Tenure and hireability by last title.
    """

    name: str
    order: int
    vocab_size: int
    distribution: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    outcomes: Outcomes

    def predict(self, arrays: CareerArrays, examples: Examples) -> Predictions:
        """Predict examples; tenure and hireability are NaN where train has no known value.

        Each distinct combination of context, current title and target is computed once.
        """
        ids = arrays.title_ids.astype(np.int64)
        contexts = contexts_of(arrays, examples, self.order)
        asked = np.column_stack([contexts, ids[examples.target - 1], ids[examples.target]])
        distinct, which = np.unique(asked, axis=0, return_inverse=True)
        scored = score_in_blocks(
            lambda rows: self.distribution(distinct[rows, :-2]),
            target=distinct[:, -1],
            current=distinct[:, -2],
            vocab_size=self.vocab_size,
        )
        return predictions(
            arrays,
            examples,
            scored.take(which),
            self.outcomes.tenure[ids[examples.target - 1]],
            self.outcomes.hireability[ids[examples.target - 1]],
        )


def majority(train: CareerArrays, vocab_size: int) -> Baseline:
    """Return the baseline that predicts the commonest next titles for every career."""
    share = unigram(transitions_of(train).next, vocab_size)
    return Baseline(
        "majority",
        0,
        vocab_size,
        lambda contexts: np.tile(share, (len(contexts), 1)),
        overall_outcomes(train, vocab_size),
    )


def current_title(train: CareerArrays, vocab_size: int) -> Baseline:
    """Return the baseline that predicts the current title with the probability `CURRENT_TITLE_SHARE`.

    The rest of the probability is distributed as in `majority`, and so is all of it if the current title is
    unknown.
    """
    share = unigram(transitions_of(train).next, vocab_size)

    def distribution(contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        current = contexts[:, 0]
        known = np.flatnonzero(current > 0)
        result = np.tile(share, (len(contexts), 1))
        result[known] *= 1 - CURRENT_TITLE_SHARE
        result[known, current[known]] += CURRENT_TITLE_SHARE
        return result

    return Baseline("current_title", 1, vocab_size, distribution, outcomes_by_last_title(train, vocab_size))


def markov(train: CareerArrays, vocab_size: int) -> Baseline:
    """Return the first-order Markov baseline: counts of what followed the current title.

    It backs off to `majority`.
    """
    transitions = transitions_of(train)
    share = unigram(transitions.next, vocab_size)
    known = transitions.last > 0
    first = successors(transitions.last[known], transitions.next[known], vocab_size)

    def distribution(contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        return first.add_to(np.tile(share, (len(contexts), 1)), contexts[:, 0])

    return Baseline("markov", 1, vocab_size, distribution, outcomes_by_last_title(train, vocab_size))


BASELINES: Final = {
    "majority": majority,
    "current_title": current_title,
    "markov": markov,
}
"""The baselines without options to choose, by name."""


def fit_baselines(train: CareerArrays, vocab_size: int, choice: NGramChoice) -> dict[str, Predictor]:
    """Return every baseline, fitted on the train careers, by name.

    Args:
        train: Careers whose moves are counted.
        vocab_size: V.
        choice: Options of the n-gram baseline, from `choose_ngram`.
    """
    simple = {name: fit(train, vocab_size) for name, fit in BASELINES.items()}
    return {**simple, "ngram": ngram(train, vocab_size, choice)}

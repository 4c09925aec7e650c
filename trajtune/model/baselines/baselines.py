"""Baselines, fitted on every transition of the train careers: of the next title, its tenure, hireability."""

# E examples, C contexts (distinct), V titles

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.model.baselines.outcomes import Outcomes, outcomes_by_last_title, overall_outcomes
from trajtune.model.predict import NextRole, concatenate, predictions, score_next_role
from trajtune.model.predictions import Predictions
from trajtune.model.transition_counts import successors, transitions_of, unigram

CURRENT_TITLE_SHARE = 0.9
"""Probability that the current-title baseline gives to the current title."""

_MOST_NUMBERS = 2**23
"""Probabilities held at once: 64 MB."""


@dataclass(frozen=True)
class Baseline:
    """A distribution over the next title that depends on the last titles alone, and outcomes likewise.

    Attributes:
        name: As in reports.
        order: How many titles the distribution depends on.
        vocab_size: V.
        distribution: From contexts int64 ``[C, order]`` (newest title last, -1 before the first) to
            float64 ``[C, V]``; rows sum to 1, column 0 is 0.
        outcomes: Tenure and hireability by last title.
    """

    name: str
    order: int
    vocab_size: int
    distribution: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    outcomes: Outcomes

    def predict(self, arrays: CareerArrays, examples: Examples) -> Predictions:
        """Predict examples; tenure and hireability are NaN where train knew of none.

        Each distinct pair of context and target is computed once, some at a time, so the memory
        does not grow with E × V.
        """
        back = np.arange(-self.order, 0)
        at = examples.target[:, None] + back
        inside = at >= examples.start[:, None]
        ids = arrays.title_ids.astype(np.int64)
        contexts = np.where(inside, ids[np.where(inside, at, 0)], -1)
        asked = np.column_stack([contexts, ids[examples.target]])
        distinct, which = np.unique(asked, axis=0, return_inverse=True)
        size = max(1, _MOST_NUMBERS // self.vocab_size)
        scored = concatenate(self._score(distinct[i : i + size]) for i in range(0, len(distinct), size))
        return predictions(
            arrays,
            examples,
            scored.take(which),
            self.outcomes.tenure[ids[examples.target - 1]],
            self.outcomes.hireability[ids[examples.target - 1]],
        )

    def _score(self, asked: NDArray[np.int64]) -> NextRole:
        probabilities = self.distribution(asked[:, :-1])
        with np.errstate(divide="ignore"):
            logits = np.log(probabilities)
        return score_next_role(torch.from_numpy(logits), torch.from_numpy(asked[:, -1].copy()))


def majority(train: CareerArrays, vocab_size: int) -> Baseline:
    """The commonest next titles, whatever the career."""
    share = unigram(transitions_of(train).next, vocab_size)
    return Baseline(
        "majority",
        0,
        vocab_size,
        lambda contexts: np.tile(share, (len(contexts), 1)),
        overall_outcomes(train, vocab_size),
    )


def current_title(train: CareerArrays, vocab_size: int) -> Baseline:
    """The title held now, with `CURRENT_TITLE_SHARE`; the rest, or all if unknown, as `majority`."""
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
    """First-order Markov: what followed the current title, backing off to `majority`."""
    transitions = transitions_of(train)
    share = unigram(transitions.next, vocab_size)
    known = transitions.last > 0
    first = successors(transitions.last[known], transitions.next[known], vocab_size)

    def distribution(contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        return first.add_to(np.tile(share, (len(contexts), 1)), contexts[:, 0])

    return Baseline("markov", 1, vocab_size, distribution, outcomes_by_last_title(train, vocab_size))


def markov2(train: CareerArrays, vocab_size: int) -> Baseline:
    """Second-order Markov: what followed the last two titles, interpolated with `markov`."""
    transitions = transitions_of(train)
    known = (transitions.last > 0) & (transitions.before > 0)
    pairs = transitions.before[known] * vocab_size + transitions.last[known]
    second = successors(pairs, transitions.next[known], vocab_size)
    first = markov(train, vocab_size)

    def distribution(contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        before, last = contexts.T
        pair = np.where((before > 0) & (last > 0), before * vocab_size + last, -1)
        return second.add_to(first.distribution(contexts[:, 1:]), pair)

    return Baseline("markov2", 2, vocab_size, distribution, first.outcomes)


BASELINES: Final = {
    "majority": majority,
    "current_title": current_title,
    "markov": markov,
    "markov2": markov2,
}
"""Every baseline, by its name; a model stands beside all of them."""

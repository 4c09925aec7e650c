"""Predictions for a set of examples in one form, so that all predictors share the same metrics.

The model, the exported graph and every baseline are measured through this structure.
"""

# E examples

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """Predictions and their targets, one entry per example.

    Attributes:
        target: int32 ``[E]``: index of the next title, 0 where it is not in the vocabulary.
        rank: int32 ``[E]``: rank of the target among all titles, where 1 is the best; 0 where the target is
            unknown. Ties count against the predictor: the rank is the worst of the tied ranks.
        nll: float64 ``[E]``: minus the log-probability of the target in nats; NaN where unknown.
        stay_nll: float64 ``[E]``: minus the log-probability of the current title; NaN where unknown.
        top_ids: int32 ``[E, K]``: the K most probable titles, best first, never 0.
        confidence: float32 ``[E]``: probability of the top title.
        tenure: float32 ``[E, 2]``: lower and upper months; NaN where not predicted.
        hireability: float32 ``[E]``: probability; NaN where not predicted.
        tenure_months, tenure_at_least, hireable: float32 ``[E]``: targets, as in `CareerArrays`.
    """

    target: NDArray[np.int32]
    rank: NDArray[np.int32]
    nll: NDArray[np.float64]
    stay_nll: NDArray[np.float64]
    top_ids: NDArray[np.int32]
    confidence: NDArray[np.float32]
    tenure: NDArray[np.float32]
    hireability: NDArray[np.float32]
    tenure_months: NDArray[np.float32]
    tenure_at_least: NDArray[np.float32]
    hireable: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the top title is the target, bool ``[E]``; False where the target is unknown."""
        return np.asarray(self.rank == 1)

    @property
    def rank_of_moves(self) -> NDArray[np.int32]:
        """Rank of the target among all titles except the current one, int32 ``[E]``; 0 where it is unknown.

        The rank is meaningful only where the target differs from the current title.
        """
        is_behind_current = (self.rank > 1) & (self.stay_nll <= self.nll)
        return np.asarray(self.rank - is_behind_current, np.int32)

    def take(self, examples: NDArray[np.bool_] | NDArray[np.int64]) -> "Predictions":
        """Return the predictions of the given examples: a mask ``[E]``, or indices in any order."""
        return Predictions(*(getattr(self, column.name)[examples] for column in fields(self)))

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class SplitPredictions:
    """The predictions that are measured on a split.

    Attributes:
        moves: Predictions of the last move of each career, on which the next role is measured.
        outcomes: Predictions of `outcome_examples`, on which the tenure is measured. The same object as
            ``moves`` if the examples are the same.
    """

    moves: Predictions
    outcomes: Predictions

    @property
    def labelled(self) -> Predictions:
        """Predictions on which hireability is measured: the outcomes, or the last moves without labelled
        outcomes.

        The proxy label is known for outcomes. A label from the data belongs to the last role of a career.
        """
        return self.moves if np.isnan(self.outcomes.hireable).all() else self.outcomes


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """Return the parts concatenated; there must be at least one."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    return Predictions(
        *(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Predictions))
    )

"""Sets of next titles that hold the true one with a given probability, by conformal prediction (RAPS).

Regularised adaptive prediction sets (Angelopoulos et al. 2021), without randomisation: a title's score is
the probability of all titles before it, plus a penalty for each of these. A set holds the titles whose
score is at most a threshold, which is fitted on careers that the model has not seen. It always holds the
most probable title.
"""

# E examples, K titles at most

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.calibrate.conformal import TOO_FEW, conformal_quantile

MOST_TITLES: Final = 100
"""Titles in a set at most; a larger set says nothing to a person."""

_PENALTIES: Final = (0.0, 0.001, 0.01, 0.1)


@dataclass(frozen=True)
class SetRule:
    """Which titles belong to a set.

    Attributes:
        threshold: Titles with a score up to this belong to it.
        penalty: Added to a title's score for each title before it.
    """

    threshold: float
    penalty: float

    def sizes(self, top: NDArray[np.floating]) -> NDArray[np.int64]:
        """Size of each set ``[E]``; ``top`` is as in `fit_sets`."""
        return np.asarray((set_scores(top, self.penalty) <= self.threshold).sum(1))


def set_scores(top: NDArray[np.floating], penalty: float) -> NDArray[np.float64]:
    """Score of each title ``[E, K]`` from the probabilities of the most probable titles, best first."""
    before = np.cumsum(top.astype(np.float64), 1)[:, :-1]
    position = np.arange(top.shape[1])
    return np.asarray(np.pad(before, ((0, 0), (1, 0))) + penalty * position)


def fit_sets(
    top: NDArray[np.floating], rank: NDArray[np.integer], coverage: float
) -> tuple[SetRule | None, str]:
    """The rule with the smallest sets that hold the true title with a probability of ``coverage``.

    Args:
        top: Probabilities of the most probable titles, best first, ``[E, K]``.
        rank: Rank of the true title, ``[E]``; 0 where the vocabulary does not hold it: a miss.
        coverage: In 0..1 exclusive.

    Returns:
        The rule and an empty text; or None and the reason why there is none.
    """
    if len(rank) < TOO_FEW:
        return None, f"fewer than {TOO_FEW} people"
    found = (rank > 0) & (rank <= top.shape[1])
    rules = []
    for penalty in _PENALTIES:
        scores = set_scores(top, penalty)
        of_true = scores[np.arange(len(rank)), np.where(found, rank - 1, 0)]
        threshold = conformal_quantile(np.where(found, of_true, np.inf), coverage)
        if np.isfinite(threshold):
            rules.append(SetRule(threshold, penalty))
    if not rules:
        return None, (
            f"the {top.shape[1]:,} most probable titles hold the true one for {100 * found.mean():.0f} % of "
            "the people"
        )
    return min(rules, key=lambda rule: float(rule.sizes(top).mean())), ""

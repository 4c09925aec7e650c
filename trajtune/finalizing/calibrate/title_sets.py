"""Sets of next titles that contain the true title with a given probability, by conformal prediction (RAPS).

RAPS are regularised adaptive prediction sets (Angelopoulos et al. 2021), here without randomisation. A
title's score is the total probability of all more probable titles, plus a penalty for each of them. A set
contains the titles whose score is at most a threshold, which is fitted on careers that the model was not
trained on. It always contains the most probable title.
"""

# E examples, K titles at most

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.calibrate.conformal import TOO_FEW, conformal_quantile

MOST_TITLES: Final = 100
"""Maximum number of titles in a set; larger sets are not useful to people."""

_PENALTIES: Final = (0.0, 0.001, 0.01, 0.1)


@dataclass(frozen=True)
class SetRule:
    """The rule that decides which titles belong to a set.

    Attributes:
        threshold: Largest score of titles in the set, inclusive.
        penalty: Amount added to a title's score for each more probable title.
    """

    threshold: float
    penalty: float

    def sizes(self, top: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the size of each set ``[E]``; ``top`` is as in `fit_sets`."""
        return np.asarray((set_scores(top, self.penalty) <= self.threshold).sum(1))


def set_scores(top: NDArray[np.floating], penalty: float) -> NDArray[np.float64]:
    """Return the score of each title ``[E, K]``, from the top titles' probabilities, best first."""
    before = np.cumsum(top.astype(np.float64), 1)[:, :-1]
    position = np.arange(top.shape[1])
    return np.asarray(np.pad(before, ((0, 0), (1, 0))) + penalty * position)


def fit_sets(
    top: NDArray[np.floating], rank: NDArray[np.integer], coverage: float
) -> tuple[SetRule | None, str]:
    """Return the rule with the smallest sets that contain the true title with probability ``coverage``.

    Args:
        top: Probabilities of the most probable titles, best first, ``[E, K]``.
        rank: Rank of the true title, ``[E]``; 0 (a miss) if it is not in the vocabulary.
        coverage: Nominal coverage, in 0..1 exclusive.

    Returns:
        The rule and an empty text, or None and the reason.
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
            f"the {top.shape[1]:,} most probable titles contain the true title for only "
            f"{100 * found.mean():.0f} % of the people"
        )
    return min(rules, key=lambda rule: float(rule.sizes(top).mean())), ""

"""Gains in hireability and tenure interval over a baseline, with intervals over people.

A person may have several outcomes, so people are resampled instead of outcomes.
"""

# E examples, P people

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from trajtune.finalizing.evaluate.bootstrap import Gain, gain_of, ratio_draws
from trajtune.model.metrics import interval_scores
from trajtune.model.predictions import Predictions


def auc_gain(model: Predictions, other: Predictions, person: NDArray[np.int64]) -> Gain | None:
    """Return the gain in the area under hireability's ROC curve (DeLong, DeLong and Clarke-Pearson 1988).

    The interval uses Student's distribution, with the smaller class less one as degrees of freedom.

    Args:
        model: Predictions of the model, ``[E]``.
        other: Predictions of a baseline for the same examples, ``[E]``.
        person: Id of the person of each example, ``[E]``.

    Returns:
        The gain on examples that both predict and whose outcome is known; None without both classes.
    """
    known = ~np.isnan(model.hireability) & ~np.isnan(other.hireability) & ~np.isnan(model.hireable)
    outcome = model.hireable[known] == 1
    if outcome.all() or not outcome.any():
        return None
    areas = [_influences(p.hireability[known], outcome) for p in (model, other)]
    gain = areas[0][0] - areas[1][0]
    _, of_person = np.unique(person[known], return_inverse=True)
    by_person = np.bincount(of_person, areas[0][1] - areas[1][1])
    error = float(np.sqrt((by_person**2).sum()))
    if not error:
        return {"gain": gain, "low": gain, "high": gain, "p_better": 1.0, "p_worse": 1.0}
    # With few examples of one class, a normal interval would be too narrow.
    freedom = max(1, min(int(outcome.sum()), int((~outcome).sum())) - 1)
    half = float(stdtrit(freedom, 0.975)) * error
    p_worse = float(stdtr(freedom, gain / error))
    return {
        "gain": gain,
        "low": gain - half,
        "high": gain + half,
        "p_better": 1 - p_worse,
        "p_worse": p_worse,
    }


def tenure_score_gain(
    model: Predictions, other: Predictions, person: NDArray[np.int64], coverage: float
) -> Gain | None:
    """Return the gain in the mean interval score, relative to the baseline's.

    Args:
        model: Predictions of the model, ``[E]``.
        other: Predictions of a baseline for the same examples, ``[E]``.
        person: Id of the person of each example, ``[E]``.
        coverage: Nominal coverage of the intervals.

    Returns:
        The gain on tenures that both predict; None if no tenure is known.
    """
    scores = np.stack([interval_scores(p.tenure, p.tenure_months, coverage) for p in (model, other)])
    known = ~np.isnan(scores).any(0)
    if not known.any() or not scores[1, known].any():
        return None
    _, of_person = np.unique(person[known], return_inverse=True)
    own, others = (np.bincount(of_person, score[known]).astype(np.float64) for score in scores)
    draws = 1 - ratio_draws(own[None], others)[0]
    return gain_of(float(1 - own.sum() / others.sum()), draws)


def _influences(score: NDArray[np.floating], outcome: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    """Return the area, and each example's influence on it ``[E]``; the sum of squares is the variance."""
    positives, negatives = int(outcome.sum()), int((~outcome).sum())
    above = np.empty(len(score))
    for own, others, num in ((outcome, ~outcome, negatives), (~outcome, outcome, positives)):
        rising = np.sort(score[others])
        below = np.searchsorted(rising, score[own], "left") + np.searchsorted(rising, score[own], "right")
        above[own] = below / (2 * num)  # share of the other class with lower scores; ties count half
    above[~outcome] = 1 - above[~outcome]
    area = float(above[outcome].mean())
    # Divided by n and multiplied by the root of n / (n - 1), so that the variance has no bias.
    scale = [num * max(num - 1, 1) for num in (positives, negatives)]
    return area, (above - area) / np.sqrt(np.where(outcome, *scale))

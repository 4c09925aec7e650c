"""Metrics of `Predictions`, for the model and every baseline alike: plain numbers, None where undefined.

An example whose next title the vocabulary does not hold is a miss in every accuracy and in the
reciprocal rank, has no log-loss, and is counted.
"""

# E examples

import numpy as np
from numpy.typing import NDArray

from trajtune.model.predictions import Predictions

Metrics = dict[str, float | None]


def next_role_metrics(p: Predictions) -> Metrics:
    """Top-1, top-5, mean reciprocal rank (0..1) and log-loss in nats of the next title."""
    known = p.rank > 0
    reciprocal = np.where(known, 1.0 / np.maximum(p.rank, 1), 0.0)
    return {
        "num_examples": len(p),
        "num_unseen_targets": int((~known).sum()),
        "next_role_top1": _mean(p.rank == 1),
        "next_role_top5": _mean(known & (p.rank <= 5)),
        "next_role_mrr": _mean(reciprocal),
        "next_role_nll": _mean(p.nll[known]),
    }


def val_metrics(p: Predictions) -> Metrics:
    """What a search knows of val, by the names that every record of it uses."""
    next_role = next_role_metrics(p)
    return {
        "val_next_role_nll": next_role["next_role_nll"],
        "val_top1": next_role["next_role_top1"],
        "val_top5": next_role["next_role_top5"],
        "val_mrr": next_role["next_role_mrr"],
        "val_tenure_mae_months": tenure_metrics(p)["tenure_mae_months"],
        "val_hireability_auc": hireability_metrics(p)["hireability_auc"],
    }


def tenure_metrics(p: Predictions) -> Metrics:
    """How far and how often the tenure interval misses, in months.

    The error is that of the interval's midpoint. Error, coverage and width are over known
    tenures. ``tenure_coverage_lowest`` and ``_highest`` bound the coverage over all roles,
    those still held included: such a role is outside for certain once it has lasted longer
    than the upper end, and may turn out inside or outside before.
    """
    predicted = ~np.isnan(p.tenure).any(1)
    known = predicted & ~np.isnan(p.tenure_months)
    held = predicted & ~known & ~np.isnan(p.tenure_at_least)
    lower, upper = p.tenure[:, 0].astype(np.float64), p.tenure[:, 1].astype(np.float64)
    inside = known & (lower <= p.tenure_months) & (p.tenure_months <= upper)
    undecided = held & (p.tenure_at_least <= upper)
    some = known | held
    return {
        "num_tenures": int(known.sum()),
        "num_tenures_still_held": int(held.sum()),
        "tenure_mae_months": _mean(np.abs((lower + upper) / 2 - p.tenure_months)[known]),
        "tenure_coverage": _mean(inside[known]),
        "tenure_coverage_lowest": _mean(inside[some]),
        "tenure_coverage_highest": _mean((inside | undecided)[some]),
        "tenure_width_months": _mean((upper - lower)[known]),
    }


def hireability_metrics(p: Predictions) -> Metrics:
    """Area under the ROC curve, Brier score and base rate over known outcomes."""
    known = ~np.isnan(p.hireability) & ~np.isnan(p.hireable)
    probability, outcome = p.hireability[known], p.hireable[known] == 1
    return {
        "num_hireabilities": int(known.sum()),
        "hireability_base_rate": _mean(outcome),
        "hireability_auc": area_under_roc(probability, outcome),
        "hireability_brier": brier_score(probability, outcome),
    }


def calibration_metrics(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> Metrics:
    """Calibration of the top title's confidence ``[E]`` against whether it was right ``[E]``."""
    return {
        "ece": expected_calibration_error(confidence, correct),
        "ece_equal_mass": equal_mass_calibration_error(confidence, correct),
        "brier": brier_score(confidence, correct),
    }


def expected_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 10
) -> float | None:
    """Mean gap of confidence and accuracy over bins of equal width (Guo et al. 2017); None without examples.

    A bin holds its upper edge, the first one 0 too.

    Examples:
        >>> said, right = np.array([0.95, 0.95, 0.3, 0.3]), np.array([True, True, True, False])
        >>> round(expected_calibration_error(said, right), 3)
        0.125
    """
    bin_of = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
    return _mean_gap(bin_of, confidence, correct, bins)


def equal_mass_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 15
) -> float | None:
    """The same over bins of about equally many examples; equal confidences share a bin.

    Isotonic calibration gives many examples the same confidence. To part them would need an order among
    them, and one that depends on the outcome measures itself.
    """
    _, tie, count = np.unique(confidence, return_inverse=True, return_counts=True)
    middle_place = np.cumsum(count) - (count + 1) / 2  # from 0, of the examples that tie
    bin_of = (middle_place[tie] * bins / max(len(confidence), 1)).astype(np.int64)
    return _mean_gap(bin_of, confidence, correct, bins)


def brier_score(probability: NDArray[np.floating], outcome: NDArray[np.bool_]) -> float | None:
    """Mean squared difference of probability and outcome; None without examples.

    Examples:
        >>> round(brier_score(np.array([0.9, 0.2]), np.array([True, False])), 3)
        0.025
    """
    return _mean((probability.astype(np.float64) - outcome) ** 2)


def area_under_roc(score: NDArray[np.floating], outcome: NDArray[np.bool_]) -> float | None:
    """Probability that a positive scores above a negative, ties half (Mann-Whitney); None with one class.

    Examples:
        >>> area_under_roc(np.array([0.9, 0.4, 0.4]), np.array([True, True, False]))
        0.75
    """
    positives, negatives = int(outcome.sum()), int((~outcome).sum())
    if not positives or not negatives:
        return None
    _, tie, count = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2
    above = mean_rank[tie][outcome].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def _mean_gap(
    bin_of: NDArray[np.int64], confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int
) -> float | None:
    if not len(confidence):
        return None
    gap = np.bincount(bin_of, confidence.astype(np.float64) - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def _mean(values: NDArray[np.generic]) -> float | None:
    return float(np.mean(values, dtype=np.float64)) if len(values) else None  # type: ignore[arg-type]

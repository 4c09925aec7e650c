"""Metrics of `Predictions`, the same for the model and every baseline. Undefined metrics are None.

An example whose next title is not in the vocabulary counts as a miss in every accuracy and in the
reciprocal rank. It has no log-loss. The number of such examples is reported.
"""

# E examples

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.model.censoring import hireability_weights, tenure_weights
from trajtune.model.predictions import Predictions, SplitPredictions

Metrics = dict[str, float | None]

NEXT_ROLE: Final = ("top1", "top5", "mrr", "nll")
"""Short names of the next-role metrics."""

INTERVAL_LEVEL: Final = 0.8
"""Nominal coverage for which the interval score is computed, independent of the predicted interval's."""


def next_role(p: Predictions) -> Metrics:
    """Return the next-role metrics by short name: ``top1``, ``top5``, ``mrr`` (0..1) and ``nll`` (nats)."""
    return {name: _mean(scores[~np.isnan(scores)]) for name, scores in next_role_scores(p).items()}


def next_role_scores(p: Predictions) -> dict[str, NDArray[np.float64]]:
    """Return the score of each example by metric, ``[E]`` each; a metric is the mean of its scores without
    NaN.

    Only the NLL can be NaN: where the next title is not in the vocabulary.
    """
    in_vocabulary = p.rank > 0
    return {
        "top1": (p.rank == 1).astype(np.float64),
        "top5": (in_vocabulary & (p.rank <= 5)).astype(np.float64),
        "mrr": np.where(in_vocabulary, 1.0 / np.maximum(p.rank, 1), 0.0),
        "nll": np.where(in_vocabulary, p.nll, np.nan),
    }


def next_role_metrics(p: Predictions) -> Metrics:
    """Return `next_role` by long name, and the numbers of examples and of unseen next titles."""
    return {
        "num_examples": len(p),
        "num_unseen_targets": int((p.rank == 0).sum()),
        **{f"next_role_{name}": value for name, value in next_role(p).items()},
    }


def val_metrics(p: SplitPredictions) -> Metrics:
    """Return the metrics that a search measures on val, by their names in records."""
    scores = next_role(p.moves)
    return {
        "val_next_role_nll": scores["nll"],
        "val_top1": scores["top1"],
        "val_top5": scores["top5"],
        "val_mrr": scores["mrr"],
        "val_tenure_mae_months": tenure_metrics(p.outcomes)["tenure_mae_months"],
        "val_hireability_auc": hireability_metrics(p.labelled)["hireability_auc"],
    }


def outcome_metrics(p: SplitPredictions) -> Metrics:
    """Return `tenure_metrics` and `hireability_metrics` of a split.

    Tenures are measured on the outcomes. The bounds that include roles still held are measured on the last
    moves, because with a split by move no outcome is still held.
    """
    move_metrics = tenure_metrics(p.moves)
    bounds = ("num_tenures_still_held", "tenure_coverage_lowest", "tenure_coverage_highest")
    return {
        **tenure_metrics(p.outcomes),
        **{name: move_metrics[name] for name in bounds},
        **hireability_metrics(p.labelled),
    }


def tenure_metrics(p: Predictions) -> Metrics:
    """Return the errors and coverage of the tenure interval, in months.

    The error is that of the interval's midpoint. Error, width and ``tenure_coverage_ended`` are means over
    known tenures. ``tenure_coverage`` estimates the share of all roles inside the interval, including roles
    still held, with the weights of `model.censoring`; the two are equal if no role is still held. ``_lowest``
    and ``_highest`` are bounds that need no assumption: a role still held is certainly outside once it has
    lasted longer than the upper end; until then it may end inside or outside. ``tenure_interval_score``
    (Gneiting and Raftery 2007, at `INTERVAL_LEVEL`) is the width plus ten times the distance of a tenure
    outside the interval; lower is better. ``num_tenures_effective`` is the number of tenures without weights
    for which the coverage would have as much noise; see `_effective`.
    """
    predicted = ~np.isnan(p.tenure).any(1)
    known = predicted & ~np.isnan(p.tenure_months)
    held = predicted & ~known & ~np.isnan(p.tenure_at_least)
    lower, upper = p.tenure[:, 0].astype(np.float64), p.tenure[:, 1].astype(np.float64)
    inside = known & (lower <= p.tenure_months) & (p.tenure_months <= upper)
    undecided = held & (p.tenure_at_least <= upper)
    measured = known | held
    weight = tenure_weights(np.where(predicted, p.tenure_months, np.nan), p.tenure_at_least)[known]
    return {
        "num_tenures": int(known.sum()),
        "num_tenures_effective": _effective(inside[known], weight),
        "num_tenures_still_held": int(held.sum()),
        "tenure_mae_months": _mean(np.abs((lower + upper) / 2 - p.tenure_months)[known]),
        "tenure_coverage": _mean(inside[known], weight),
        "tenure_coverage_ended": _mean(inside[known]),
        "tenure_coverage_lowest": _mean(inside[measured]),
        "tenure_coverage_highest": _mean((inside | undecided)[measured]),
        "tenure_width_months": _mean((upper - lower)[known]),
        "tenure_interval_score": _mean(interval_scores(p.tenure, p.tenure_months)[known], weight),
    }


def _effective(inside: NDArray[np.bool_], weight: NDArray[np.float64]) -> float:
    """Return the number of examples without weights for which a share would have as much noise.

    It is the smaller of two numbers: the squared sum of the weights, divided by the sum of their squares
    (Kish 1965), and the number from the variance of the weighted share. The second is smaller if the tenures
    with large weights, which are long, are mostly outside.
    """
    if not len(weight):
        return 0.0
    kish = float(weight.sum() ** 2 / (weight**2).sum())
    share = float(np.average(inside, weights=weight))
    variance = float((weight**2) @ (inside - share) ** 2) / float(weight.sum() ** 2)
    return min(kish, share * (1 - share) / variance) if variance else kish


def interval_scores(
    interval: NDArray[np.floating], months: NDArray[np.floating], coverage: float = INTERVAL_LEVEL
) -> NDArray[np.float64]:
    """Return the interval score of each tenure in months; lower is better (Gneiting and Raftery 2007).

    Args:
        interval: Lower and upper months, ``[E, 2]``.
        months: Tenures in months, ``[E]``; NaN where unknown.
        coverage: Nominal coverage of the intervals.

    Returns:
        The width, plus ``2 / (1 - coverage)`` times the distance of a tenure outside the interval, ``[E]``.

    Examples:
        An interval that is ten months wide and two months too low:

        >>> interval_scores(np.array([[10.0, 20.0]]), np.array([22.0])).round(3).tolist()
        [30.0]
    """
    lower, upper = interval.astype(np.float64).T
    outside = np.maximum(lower - months, 0) + np.maximum(months - upper, 0)
    return np.asarray(upper - lower + 2 / (1 - coverage) * outside)


def hireability_metrics(p: Predictions) -> Metrics:
    """Return area under the ROC curve, Brier score and base rate, weighted as in `model.censoring`."""
    probability, outcome = known_hireability(p)
    weight = known_hireability_weights(p)
    return {
        "num_hireabilities": len(outcome),
        "hireability_base_rate": _mean(outcome, weight),
        "hireability_auc": area_under_roc(probability, outcome, weight),
        "hireability_brier": brier_score(probability, outcome, weight),
    }


def known_hireability_weights(p: Predictions) -> NDArray[np.float64]:
    """Return the weight of each outcome of `known_hireability`."""
    known = ~np.isnan(p.hireability) & ~np.isnan(p.hireable)
    return hireability_weights(p.hireable, p.tenure_months, p.tenure_at_least)[known]


def known_hireability(p: Predictions) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return predicted probability and outcome of each example that has a prediction and a known outcome."""
    known = ~np.isnan(p.hireability) & ~np.isnan(p.hireable)
    return p.hireability[known], p.hireable[known] == 1


def calibration_metrics(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> Metrics:
    """Return the calibration metrics of the top title's confidence ``[E]`` and correctness ``[E]``."""
    return {
        "ece": expected_calibration_error(confidence, correct),
        "ece_equal_mass": equal_mass_calibration_error(confidence, correct),
        "brier": brier_score(confidence, correct),
    }


def expected_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 10
) -> float | None:
    """Return the mean gap between confidence and accuracy over bins of equal width; None without examples.

    See Guo et al. 2017.

    Examples:
        >>> confidence, correct = np.array([0.95, 0.95, 0.3, 0.3]), np.array([True, True, True, False])
        >>> round(expected_calibration_error(confidence, correct), 3)
        0.125
    """
    return _mean_gap(equal_width_bins(confidence, bins), confidence, correct, bins)


def equal_mass_calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 15
) -> float | None:
    """Return the calibration error over bins with about equally many examples; equal confidences share a bin.

    Isotonic calibration gives many examples the same confidence. Splitting these would require an order among
    them, and an order that depends on the outcome would bias the error.
    """
    _, tie, count = np.unique(confidence, return_inverse=True, return_counts=True)
    mean_position = np.cumsum(count) - (count + 1) / 2  # from 0; the mean over tied examples
    bin_of = (mean_position[tie] * bins / max(len(confidence), 1)).astype(np.int64)
    return _mean_gap(bin_of, confidence, correct, bins)


def reliability(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = 10
) -> list[dict[str, Any]]:
    """Return confidence and accuracy in bins of equal width; empty bins are left out.

    Returns:
        For each bin: ``low``, ``high`` (inclusive), ``num``, and the means ``confidence`` and ``accuracy``.
    """
    bin_of = equal_width_bins(confidence, bins)
    return [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "num": int((bin_of == b).sum()),
            "confidence": float(confidence[bin_of == b].mean(dtype=np.float64)),
            "accuracy": float(correct[bin_of == b].mean()),
        }
        for b in np.unique(bin_of).tolist()
    ]


def equal_width_bins(confidence: NDArray[np.floating], bins: int) -> NDArray[np.int64]:
    """Return the bin of each confidence (0..1), ``[E]`` from 0.

    Bins include their upper edge; the first bin also includes 0.
    """
    bin_of = np.ceil(confidence.astype(np.float64) * bins).astype(np.int64) - 1
    return np.clip(bin_of, 0, bins - 1)


def brier_score(
    probability: NDArray[np.floating],
    outcome: NDArray[np.bool_],
    weight: NDArray[np.floating] | None = None,
) -> float | None:
    """Return the mean squared difference of probability and outcome; None without examples.

    Args:
        probability: Predicted probabilities, ``[E]``.
        outcome: Outcomes, ``[E]``.
        weight: Weights of the examples, ``[E]``; None: all are 1.

    Examples:
        >>> round(brier_score(np.array([0.9, 0.2]), np.array([True, False])), 3)
        0.025
    """
    return _mean((probability.astype(np.float64) - outcome) ** 2, weight)


def area_under_roc(
    score: NDArray[np.floating], outcome: NDArray[np.bool_], weight: NDArray[np.floating] | None = None
) -> float | None:
    """Return the probability that a positive scores above a negative; None with one class.

    A tie counts half (Mann-Whitney).

    Args:
        score: Scores, ``[E]``.
        outcome: Outcomes, ``[E]``.
        weight: Weights of the examples, ``[E]``; None: all are 1.

    Examples:
        >>> area_under_roc(np.array([0.9, 0.4, 0.4]), np.array([True, True, False]))
        0.75
    """
    weights = np.ones(len(outcome)) if weight is None else weight
    _, tie = np.unique(score, return_inverse=True)
    negatives = np.bincount(tie, weights * ~outcome)  # by distinct score, ascending
    positives = np.bincount(tie, weights * outcome)
    pairs = positives.sum() * negatives.sum() if len(outcome) else 0.0
    if not pairs:
        return None
    below = np.cumsum(negatives) - negatives / 2
    return float(positives @ below / pairs)


def _mean_gap(
    bin_of: NDArray[np.int64], confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int
) -> float | None:
    if not len(confidence):
        return None
    gap = np.bincount(bin_of, confidence.astype(np.float64) - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def _mean(values: NDArray[np.generic], weight: NDArray[np.floating] | None = None) -> float | None:
    if not len(values) or weight is None or (weight == 1).all():
        return float(np.mean(values, dtype=np.float64)) if len(values) else None  # type: ignore[arg-type]
    return float(np.average(values.astype(np.float64), weights=weight))

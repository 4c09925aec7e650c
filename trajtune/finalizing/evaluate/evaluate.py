"""Computes metrics from `Predictions`. An undefined metric is None, with the reason beside it."""

# E examples

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.evaluate.bootstrap import interval
from trajtune.finalizing.evaluate.calibration_test import calibration_test
from trajtune.finalizing.evaluate.career_changers import evaluate_career_changers
from trajtune.finalizing.evaluate.lag import movers, staying
from trajtune.finalizing.evaluate.last_transitions import Transitions
from trajtune.model.metrics import (
    calibration_metrics,
    expected_calibration_error,
    known_hireability,
    next_role,
    next_role_metrics,
    next_role_scores,
    outcome_metrics,
)
from trajtune.model.predictions import Predictions, SplitPredictions


def evaluate_model(
    on_test: SplitPredictions, calibrated: NDArray[np.floating], most_error: float
) -> dict[str, Any]:
    """Return all metrics of ``test`` in ``metrics.json``, with 95 % bootstrap intervals for next roles.

    Args:
        on_test: Predictions of the exported graph.
        calibrated: Calibrated confidence of the top title for the last moves, ``[E]``.
        most_error: Calibration error that should be detectable on test; see `calibration_test`.

    Returns:
        The metrics by name; an undefined one is None, with ``<name>_reason`` after it.
    """
    predictions = on_test.moves
    scores = next_role_scores(predictions)
    metrics: dict[str, Any] = {
        **next_role_metrics(predictions),
        **{f"next_role_{name}_interval": interval(values) for name, values in scores.items()},
        **outcome_metrics(on_test),
        "hireability_ece": expected_calibration_error(*known_hireability(on_test.labelled)),
        **evaluate_calibration(predictions.confidence, calibrated, predictions.correct),
        **calibration_test(calibrated, predictions.correct, most_error),
    }
    return with_reasons(metrics)


def evaluate_calibration(
    raw: NDArray[np.floating], calibrated: NDArray[np.floating], correct: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Return calibration error and Brier score of the top title's confidence, before and after calibration.

    Args:
        raw: Confidence before calibration, 0..1, ``[E]``.
        calibrated: Confidence after calibration, 0..1, ``[E]``.
        correct: Whether the top title was right, bool ``[E]``.

    Returns:
        ``ece`` (10 bins of equal width), ``ece_equal_mass`` (15 bins of equally many examples),
        ``brier``, and the same with ``_raw`` before calibration.
    """
    before, after = calibration_metrics(raw, correct), calibration_metrics(calibrated, correct)
    return {**{f"{name}_raw": value for name, value in before.items()}, **after}


def evaluate_baseline(on_test: SplitPredictions, transitions: Transitions) -> dict[str, Any]:
    """Return the metrics of a predictor that the model is compared with; its confidence is not calibrated."""
    predictions = on_test.moves
    scores = next_role_scores(predictions)
    metrics = {
        **next_role(predictions),
        **{f"{name}_interval": interval(scores[name]) for name in ("top1", "top5")},
        "ece": expected_calibration_error(predictions.confidence, predictions.correct),
        **outcome_metrics(on_test),
    }
    return {**with_reasons(metrics), "career_changers": changers_and_everybody(predictions, transitions)}


def changers_and_everybody(predictions: Predictions, transitions: Transitions) -> dict[str, Any]:
    """Return `evaluate_career_changers`, the same for ``everybody``, `staying` and `movers`."""
    current_ids = transitions.current_ids
    return {
        **evaluate_career_changers(predictions, current_ids, transitions.changers),
        "everybody": evaluate_career_changers(predictions, current_ids, transitions.everybody),
        "staying": staying(predictions, current_ids),
        "movers": movers(predictions, transitions.moved),
    }


def mean_over_seeds(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metrics of a configuration, each averaged over its seeds.

    Values that are equal for all seeds, for example a count or a reason, are kept.
    """
    return {name: _mean([one[name] for one in metrics]) for name in metrics[0]}


def _mean(values: Sequence[Any]) -> Any:
    first = values[0]
    if all(value == first for value in values):
        return first
    if isinstance(first, Mapping):
        return mean_over_seeds(values)
    if isinstance(first, bool) or any(value is None for value in values):
        return None
    if isinstance(first, Sequence):
        return [_mean(entries) for entries in zip(*values, strict=True)]
    return fmean(values)


def with_reasons(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics with ``<name>_reason`` after each undefined one."""
    result: dict[str, Any] = {}
    for name, value in metrics.items():
        result[name] = value
        if value is None:
            result[f"{name}_reason"] = _reason(name, metrics)
    return result


def _reason(name: str, metrics: Mapping[str, Any]) -> str:
    if name == "hireability_auc" and metrics["num_hireabilities"]:
        return f"all {metrics['num_hireabilities']} known outcomes are the same"
    if name.startswith("hireability"):
        return "no outcome is known"
    if name.startswith("tenure"):
        return "no next role has a known tenure"
    if "nll" in name:
        return "no next title is in the vocabulary"
    return "no examples"

"""How good the model is, from `Predictions`; what is undefined is null with a reason beside it."""

# E examples

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.finalize.evaluate.bootstrap import interval, per_person
from trajtune.finalize.evaluate.career_changers import evaluate_career_changers
from trajtune.finalize.evaluate.last_transitions import Moves
from trajtune.model.metrics import (
    calibration_metrics,
    expected_calibration_error,
    hireability_metrics,
    next_role_metrics,
    tenure_metrics,
)
from trajtune.model.predictions import Predictions


def evaluate_model(predictions: Predictions, calibrated: NDArray[np.floating]) -> dict[str, Any]:
    """Every metric of ``metrics.json``'s ``test``, with 95 % bootstrap intervals of the next-role ones.

    Args:
        predictions: Of the exported graph.
        calibrated: ``[E]``: calibrated confidence of the top title.

    Returns:
        The metrics by name; what is undefined is None with ``<name>_reason`` after it.
    """
    people = per_person(predictions)
    found: dict[str, Any] = {
        **next_role_metrics(predictions),
        **{f"next_role_{name}_interval": interval(values) for name, values in people.items()},
        **tenure_metrics(predictions),
        **hireability_metrics(predictions),
        "hireability_ece": expected_calibration_error(*known_hireability(predictions)),
        **evaluate_calibration(predictions.confidence, calibrated, predictions.correct),
    }
    return with_reasons(found)


def evaluate_calibration(
    raw: NDArray[np.floating], calibrated: NDArray[np.floating], correct: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Calibration error and Brier score of the top title's confidence, before and after.

    Args:
        raw: ``[E]`` in 0..1: before calibration.
        calibrated: ``[E]`` in 0..1: after.
        correct: bool ``[E]``: whether the top title was right.

    Returns:
        ``ece`` (10 bins of equal width), ``ece_equal_mass`` (15 bins of equally many examples),
        ``brier``, and the same with ``_raw`` before calibration.
    """
    before, after = calibration_metrics(raw, correct), calibration_metrics(calibrated, correct)
    return {**{f"{name}_raw": value for name, value in before.items()}, **after}


def known_hireability(predictions: Predictions) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Predicted probability and outcome of everybody whose outcome is known."""
    known = ~np.isnan(predictions.hireability) & ~np.isnan(predictions.hireable)
    return predictions.hireability[known], predictions.hireable[known] == 1


def evaluate_baseline(predictions: Predictions, moves: Moves) -> dict[str, Any]:
    """What stands beside the model: next role under short names, tenure, hireability, career changers."""
    found, people = next_role_metrics(predictions), per_person(predictions)
    metrics = {
        **{name: found[f"next_role_{name}"] for name in ("top1", "top5", "mrr", "nll")},
        **{f"{name}_interval": interval(people[name]) for name in ("top1", "top5")},
        **tenure_metrics(predictions),
        **hireability_metrics(predictions),
    }
    return {**with_reasons(metrics), "career_changers": changers_and_everybody(predictions, moves)}


def changers_and_everybody(predictions: Predictions, moves: Moves) -> dict[str, Any]:
    """`evaluate_career_changers`, and under ``everybody`` the same of all people."""
    return {
        **evaluate_career_changers(predictions, moves.current_ids, moves.changers),
        "everybody": evaluate_career_changers(predictions, moves.current_ids, moves.everybody),
    }


def with_reasons(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics, with ``<name>_reason`` after each that is undefined."""
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

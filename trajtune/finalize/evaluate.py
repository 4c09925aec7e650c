"""How good the model is, from `Predictions`; what is undefined is null with a reason beside it."""

# E examples

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.finalize.bootstrap import interval, per_person
from trajtune.finalize.changers import evaluate_career_changers
from trajtune.finalize.moves import Moves
from trajtune.model.metrics import (
    calibration_metrics,
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
    """
    people = per_person(predictions)
    found: dict[str, Any] = {
        **next_role_metrics(predictions),
        **{f"next_role_{name}_interval": interval(values) for name, values in people.items()},
        **tenure_metrics(predictions),
        **hireability_metrics(predictions),
        **evaluate_calibration(predictions.confidence, calibrated, predictions.correct),
    }
    return with_reasons(found)


def evaluate_calibration(
    raw: NDArray[np.floating], calibrated: NDArray[np.floating], correct: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Calibration error and Brier score of the top title's confidence, before and after.

    Returns:
        ``ece`` (10 bins of equal width), ``ece_equal_mass`` (15 bins of equally many examples),
        ``brier``, and the same with ``_raw`` before calibration.
    """
    before, after = calibration_metrics(raw, correct), calibration_metrics(calibrated, correct)
    return {**{f"{name}_raw": value for name, value in before.items()}, **after}


def evaluate_baseline(predictions: Predictions, moves: Moves) -> dict[str, Any]:
    """A baseline's next-role metrics under short names, and how it does on career changers."""
    found = next_role_metrics(predictions)
    short = {name: found[f"next_role_{name}"] for name in ("top1", "top5", "mrr", "nll")}
    changers = evaluate_career_changers(predictions, moves.current_ids, moves.changers)
    return {**with_reasons(short), "career_changers": changers}


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

"""Metrics on moves that a bundle has not seen: value, interval, and the bundle's value on test."""

# E examples

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.evaluate.bootstrap import RESAMPLES, bounds, interval, ratio_draws
from trajtune.finalizing.evaluate.outcome_gains import auc_gain
from trajtune.finalizing.export.graph_predictions import GraphPredictions
from trajtune.model.metrics import expected_calibration_error
from trajtune.model.predictions import Predictions, SplitPredictions

_MAY_VARY: Final = 4_000_000
"""Largest number of people in all resamples together."""


def figures(
    measured: Mapping[str, Any],
    on_test: Mapping[str, Any],
    predicted: GraphPredictions,
    own: SplitPredictions,
    people: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> dict[str, dict[str, Any]]:
    """Return the metrics that `trajtune monitor` prints.

    Args:
        measured: From `evaluate_model`, on the new moves.
        on_test: The bundle's ``metrics.json``.
        predicted: The graph's predictions for the last moves.
        own: The same predictions, with those for the outcomes.
        people: Person of each last move, and of each outcome, ``[E]`` each.

    Returns:
        By name: ``value``, ``interval`` (95 %, by person; None if it is undefined) and ``on_test``.
    """
    test, sets = on_test["test"], on_test.get("title_sets")
    found = {
        name: {"value": measured[name], "interval": measured[f"{name}_interval"], "on_test": test[name]}
        for name in ("next_role_top1", "next_role_top5", "next_role_nll")
    }
    labelled = people[0] if own.labelled is own.moves else people[1]
    others = {
        "ece": (measured["ece"], _error_interval(predicted), test["ece"]),
        "tenure_coverage": (
            measured["tenure_coverage"],
            _coverage_interval(own.outcomes, people[1]),
            test["tenure_coverage"],
        ),
        "hireability_auc": (
            measured["hireability_auc"],
            _area_interval(own.labelled, labelled),
            test["hireability_auc"],
        ),
    }
    if predicted.set_size is not None and sets is not None:
        rank = predicted.predictions.rank
        holds = ((rank > 0) & (rank <= predicted.set_size)).astype(np.float64)
        others["set_coverage"] = (float(holds.mean()), interval(holds), sets["coverage"])
    rows = {
        name: dict(zip(("value", "interval", "on_test"), row, strict=True)) for name, row in others.items()
    }
    return {**found, **rows}


def _error_interval(predicted: GraphPredictions) -> tuple[float, float] | None:
    """Return the interval of the calibration error, by resampling people."""
    confidence, correct = predicted.calibrated_confidence, predicted.predictions.correct
    if not len(confidence):
        return None
    random = np.random.default_rng(0)
    num = max(100, min(RESAMPLES, _MAY_VARY // len(confidence)))
    people = (random.integers(0, len(confidence), len(confidence)) for _ in range(num))
    errors = [expected_calibration_error(confidence[drawn], correct[drawn]) or 0.0 for drawn in people]
    return bounds(np.array(errors))


def _coverage_interval(outcomes: Predictions, person: NDArray[np.int64]) -> tuple[float, float] | None:
    known = ~np.isnan(outcomes.tenure_months) & ~np.isnan(outcomes.tenure).any(1)
    if not known.any():
        return None
    months, tenure = outcomes.tenure_months[known], outcomes.tenure[known]
    inside = (tenure[:, 0] <= months) & (months <= tenure[:, 1])
    _, who = np.unique(person[known], return_inverse=True)
    count = np.bincount(who).astype(np.float64)
    return bounds(ratio_draws(np.bincount(who, inside).astype(np.float64)[None], count)[0])


def _area_interval(labelled: Predictions, person: NDArray[np.int64]) -> tuple[float, float] | None:
    """Return DeLong's interval of the ROC AUC, from the gain over a constant predictor."""
    same = replace(labelled, hireability=np.full(len(labelled), 0.5, np.float32))
    gain = auc_gain(labelled, same, person)
    return None if gain is None else (0.5 + gain["low"], 0.5 + gain["high"])

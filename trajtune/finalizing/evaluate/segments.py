"""Metrics by segment of people: length of history, level, known current title and quarter."""

# E examples

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.finalizing.evaluate.evaluate import mean_over_seeds
from trajtune.finalizing.evaluate.last_transitions import Transitions
from trajtune.finalizing.export.graph_predictions import GraphPredictions
from trajtune.model.metrics import expected_calibration_error, next_role, tenure_metrics
from trajtune.model.predictions import Predictions

LEVELS: Final = (
    (
        "entry",
        frozenset({"intern", "trainee", "junior", "assistant", "apprentice", "praktikant", "estagiario"}),
    ),
    (
        "executive",
        frozenset({"chief", "president", "ceo", "cto", "cfo", "coo", "partner", "founder", "owner"}),
    ),
    (
        "manager",
        frozenset({"manager", "head", "director", "vice", "supervisor", "leiter", "gerente", "diretor"}),
    ),
    ("senior", frozenset({"senior", "lead", "principal", "staff", "expert"})),
)
"""Words that show the level of a title; the first matching row decides."""

OTHER_LEVEL: Final = "no level named"
VICE_PRESIDENT: Final = frozenset({"vice", "president"})


def by_segment(
    graph: GraphPredictions,
    outcomes: Predictions,
    others: Mapping[str, Sequence[Predictions]],
    transitions: tuple[Transitions, Transitions],
    split_dates: pa.Array,
) -> dict[str, list[dict[str, Any]]]:
    """Return metrics of the graph in four segmentations of the people.

    Args:
        graph: Predictions of the graph for the last moves.
        outcomes: Predictions of the graph for the roles that the tenure is measured on.
        others: Predictions of the other models for the last moves, by name, for each seed.
        transitions: The last moves, and the transitions to the roles of ``outcomes``.
        split_dates: Dates of the last moves, date32 ``[E]``; a person's outcomes are in the same quarter.

    Returns:
        By name of the segmentation, a row for each segment that has last moves, in a fixed order:
        ``segment``, ``num``, ``top1``, ``top5``, ``nll``, ``ece``, ``num_tenures``, ``tenure_coverage`` and
        ``tenure_width_months``, and under ``others`` the ``top1``, ``top5`` and ``nll`` of each other model,
        averaged over seeds. Undefined values are None.
    """
    last, of_outcomes = transitions
    quarters = _quarters(split_dates)
    labels = _labels(last, quarters)
    outcome_labels = labels
    if of_outcomes is not last:
        person = np.searchsorted(last.examples.start, of_outcomes.examples.start)
        outcome_labels = _labels(of_outcomes, quarters[person])
    segments = {}
    for segmentation, order in _ORDERS.items():
        own, own_outcomes = labels[segmentation], outcome_labels[segmentation]
        segments[segmentation] = [
            {
                **_row(name, own == name, graph, others),
                **_tenure(outcomes.take(own_outcomes == name)),
            }
            for name in sorted(set(own.tolist()), key=order)
        ]
    return segments


def segment_labels(transitions: Transitions, split_dates: pa.Array) -> dict[str, NDArray[np.str_]]:
    """Return the segment of each last move ``[E]``, by name of the segmentation."""
    return _labels(transitions, _quarters(split_dates))


def _labels(transitions: Transitions, quarters: NDArray[np.str_]) -> dict[str, NDArray[np.str_]]:
    """Return the segment of each transition ``[E]``, by name of the segmentation."""
    return {
        "history_length": _lengths(transitions.examples.length),
        "level": np.array([level_of(words) for words in transitions.current_words], np.str_),
        "last_title": np.where(transitions.current_ids == 0, "unknown", "known"),
        "quarter": quarters,
    }


def level_of(words: frozenset[str]) -> str:
    """Return the level that the words of a title show; a vice president is a manager."""
    rest = words - {"president"} if words >= VICE_PRESIDENT else words
    return next((level for level, signs in LEVELS if rest & signs), OTHER_LEVEL)


_LENGTHS: Final = ["1 role", "2 roles", "3 to 4 roles", "5 to 9 roles", "10 or more roles"]
_LEVEL_NAMES: Final = ["entry", OTHER_LEVEL, "senior", "manager", "executive"]
_ORDERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "history_length": _LENGTHS.index,
    "level": _LEVEL_NAMES.index,
    "last_title": str,
    "quarter": str,
}


def _lengths(length: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.array(_LENGTHS)[np.digitize(length, [2, 3, 5, 10])]


def _quarters(dates: pa.Array) -> NDArray[np.str_]:
    months = (
        dates.cast(pa.int32()).to_numpy().astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    )
    return np.array([f"{1970 + month // 12}-Q{month % 12 // 3 + 1}" for month in months.tolist()], np.str_)


def _row(
    name: str, here: NDArray[np.bool_], graph: GraphPredictions, others: Mapping[str, Sequence[Predictions]]
) -> dict[str, Any]:
    own = graph.predictions.take(here)
    return {
        "segment": name,
        "num": len(own),
        **_next_role(own),
        "ece": expected_calibration_error(graph.calibrated_confidence[here], own.correct),
        "others": {
            other: mean_over_seeds([_next_role(predictions.take(here)) for predictions in of_seeds])
            for other, of_seeds in others.items()
        },
    }


def _tenure(predictions: Predictions) -> dict[str, float | None]:
    metrics = tenure_metrics(predictions)
    return {name: metrics[name] for name in ("num_tenures", "tenure_coverage", "tenure_width_months")}


def _next_role(predictions: Predictions) -> dict[str, float | None]:
    metrics = next_role(predictions)
    return {name: metrics[name] for name in ("top1", "top5", "nll")}

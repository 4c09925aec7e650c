"""For whom the model is good: metrics by length of history, level, known current title and quarter."""

# E examples

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.finalize.evaluate.last_transitions import LastTransitions
from trajtune.finalize.export.graph_predictions import GraphPredictions
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
"""Words that tell the level of a title; the first row that matches counts."""

OTHER_LEVEL: Final = "no level named"
VICE_PRESIDENT: Final = frozenset({"vice", "president"})


def by_segment(
    graph: GraphPredictions,
    others: Mapping[str, Predictions],
    transitions: LastTransitions,
    split_dates: pa.Array,
) -> dict[str, list[dict[str, Any]]]:
    """Metrics of the graph in four ways to divide the people.

    Args:
        graph: Predictions of the graph.
        others: Predictions of the baselines for the same people, by name.
        transitions: The people.
        split_dates: date32 ``[E]``.

    Returns:
        By way, a row for each segment that has people, in a fixed order: ``segment``, ``num``, ``top1``,
        ``top5``, ``nll``, ``ece``, ``num_tenures``, ``tenure_coverage`` and ``tenure_width_months``, and
        under ``others`` each one's ``top1``, ``top5`` and ``nll``; None where undefined.
    """
    ways: dict[str, tuple[NDArray[np.str_], Callable[[str], Any]]] = {
        "history_length": (_lengths(transitions.examples.length), _LENGTHS.index),
        "level": (np.array([level_of(words) for words in transitions.current_words]), _LEVEL_NAMES.index),
        "last_title": (np.where(transitions.current_ids == 0, "unknown", "known"), str),
        "quarter": (_quarters(split_dates), str),
    }
    return {
        way: [_row(name, labels == name, graph, others) for name in sorted(set(labels.tolist()), key=order)]
        for way, (labels, order) in ways.items()
    }


def level_of(words: frozenset[str]) -> str:
    """The level that the words of a title name; a vice president is a manager."""
    rest = words - {"president"} if words >= VICE_PRESIDENT else words
    return next((level for level, signs in LEVELS if rest & signs), OTHER_LEVEL)


_LENGTHS: Final = ["1 role", "2 roles", "3 to 4 roles", "5 to 9 roles", "10 or more roles"]
_LEVEL_NAMES: Final = ["entry", OTHER_LEVEL, "senior", "manager", "executive"]


def _lengths(length: NDArray[np.int64]) -> NDArray[np.str_]:
    return np.array(_LENGTHS)[np.digitize(length, [2, 3, 5, 10])]


def _quarters(dates: pa.Array) -> NDArray[np.str_]:
    months = (
        dates.cast(pa.int32()).to_numpy().astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    )
    return np.array([f"{1970 + month // 12}-Q{month % 12 // 3 + 1}" for month in months.tolist()], np.str_)


def _row(
    name: str, here: NDArray[np.bool_], graph: GraphPredictions, others: Mapping[str, Predictions]
) -> dict[str, Any]:
    own = graph.predictions.take(here)
    tenure = tenure_metrics(own)
    return {
        "segment": name,
        "num": len(own),
        **_next_role(own),
        "ece": expected_calibration_error(graph.calibrated_confidence[here], own.correct),
        **{key: tenure[key] for key in ("num_tenures", "tenure_coverage", "tenure_width_months")},
        "others": {other: _next_role(predictions.take(here)) for other, predictions in others.items()},
    }


def _next_role(predictions: Predictions) -> dict[str, float | None]:
    metrics = next_role(predictions)
    return {name: metrics[name] for name in ("top1", "top5", "nll")}

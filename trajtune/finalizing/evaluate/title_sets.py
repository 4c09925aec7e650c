"""How often the sets of next titles hold the true one, and how large they are; in all and by segment."""

# E examples

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.export.graph_predictions import GraphPredictions


def evaluate_sets(graph: GraphPredictions, segments: Mapping[str, NDArray[np.str_]]) -> dict[str, Any] | None:
    """Coverage and size of the graph's sets; None if it gives none.

    Args:
        graph: Predictions for the last moves.
        segments: The segment of each example ``[E]``, by way.

    Returns:
        ``num`` (people), ``coverage`` and ``mean_size`` of everybody, and under ``segments`` the same with
        ``segment`` for each segment, by way. A next title that the vocabulary does not hold is a miss.
    """
    size, rank = graph.set_size, graph.predictions.rank
    if size is None or not len(rank):
        return None
    holds = (rank > 0) & (rank <= size)
    return {
        **_row(holds, size),
        "segments": {
            way: [
                {"segment": name, **_row(holds[labels == name], size[labels == name])}
                for name in sorted(set(labels.tolist()))
            ]
            for way, labels in segments.items()
        },
    }


def _row(holds: NDArray[np.bool_], size: NDArray[np.int64]) -> dict[str, Any]:
    return {"num": len(holds), "coverage": float(holds.mean()), "mean_size": float(size.mean())}

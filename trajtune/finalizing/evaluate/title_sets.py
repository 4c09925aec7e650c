"""Evaluates the sets of next titles: how often they contain the true title, and how large they are."""

# E examples

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.export.graph_predictions import GraphPredictions


def evaluate_sets(graph: GraphPredictions, segments: Mapping[str, NDArray[np.str_]]) -> dict[str, Any] | None:
    """Return coverage and size of the graph's sets, or None if it outputs none.

    Args:
        graph: Predictions for the last moves.
        segments: The segment of each example ``[E]``, by name of the segmentation.

    Returns:
        ``num`` (people), ``coverage`` and ``mean_size`` of everybody, and under ``segments``, by name of the
        segmentation, the same with ``segment`` for each segment. A next title that is not in the vocabulary
        is a miss.
    """
    size, rank = graph.set_size, graph.predictions.rank
    if size is None or not len(rank):
        return None
    covered = (rank > 0) & (rank <= size)
    return {
        **_row(covered, size),
        "segments": {
            segmentation: [
                {"segment": name, **_row(covered[labels == name], size[labels == name])}
                for name in sorted(set(labels.tolist()))
            ]
            for segmentation, labels in segments.items()
        },
    }


def _row(covered: NDArray[np.bool_], size: NDArray[np.int64]) -> dict[str, Any]:
    return {"num": len(covered), "coverage": float(covered.mean()), "mean_size": float(size.mean())}

"""Predictions of the exported graph, so that evaluation measures the model that is shipped."""

# E examples

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.model.batches import Loader, prediction_batch_size
from trajtune.model.predict import concatenate, predictions, score_next_role
from trajtune.model.predictions import Predictions

_CALIBRATED: Final = "next_role_confidence"
_SET_SIZE: Final = "title_set_size"


@dataclass(frozen=True)
class GraphPredictions:
    """Predictions of the graph for some examples.

    Attributes:
        predictions: Ranks, log-loss and other values; ``confidence`` is the uncalibrated softmax.
        calibrated_confidence: The graph's confidence, float32 ``[E]``; the softmax if it has no such output.
        set_size: Number of titles in the set of next titles, int64 ``[E]``; None if the graph has no sets.
    """

    predictions: Predictions
    calibrated_confidence: NDArray[np.float32]
    set_size: NDArray[np.int64] | None = None


def predict_with_graph(graph: Graph, arrays: CareerArrays, examples: Examples) -> GraphPredictions:
    """Run the graph on the examples and return the predictions in their order."""
    if not len(examples):
        return GraphPredictions(predictions(arrays, examples, concatenate([])), np.empty(0, np.float32))
    index, next_roles = [], []
    columns: dict[str, list[NDArray[Any]]] = {
        "tenure_pred": [],
        "hireability": [],
        **{name: [] for name in (_CALIBRATED, _SET_SIZE) if name in graph.outputs},
    }
    for batch in Loader(arrays, examples, prediction_batch_size(graph.vocab_size)):
        title_ids = batch.title_ids.long().numpy()
        full_lengths = np.full(len(title_ids), title_ids.shape[1], np.int64)
        outputs = graph.run(title_ids, full_lengths if batch.lengths is None else batch.lengths.numpy())
        index.append(batch.index.numpy())
        logits = torch.from_numpy(outputs["next_role_logits"])
        next_roles.append(score_next_role(logits, batch.next_title, batch.title_ids[:, -1]))
        for name, parts in columns.items():
            parts.append(outputs[name])
    original_order = np.argsort(np.concatenate(index))
    next_role = concatenate(next_roles).take(original_order)
    joined = {name: np.concatenate(parts)[original_order] for name, parts in columns.items()}
    calibrated, size = joined.get(_CALIBRATED), joined.get(_SET_SIZE)
    return GraphPredictions(
        predictions(arrays, examples, next_role, joined["tenure_pred"], joined["hireability"][:, 0]),
        next_role.confidence if calibrated is None else calibrated[:, 0],
        None if size is None else size[:, 0],
    )

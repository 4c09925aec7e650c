"""Predictions of the exported graph itself, so that what is measured is what is shipped."""

# E examples

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trajtune.bundle.bundle import Graph
from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.model.batches import Loader, prediction_batch_size
from trajtune.model.predict import NextRole, concatenate, predictions, score_next_role
from trajtune.model.predictions import Predictions


@dataclass(frozen=True)
class Replayed:
    """What the graph says of some examples.

    Attributes:
        predictions: Ranks, log-loss and so on; ``confidence`` is the plain softmax.
        calibrated: float32 ``[E]``: the graph's own calibrated confidence.
    """

    predictions: Predictions
    calibrated: NDArray[np.float32]


def replay(graph: Graph, arrays: CareerArrays, examples: Examples) -> Replayed:
    """Run the examples through the graph; the result is in their order."""
    loader = Loader(arrays, examples, prediction_batch_size(graph.vocab_size))
    index, next_roles = [], []
    columns: dict[str, list[NDArray[Any]]] = {
        "tenure_pred": [],
        "hireability": [],
        "next_role_confidence": [],
    }
    for batch in loader:
        title_ids = batch.title_ids.long().numpy()
        every = np.full(len(title_ids), title_ids.shape[1], np.int64)
        out = graph.run(title_ids, every if batch.lengths is None else batch.lengths.numpy())
        index.append(batch.index.numpy())
        next_roles.append(score_next_role(torch.from_numpy(out["next_role_logits"]), batch.next_title))
        for name, parts in columns.items():
            parts.append(out[name])
    back = np.argsort(np.concatenate(index))
    found = concatenate(next_roles)
    next_role = NextRole(found.rank[back], found.nll[back], found.top_ids[back], found.confidence[back])
    tenure, hireability, calibrated = (np.concatenate(parts)[back] for parts in columns.values())
    return Replayed(predictions(arrays, examples, next_role, tenure, hireability[:, 0]), calibrated[:, 0])

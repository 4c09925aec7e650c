"""Selects example careers from test for the report: what the model predicted, why, and what happened.

Only titles are included, without ids and dates.
"""

# E examples

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.explain import contributions
from trajtune.bundle.graph import Graph
from trajtune.bundle.prediction import LOW_CONFIDENCE
from trajtune.dataset.encode import SplitData
from trajtune.dataset.titles import TitleEncoder
from trajtune.finalizing.evaluate.last_transitions import Transitions
from trajtune.finalizing.export.graph_predictions import GraphPredictions

LONGEST: Final = 12
"""Maximum number of roles of a career; longer careers do not fit into the figure."""


def example_careers(
    graph: Graph,
    encoder: TitleEncoder,
    data: SplitData,
    transitions: Transitions,
    predicted: GraphPredictions,
) -> list[dict[str, Any]]:
    """Return one career of each kind, the first in the order of the split.

    Args:
        graph: The exported model.
        encoder: The model's vocabulary.
        data: The split.
        transitions: Examples of the split, ``[E]``.
        predicted: Predictions of the graph for the examples.

    Returns:
        For each ``why`` (the kind), ``titles``, ``predicted`` and its ``probability``, calibrated
        ``confidence``, ``tenure_months`` (lower, upper), ``hireability``; what ``happened``,
        ``happened_months`` (None: the role has not ended, or its tenure is unknown) and ``happened_rank``
        (0: a title that is not in the vocabulary); ``contributions`` as in `trajtune.bundle.explain`.
    """
    examples, p = transitions.examples, predicted.predictions
    careers = []
    for why, i in choose(transitions, predicted).items():
        start, target = int(examples.start[i]), int(examples.target[i])
        ids = data.arrays.title_ids[start:target].tolist()
        *titles, happened = data.titles.flatten()[start : target + 1].to_pylist()
        top, probability = int(p.top_ids[i, 0]), float(p.confidence[i])
        months = float(p.tenure_months[i])
        careers.append(
            {
                "why": why,
                "titles": titles,
                "predicted": encoder.decode(top),
                "probability": probability,
                "confidence": float(predicted.calibrated_confidence[i]),
                "tenure_months": [float(limit) for limit in p.tenure[i]],
                "hireability": float(p.hireability[i]),
                "happened": happened,
                "happened_months": None if np.isnan(months) else months,
                "happened_rank": int(p.rank[i]),
                "contributions": [
                    vars(contribution) for contribution in contributions(graph, titles, ids, top, probability)
                ],
            }
        )
    return careers


def choose(transitions: Transitions, predicted: GraphPredictions) -> dict[str, int]:
    """Return the index of the example chosen for each kind; a kind without a career is left out."""
    correct, sure = predicted.predictions.correct, predicted.calibrated_confidence >= LOW_CONFIDENCE
    length = transitions.examples.length
    kinds: dict[str, NDArray[np.bool_]] = {
        "sure, and right": sure & correct,
        "sure, and wrong": sure & ~correct,
        "unsure, and right": ~sure & correct,
        "unsure, and wrong": ~sure & ~correct,
        "a career changer": transitions.changers,
        "a short history": length == 1,
    }
    chosen: dict[str, int] = {}
    for why, is_of_kind in kinds.items():
        candidates = is_of_kind & (length <= LONGEST)
        candidates &= ~np.isin(np.arange(len(length)), list(chosen.values()))
        # With several roles in a career, their contributions can be compared.
        several_roles = candidates & (length >= 3)
        numbers = np.flatnonzero(several_roles if several_roles.any() else candidates)
        if len(numbers):
            chosen[why] = int(numbers[0])
    return chosen

"""A few people of test: what the model would have said of them, why, and what happened.

Titles alone are kept: no id, no date.
"""

# E examples

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.bundle import LOW_CONFIDENCE, Graph
from trajtune.bundle.explain import contributions
from trajtune.dataset.encode import SplitData
from trajtune.dataset.titles import TitleEncoder
from trajtune.finalize.evaluate.last_transitions import Moves
from trajtune.finalize.export.graph_predictions import Replayed

LONGEST: Final = 12
"""Roles; a longer career does not fit a figure."""


def examples(
    graph: Graph, encoder: TitleEncoder, data: SplitData, moves: Moves, replayed: Replayed
) -> list[dict[str, Any]]:
    """One career each of those that are told apart, the first in the order of the split.

    Args:
        graph: The exported model.
        encoder: Its vocabulary.
        data: The split.
        moves: Its examples ``[E]``.
        replayed: What the graph says of them.

    Returns:
        For each ``why`` it was taken, ``titles``, ``predicted`` and its ``probability``, calibrated
        ``confidence``, ``tenure_months`` (lower, upper), ``hireability``; what ``happened``,
        ``happened_months`` (None: still held, or not known) and ``happened_rank`` (0: a title that
        training never saw); ``contributions`` as in `trajtune.bundle.explain`.
    """
    said = replayed.predictions
    found = []
    for why, place in choose(moves, replayed).items():
        start, target = int(moves.examples.start[place]), int(moves.examples.target[place])
        ids = data.arrays.title_ids[start:target].tolist()
        titles = data.titles.flatten()[start : target + 1].to_pylist()
        predicted, probability = int(said.top_ids[place, 0]), float(said.confidence[place])
        months = float(said.tenure_months[place])
        found.append(
            {
                "why": why,
                "titles": titles[:-1],
                "predicted": encoder.decode(predicted),
                "probability": probability,
                "confidence": float(replayed.calibrated[place]),
                "tenure_months": [float(limit) for limit in said.tenure[place]],
                "hireability": float(said.hireability[place]),
                "happened": titles[-1],
                "happened_months": None if np.isnan(months) else months,
                "happened_rank": int(said.rank[place]),
                "contributions": [
                    vars(contribution)
                    for contribution in contributions(graph, titles[:-1], ids, predicted, probability)
                ],
            }
        )
    return found


def choose(moves: Moves, replayed: Replayed) -> dict[str, int]:
    """Why each career is taken, and which of the examples it is; a kind without a career is left out."""
    correct, sure = replayed.predictions.correct, replayed.calibrated >= LOW_CONFIDENCE
    length = moves.examples.length
    kinds: dict[str, NDArray[np.bool_]] = {
        "sure, and right": sure & correct,
        "sure, and wrong": sure & ~correct,
        "unsure, and right": ~sure & correct,
        "unsure, and wrong": ~sure & ~correct,
        "a career changer": moves.changers,
        "a short history": length == 1,
    }
    taken: dict[str, int] = {}
    for why, fits in kinds.items():
        wanted = fits & (length <= LONGEST)
        wanted &= ~np.isin(np.arange(len(length)), list(taken.values()))
        # Of a short history there is nothing to leave out; elsewhere a few roles say more than one.
        several = wanted & (length >= 3)
        places = np.flatnonzero(several if several.any() else wanted)
        if len(places):
            taken[why] = int(places[0])
    return taken

"""Ranks and log-losses of distributions over all titles, computed one block of rows at a time."""

# E examples, V titles

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from trajtune.model.predict import NextRole, concatenate, score_next_role

MAX_NUMBERS = 2**23
"""Most probabilities in memory at once: 64 MB."""


def score_in_blocks(
    distribution: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    target: NDArray[np.int64],
    current: NDArray[np.int64],
    vocab_size: int,
) -> NextRole:
    """Return the scores of all targets with bounded memory, instead of memory for E × V numbers.

    Args:
        distribution: Maps row numbers to their probabilities ``[rows, V]``; rows sum to 1, column 0 is 0.
        target: Next title of each row, int64 ``[E]``; 0 is unknown.
        current: Last title of each row's career so far, int64 ``[E]``; 0 is unknown.
        vocab_size: V.
    """
    size = max(1, MAX_NUMBERS // vocab_size)
    return concatenate(
        _score(distribution(np.arange(len(target))[rows]), target[rows], current[rows])
        for rows in (slice(first, first + size) for first in range(0, len(target), size))
    )


def _score(
    probabilities: NDArray[np.float64], target: NDArray[np.int64], current: NDArray[np.int64]
) -> NextRole:
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities)
    return score_next_role(
        torch.from_numpy(logits), torch.from_numpy(target.copy()), torch.from_numpy(current.copy())
    )

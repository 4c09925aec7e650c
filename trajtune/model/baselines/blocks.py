"""From distributions over all titles to ranks and log-losses, a block of rows at a time."""

# E examples, V titles

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from trajtune.model.predict import NextRole, concatenate, score_next_role

MOST_NUMBERS = 2**23
"""Probabilities held at once: 64 MB."""


def score_in_blocks(
    distribution: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    target: NDArray[np.int64],
    current: NDArray[np.int64],
    vocab_size: int,
) -> NextRole:
    """Score each target, so that the memory does not grow with E × V.

    Args:
        distribution: From numbers of rows to their probabilities ``[rows, V]``; sum 1, column 0 is 0.
        target: int64 ``[E]``: the next title of each row; 0 is unknown.
        current: int64 ``[E]``: the last title of each row's career so far; 0 is unknown.
        vocab_size: V.
    """
    size = max(1, MOST_NUMBERS // vocab_size)
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

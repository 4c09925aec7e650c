"""Moves that depend on the titles so far: returns to an earlier title, and the path from the first title.

The titles so far determine the probability and the next title of such a move, so the Bayes optimum stays
exact. Sampling and the optimum use the same functions.
"""

# B careers, P roles so far

import numpy as np
from numpy.typing import NDArray

from trajtune.simulation.generator import CareerGenerator


def past_moves(
    generator: CareerGenerator, so_far: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the next titles that follow from the titles so far, and their probabilities.

    The remaining probability belongs to the moves in `CareerGenerator.move`.

    Args:
        generator: Tables of the population.
        so_far: Title numbers ``[B, P]``, oldest first; at least one.

    Returns:
        Titles and probabilities ``[B, P]`` each; impossible titles have probability 0.
    """
    if so_far.shape[1] == 1:
        path = np.full(so_far.shape, generator.settings.first_role_path)
        return generator.path[so_far], path
    return so_far, generator.settings.returns * _return_shares(so_far)


def has_past_moves(generator: CareerGenerator) -> bool:
    """Return whether any move of the population depends on more than the last title and the hidden state."""
    return generator.settings.returns > 0 or generator.settings.first_role_path > 0


def _return_shares(so_far: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the shares of a return's next titles ``[B, P]``: proportional to 1/n for the n-th latest other
    title.

    A title that was held several times counts at its latest role. All shares are zero if there is only one
    title.
    """
    length = so_far.shape[1]
    later = np.triu(np.ones((length, length), bool), 1)
    is_latest = ~((so_far[:, :, None] == so_far[:, None, :]) & later).any(2)
    other = is_latest[:, ::-1].cumsum(1)[:, ::-1] - 1  # the last title is number 0
    weight = np.where(is_latest & (other > 0), 1.0 / np.maximum(other, 1), 0.0)
    total = weight.sum(1, keepdims=True)
    return np.asarray(np.divide(weight, total, out=np.zeros_like(weight), where=total > 0))

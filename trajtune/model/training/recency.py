"""Weights of the train examples by age, because older moves are less informative about the next ones."""

# E examples

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.params import Params
from trajtune.model.data_parallel import ALONE, Workers

_DAYS_PER_YEAR = 365.25


def recency_weights(
    params: Params, train: CareerArrays, workers: Workers = ALONE
) -> NDArray[np.float32] | None:
    """Return ``0.5 ** (age / recency_half_life)`` of each example, divided by the mean over all examples.

    An example's age is the time from the start of its next role to the newest such start in train.

    Args:
        params: Params, with the half-life in years and which transitions are examples.
        train: Train careers of this worker.
        workers: Workers that have the rest of train; the newest start and the mean are over all workers.

    Returns:
        The weights ``[E]``, in the order of `examples_of`; None if `recency_half_life` is 0.
    """
    if not params.recency_half_life:
        return None
    started = train.start_days[examples_of(train, params.examples).target].astype(np.float64)
    newest = max(workers.all_gather(started.max(initial=-np.inf)))
    weights = 0.5 ** ((newest - started) / (_DAYS_PER_YEAR * params.recency_half_life))
    total, num = np.sum(workers.all_gather((weights.sum(), len(weights))), axis=0)
    scaled: NDArray[np.float32] = (weights * (num / total)).astype(np.float32)
    return scaled

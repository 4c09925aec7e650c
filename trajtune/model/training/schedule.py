"""Learning-rate schedules: pure functions of the training progress, without state to save."""

from math import cos, pi

from trajtune.experiment.params import Params

_RISE = 0.3
"""Share of a one-cycle schedule during which the rate rises (Smith and Topin 2018)."""


def learning_rate(params: Params, epochs_done: float) -> float:
    """Return the learning rate of a step that begins after ``epochs_done`` epochs, fractions included."""
    done = min(epochs_done / params.max_epochs, 1.0)
    if params.schedule == "cosine":
        factor = _falling(done)
    elif params.schedule == "one_cycle":
        factor = (1 + 24 * done / _RISE) / 25 if done < _RISE else _falling((done - _RISE) / (1 - _RISE))
    else:
        factor = 1.0
    if epochs_done < params.warmup_epochs:
        factor *= epochs_done / params.warmup_epochs
    return params.learning_rate * factor


def _falling(done: float) -> float:
    return (1 + cos(pi * done)) / 2

"""Measures what a trial's model costs to serve: number of parameters and latency. Constraints use both."""

import time
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from trajtune.experiment.objective import LATENCY_MS, NUM_PARAMETERS

ROLES: Final = 10
"""Number of roles in the career that is timed."""

_WARM_UP: Final = 5
_TIMED: Final = 50


def serving_cost(checkpoint: Mapping[str, Any], names: frozenset[str]) -> dict[str, float]:
    """Return ``num_parameters`` and ``latency_ms`` of the served model, whichever of them are in ``names``.

    ``latency_ms`` is the median over 50 predictions for one career of 10 roles. It is measured with torch,
    in the trial's process, on one thread. The exported graph takes about a tenth of that in onnxruntime.
    """
    if not names & {NUM_PARAMETERS, LATENCY_MS}:
        return {}
    import torch

    from trajtune.model.checkpoint import build_model

    model = build_model(checkpoint)
    costs: dict[str, float] = {}
    if NUM_PARAMETERS in names:
        costs[NUM_PARAMETERS] = sum(parameter.numel() for parameter in model.parameters())
    if LATENCY_MS in names:
        career = torch.ones((1, ROLES), dtype=torch.int64)
        seconds = []
        with torch.inference_mode():
            for _ in range(_WARM_UP + _TIMED):
                started = time.perf_counter()
                model(career)
                seconds.append(time.perf_counter() - started)
        costs[LATENCY_MS] = 1000 * median(seconds[_WARM_UP:])
    return costs

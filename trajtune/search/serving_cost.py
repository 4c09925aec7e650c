"""What a trial's model costs to serve, for constraints: its size, and the time that a prediction takes."""

import time
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from trajtune.experiment.objective import LATENCY_MS, NUM_PARAMETERS

ROLES: Final = 10
"""Length of the career that is timed."""

_WARM_UP: Final = 5
_TIMED: Final = 50


def measured(checkpoint: Mapping[str, Any], names: frozenset[str]) -> dict[str, float]:
    """Those of ``num_parameters`` and ``latency_ms`` that are asked for, of the model as it would be served.

    ``latency_ms`` is the median of 50 predictions for one career of 10 roles in torch, in the trial's own
    process and with its one thread; the exported graph takes some tenth of that in onnxruntime.
    """
    if not names & {NUM_PARAMETERS, LATENCY_MS}:
        return {}
    import torch

    from trajtune.model.checkpoint import build_model

    model = build_model(checkpoint)
    found: dict[str, float] = {}
    if NUM_PARAMETERS in names:
        found[NUM_PARAMETERS] = sum(parameter.numel() for parameter in model.parameters())
    if LATENCY_MS in names:
        career = torch.ones((1, ROLES), dtype=torch.int64)
        seconds = []
        with torch.inference_mode():
            for _ in range(_WARM_UP + _TIMED):
                began = time.perf_counter()
                model(career)
                seconds.append(time.perf_counter() - began)
        found[LATENCY_MS] = 1000 * median(seconds[_WARM_UP:])
    return found

"""How long one career takes in onnxruntime, called as the service does: batch 1, no padding, one thread."""

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle import Graph

CALLS: Final = 500
_WARM_UP: Final = 20


def measure_latency(graph: Graph, careers: Sequence[NDArray[np.int64]]) -> dict[str, float | int]:
    """Wall-clock milliseconds of a call over some real careers, again and again.

    Args:
        graph: The exported file.
        careers: Title ids, each at least one long; at least one career.

    Returns:
        ``p50_ms``, ``p95_ms``, ``p99_ms`` and ``calls``.
    """
    seconds = []
    for call in range(_WARM_UP + CALLS):
        title_ids = careers[call % len(careers)][None]
        lengths = np.array([title_ids.shape[1]], np.int64)
        began = time.perf_counter()
        graph.run(title_ids, lengths)
        seconds.append(time.perf_counter() - began)
    p50, p95, p99 = np.percentile(seconds[_WARM_UP:], [50, 95, 99]) * 1000
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "calls": CALLS}

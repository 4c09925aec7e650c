"""Measures latency in Python and Node like in the service: batch 1, no padding, one thread, softmax, sort."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph

CALLS: Final = 500
ONNXRUNTIME_NODE: Final = "1.30.0"
AT_ONCE: Final = 50
"""Number of people for which the search service requests predictions at once."""

ROUNDS: Final = 20
_WARM_UP: Final = 20
_SCRIPT: Final = Path(__file__).with_name("latency.mjs")
_NODE_TIMEOUT_S: Final = 60


def measure_latency(graph: Graph, model: Path, careers: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Return `latency_in_python` and `latency_in_node` (percentiles as ``node``, or None with a reason)."""
    return {**latency_in_python(graph, careers), **latency_in_node(model, careers)}


def latency_in_python(graph: Graph, careers: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Measure wall-clock milliseconds per call, with softmax and sort, over many calls with real careers.

    Args:
        graph: The exported graph.
        careers: Title ids of careers with at least one role; at least one career.

    Returns:
        ``p50_ms``, ``p95_ms``, ``p99_ms`` and ``calls``.
    """
    seconds = []
    for call in range(_WARM_UP + CALLS):
        title_ids = careers[call % len(careers)][None]
        lengths = np.array([title_ids.shape[1]], np.int64)
        started = time.perf_counter()
        logits = graph.run(title_ids, lengths)["next_role_logits"][0].astype(np.float64)
        powers = np.exp(logits - logits.max())
        np.sort(powers / powers.sum())
        seconds.append(time.perf_counter() - started)
    return _described(np.array(seconds[_WARM_UP:]) * 1000)


def latency_in_node(model: Path, careers: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Measure the same in Node, if Node and onnxruntime-node are installed; nothing is downloaded.

    onnxruntime-node is searched for from the working directory upwards, and in `client_folder`.

    Args:
        model: The exported file.
        careers: As in `latency_in_python`.

    Returns:
        ``node``: the percentiles, ``calls``, ``version`` and ``fifty_at_once_p95_ms``, the time until the
        last of `AT_ONCE` simultaneous requests is answered; or None with ``node_reason``.
    """
    node = shutil.which("node")
    if node is None:
        return {"node": None, "node_reason": "Node is not installed"}
    folders = [str(Path.cwd()), str(client_folder())]
    try:
        done = subprocess.run(
            [node, str(_SCRIPT), str(model), *map(str, (CALLS, _WARM_UP, ROUNDS, AT_ONCE)), *folders],
            input=json.dumps([career.tolist() for career in careers]),
            capture_output=True,
            text=True,
            timeout=_NODE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return {"node": None, "node_reason": f"Node took more than {_NODE_TIMEOUT_S} s"}
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if "Error" in line]
        return {"node": None, "node_reason": f"Node failed: {lines[0] if lines else done.returncode}"}
    measured = json.loads(done.stdout)
    if not measured:
        reason = (
            "onnxruntime-node is not installed; "
            f"run `npm install onnxruntime-node@{ONNXRUNTIME_NODE}` in the working directory"
        )
        return {"node": None, "node_reason": reason}
    together = {"fifty_at_once_p95_ms": float(np.percentile(measured["together_ms"], 95))}
    return {"node": {**_described(np.array(measured["ms"])), **together, "version": measured["node"]}}


def client_folder() -> Path:
    """Return the folder where tests install onnxruntime-node; finalize also finds it there."""
    return platformdirs.user_cache_path("trajtune") / f"service-client-{ONNXRUNTIME_NODE}"


def _described(ms: NDArray[np.float64]) -> dict[str, Any]:
    p50, p95, p99 = np.percentile(ms, [50, 95, 99])
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "calls": len(ms)}

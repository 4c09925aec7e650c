"""Measure how fast a search grows a cluster from no worker to four, compared with plain Ray tasks."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import ray

from benchmarks.rows import result
from tests.support.autoscaling import autoscaling_cluster
from trajtune.cluster import ray_session
from trajtune.experiment.load import save_experiment
from trajtune.experiment.settings import Experiment
from trajtune.storage.path import StoredPath

WORKERS: Final = 4
MAX_S_LATER: Final = 30.0
_PATIENCE_S: Final = 300.0

_PLAIN_TASKS: Final = """
import sys, time, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
ray.get([ray.remote(num_cpus=1)(lambda: time.sleep(300)).remote() for _ in range(10)])
"""


def scale_out(experiment: Experiment, snapshot: StoredPath, directory: Path) -> list[dict[str, Any]]:
    """Return the seconds from the start of a process to four workers, for plain tasks and for a search.

    Args:
        experiment: Experiment with more trials than workers, each of which takes minutes.
        snapshot: Snapshot of its careers.
        directory: Directory for temporary files.
    """
    save_experiment(experiment, directory / "scale_out.yaml")
    trajtune = "import sys; sys.argv[0] = 'trajtune'; from trajtune.cli import main; main()"
    searching = ["-c", trajtune, "search", str(directory / "scale_out.yaml"), "--snapshot", str(snapshot)]
    plain = _seconds_to_all_workers(lambda address: ["-c", _PLAIN_TASKS, address])
    ours = _seconds_to_all_workers(lambda address: [*searching, "--address", address])
    return [
        result(f"scale-out: seconds to {WORKERS} workers, plain tasks", plain, "s"),
        result(f"scale-out: seconds to {WORKERS} workers, trajtune search", ours, "s"),
        result("scale-out: trajtune search - plain tasks", ours - plain, "s", most=MAX_S_LATER),
    ]


def _seconds_to_all_workers(arguments: Any) -> float:
    with autoscaling_cluster({"CPU": 1}, most=WORKERS) as address, ray_session(address):
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments(address)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while ray.cluster_resources().get("CPU", 0) < WORKERS:
                assert process.poll() is None, "the process ended before the cluster had grown"
                assert time.perf_counter() - began < _PATIENCE_S, "the cluster does not grow"
                time.sleep(0.2)
            return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()

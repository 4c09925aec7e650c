"""A cluster grows with a search from no worker to its maximum, and shrinks afterwards."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.searching.faults.killing import ROOT, check_invariants
from tests.support.autoscaling import autoscaling_cluster
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import save_experiment, validate
from trajtune.experiment.settings import Experiment
from trajtune.searching.runs.directory import open_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

WATCH = """
import sys, time, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
while True:
    print(sum("CPU" in node["Resources"] for node in ray.nodes() if node["Alive"]), flush=True)
    time.sleep(0.5)
"""


def test_a_search_grows_a_cluster_from_no_worker_to_four_and_releases_them(
    ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    experiment = validate(
        Experiment,
        {
            "training": {"max_epochs": 10},
            "search": {"space": "smoke", "trials": 8, "pruner": {"name": "none"}},
            "storage": {"runs": str(tmp_path / "runs")},
        },
        "test",
    )
    save_experiment(experiment, tmp_path / "e.yaml")
    trajtune = str(Path(sys.executable).parent / "trajtune")
    with autoscaling_cluster({"CPU": 1}, most=4, idle_s=5) as address:
        watcher = subprocess.Popen(
            [sys.executable, "-c", WATCH, address], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        try:
            command = [trajtune, "search", str(tmp_path / "e.yaml"), "--snapshot", str(ladder_snapshot.path)]
            completed = subprocess.run(
                [*command, "--run", "r", "--address", address], capture_output=True, text=True, check=False
            )
            assert completed.returncode == 0, completed.stderr
            time.sleep(25)
        finally:
            watcher.kill()
            seen = [int(line) for line in watcher.communicate()[0].split()]

    assert "No node with CPUs is up yet. Requesting one from Ray's autoscaler." in completed.stderr
    # While nodes start, Ray's fake provider may exceed the maximum number of nodes, even for plain tasks.
    assert (seen[0], max(seen) >= 4, seen[-1]) == (0, True, 0), seen
    check_invariants(open_run(tmp_path / "runs" / "r"), 8)


DECLARED = """
import sys, time
import ray
from trajtune.cluster import ray_session
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.tune.cluster_checks import check_cluster
from trajtune.searching.tune.demand import Demand, can_grow, visible_demand
settings = SearchSettings(gpus_per_trial=0.5, max_concurrent=4)
with ray_session(sys.argv[1]):
    check_cluster(settings, sys.argv[2])
    assert can_grow()
    with visible_demand(Demand(settings, 4)):
        while ray.cluster_resources().get("GPU", 0) < 2:
            time.sleep(0.5)
    print(ray.cluster_resources()["GPU"])
"""


def test_gpus_of_declared_nodes_that_are_not_up_are_requested(tmp_path: Path) -> None:
    with autoscaling_cluster({"CPU": 4, "GPU": 1}, most=3) as address:
        completed = subprocess.run(
            [sys.executable, "-c", DECLARED, address, str(tmp_path / "runs")],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=120,
        )
    assert completed.returncode == 0, completed.stderr
    assert float(completed.stdout) >= 2, "two trials with half a GPU fit on each node"
    assert "No node with GPUs is up yet" in completed.stderr

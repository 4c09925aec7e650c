"""A cluster grows with a search, from no worker to as many as it may have, and back."""

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


def test_a_search_grows_a_cluster_from_no_worker_to_four_and_gives_them_back(
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
            said = subprocess.run(
                [*command, "--run", "r", "--address", address], capture_output=True, text=True, check=False
            )
            assert said.returncode == 0, said.stderr
            time.sleep(25)
        finally:
            watcher.kill()
            seen = [int(line) for line in watcher.communicate()[0].split()]

    assert "No node with CPUs is up yet. Requesting one from Ray's autoscaler." in said.stderr
    # While nodes start, Ray's fake provider may launch more of them than it may have, also for plain tasks.
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


def test_gpus_are_asked_for_that_are_declared_on_nodes_not_up_yet(tmp_path: Path) -> None:
    with autoscaling_cluster({"CPU": 4, "GPU": 1}, most=3) as address:
        said = subprocess.run(
            [sys.executable, "-c", DECLARED, address, str(tmp_path / "runs")],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=120,
        )
    assert said.returncode == 0, said.stderr
    assert float(said.stdout) >= 2, "two half trials fit on each"
    assert "No node with GPUs is up yet" in said.stderr

"""A search as a job: `ray job submit` to a cluster with a token, from an installed trajtune."""

import signal
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from tests.support.installed import ROOT, clean_environ, empty_environment, install, site_packages
from trajtune.experiment.load import save_experiment, validate
from trajtune.experiment.settings import Experiment
from trajtune.searching.runs.directory import open_run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRIALS = 3


@dataclass(frozen=True)
class Cluster:
    """A Ray head that listens on loopback.

    Attributes:
        python: Python of its environment.
        dashboard: Address for jobs.
        environ: Environment of its owner's commands.
    """

    python: Path
    dashboard: str
    environ: dict[str, str]

    def submit(self, *command: str, token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ray(self.python), "job", "submit", "--address", self.dashboard, "--", *command],
            env={**self.environ, "RAY_AUTH_TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )


def ray(python: Path) -> list[str]:
    return [str(python), "-m", "ray.scripts.scripts"]


@pytest.fixture
def cluster(wheel: Path, tmp_path: Path) -> Iterator[Cluster]:
    """Install Ray with its job server, which this environment lacks, and use its other packages."""
    python = empty_environment(tmp_path / "venv")
    (site_packages(python) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install(python, "--no-deps", "--no-index", str(wheel))
    install(python, "--constraint", str(ROOT / "constraints.txt"), f"ray[default]=={version('ray')}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="job-", ignore_cleanup_errors=True) as folder:
        environ = clean_environ(
            RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="right" * 8, RAY_USAGE_STATS_ENABLED="0", RAY_TMPDIR=folder
        )
        where = ("--node-ip-address", "127.0.0.1", "--port", "0", "--temp-dir", folder)
        dashboard = ("--dashboard-host", "127.0.0.1", "--dashboard-port", str(port))
        head = subprocess.Popen(
            [*ray(python), "start", "--head", "--block", "--num-cpus", "2", *where, *dashboard],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert head.stdout is not None
        try:
            said = []
            for line in head.stdout:
                said.append(line)
                if "Ray runtime started" in line:
                    break
            else:
                raise AssertionError("".join(said))
            yield Cluster(python, f"http://127.0.0.1:{port}", environ)
        finally:
            started = psutil.Process(head.pid).children(recursive=True)
            head.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs([psutil.Process(head.pid), *started], timeout=20)
            for process in alive:
                process.kill()
            head.wait()


def test_a_job_needs_the_token(cluster: Cluster, tmp_path: Path) -> None:
    content = {
        "source": {"kind": "simulated", "careers": 300},
        "training": {"max_epochs": 2, "embedding_dim": 8, "hidden_dim": 4, "num_layers": 1},
        "search": {"space": "smoke", "trials": TRIALS},
        "storage": {name: str(tmp_path / name) for name in ("runs", "snapshots", "bundles")},
    }
    save_experiment(validate(Experiment, content, "test"), tmp_path / "experiment.yaml")
    trajtune = str(cluster.python.with_name("trajtune"))
    search = (trajtune, "search", str(tmp_path / "experiment.yaml"), "--run", "job")

    refused = cluster.submit(*search, token="wrong" * 8)
    assert refused.returncode != 0
    assert not (tmp_path / "runs").exists()

    done = cluster.submit(*search, token=cluster.environ["RAY_AUTH_TOKEN"])
    assert done.returncode == 0, done.stdout + done.stderr
    trials = read_trials(read_study(open_run(tmp_path / "runs" / "job").path))
    assert len(trials) == TRIALS
    assert {trial.state for trial in trials} <= {"COMPLETE", "PRUNED"}

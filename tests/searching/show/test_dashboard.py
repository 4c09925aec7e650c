"""optuna-dashboard on the study of a run, in a separate process, tested with its API."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.finalized import searched
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import Params
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from trajtune.cli import main; main()", "dashboard"]


@pytest.fixture
def run(small_snapshot: Snapshot, tmp_path: Path) -> Run:
    trials = [Params(learning_rate=rate, embedding_dim=32) for rate in (0.002, 0.004)]
    return searched(tmp_path, small_snapshot, trials)


def read(url: str, process: "subprocess.Popen[str]") -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.loads(response.read())
        except OSError:
            assert process.poll() is None, "the dashboard ended"
            assert time.monotonic() < deadline, "the dashboard does not answer"
            time.sleep(0.2)


def test_the_dashboards_api_serves_the_trials_of_the_run_only_on_loopback(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, str(run.path), "--port", str(port)], stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        api = f"http://127.0.0.1:{port}/api/studies"
        (study,) = read(api, process)["study_summaries"]
        found = read(f"{api}/{study['study_id']}", process)["trials"]
        listening = [
            c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"
        ]
    finally:
        process.terminate()
        process.wait(20)

    trials = read_trials(read_study(run.path))
    assert study["study_name"] == "search"
    assert [trial["number"] for trial in found] == [0, 1, 2]
    assert [float(trial["values"][0]) for trial in found] == [trial.value for trial in trials]
    assert [{p["name"] for p in trial["params"]} for trial in found] == [set(run.space.searched)] * 3
    assert listening == ["127.0.0.1"]


def test_a_taken_port_is_a_one_line_error(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = subprocess.run([*COMMAND, str(run.path), "--port", port], capture_output=True, text=True)

    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith(
        f"RunError: The dashboard cannot listen on 127.0.0.1:{port}"
    )
    assert "Traceback" not in ran.stderr

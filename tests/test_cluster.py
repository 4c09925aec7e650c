"""The Ray session: whenever it is stopped, no process and no directory stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trajtune import cluster
from trajtune.cluster import ray_session
from trajtune.errors import RunError

SESSION = """
import time
from trajtune.cluster import ray_session
with ray_session(num_cpus=1):
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["starting", "open", "an agent hangs"])
def test_ctrl_c_leaves_nothing_behind_whenever_it_comes(short_tmp: Path, moment: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION],
        env={**os.environ, "TMPDIR": str(short_tmp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    if moment != "starting":
        assert process.stdout.readline() == "open\n"  # Ray's agents are still at their first files
    deadline = time.monotonic() + 60
    while not list(short_tmp.glob("trajtune-*/session_*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started = psutil.Process(process.pid).children(recursive=True)
    if moment == "an agent hangs":
        next(child for child in started if "RuntimeEnvAgent" in "".join(child.cmdline())).suspend()
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=60)

    assert out == "", "it was interrupted before it could go on"
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
    assert os.listdir(short_tmp) == []
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []


def test_an_address_where_nothing_answers_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ANSWER_WAIT_S", 0.5)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    refused = r"must answer at 127\.0\.0\.1:1, but none does: Connection refused\."
    with pytest.raises(RunError, match=refused), ray_session("127.0.0.1:1"):
        raise AssertionError("joined")

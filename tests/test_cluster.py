"""The Ray session: whenever it is stopped, no process and no directory stays behind."""

import os
import signal
import subprocess
import sys
import tempfile
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


def test_a_path_too_long_for_rays_sockets_is_said_and_another_one_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for length, is_short in ((18, True), (28, False)):
        folder = Path("/tmp") / ("x" * (length - len("/tmp/")))
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        session = Path(cluster._session_directory())
        assert session.parent == (folder if is_short else Path("/tmp"))
        session.rmdir()
        folder.rmdir()
        assert ("too long a path for Ray's sockets" in capsys.readouterr().err) != is_short


@pytest.mark.slow
def test_ray_starts_however_long_the_path_for_temporary_files_is(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    code = "from trajtune.cluster import ray_session\nwith ray_session(num_cpus=1): print('open')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "open\n"), done.stderr
    assert done.stderr.count("too long a path for Ray's sockets") == 1
    assert list(folder.iterdir()) == []

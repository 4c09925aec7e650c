"""The Ray session: whenever it is stopped, no process and no directory stays behind."""

import os
import signal
import socket
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

    assert out == "", "it was interrupted before it could continue"
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


def test_what_listens_at_the_address_but_is_no_ray_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr(cluster, "_HANDSHAKE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        refused = rf"must answer at {address}, but none does: the service there is not Ray\."
        with pytest.raises(RunError, match=refused), ray_session(address):
            raise AssertionError("joined")


def test_a_ray_that_does_not_start_is_one_line(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**settings: object) -> None:
        raise Exception("The current node timed out\nduring startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", fail)
    monkeypatch.setattr("ray.shutdown", lambda: None)  # another test's Ray may be open
    monkeypatch.setattr(tempfile, "tempdir", str(short_tmp))
    refused = (
        "^Ray must start on this machine, but did not: The current node timed out during startup\\. Check"
    )
    with pytest.raises(RunError, match=refused), ray_session():
        raise AssertionError("started")
    assert os.listdir(short_tmp) == []


def test_a_long_temporary_directory_is_avoided_and_stderr_names_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    directory = Path(cluster._session_directory())
    try:
        assert directory.parent == Path("/tmp")
        assert f"{long} is too long for Ray's sockets, so Ray's files are in {directory}." in (
            capsys.readouterr().err
        )
        longest = directory / "session_2026-11-28_01-37-29_123456_1234567/sockets/plasma_store"
        assert len(str(longest)) <= 107
        monkeypatch.setattr(cluster, "_OTHER_PLACES", (str(long),))
        with pytest.raises(
            RunError, match="Ray's sockets need a directory whose path has at most 43 bytes, but"
        ):
            cluster._session_directory()
    finally:
        directory.rmdir()


@pytest.mark.slow
def test_the_handler_of_sigterm_outlives_the_start_of_ray(short_tmp: Path) -> None:
    code = """
import signal
from trajtune.cluster import ray_session
handler = lambda number, frame: print("ours", flush=True)
signal.signal(signal.SIGTERM, handler)
with ray_session(num_cpus=1):
    assert signal.getsignal(signal.SIGTERM) is handler
assert signal.getsignal(signal.SIGTERM) is handler
"""
    environment = {**os.environ, "TMPDIR": str(short_tmp)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


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
    assert done.stderr.count("is too long for Ray's sockets") == 1
    assert list(folder.iterdir()) == []

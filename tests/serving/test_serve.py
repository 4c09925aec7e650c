"""Starting and ending a server: what is checked first, where it listens, how it stops."""

import http.client
import importlib.util
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cli.conftest import trajtune  # noqa: F401 - a fixture
from tests.cli.running import Trajtune, assert_one_line
from tests.serving.bundles import passed
from tests.serving.running import served
from trajtune.serving import serve as serve_module


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is interrupted as soon as it would answer."""

    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve_module, "_run", interrupt)


def test_a_damaged_bundle_is_refused(trajtune: Trajtune, finalized: Path, tmp_path: Path) -> None:  # noqa: F811
    copy = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    with (copy / "trajectory-lstm.onnx").open("ab") as file:
        file.write(b"x")
    assert_one_line(trajtune("serve", str(copy)), "BundleError", "trajectory-lstm.onnx was altered")
    assert_one_line(trajtune("serve", "nowhere"), "BundleError", "No bundle at nowhere")


def test_a_port_in_use_is_one_line(trajtune: Trajtune, finalized: Path, tmp_path: Path) -> None:  # noqa: F811
    copy = passed(finalized, tmp_path / "bundle")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = trajtune("serve", str(copy), "--port", port)
    assert_one_line(
        outcome, "ServingError", f"Cannot listen on 127.0.0.1:{port}: Address already in use. Give another"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 80])
def test_a_host_that_is_not_here_is_one_line(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    tmp_path: Path,
    host: str,
) -> None:
    outcome = trajtune("serve", str(passed(finalized, tmp_path / "bundle")), "--host", host)
    assert_one_line(outcome, "ServingError", f"Cannot listen on {host}:8000")


def test_without_the_extra_it_says_what_to_install(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else there(name))
    outcome = trajtune("serve", str(finalized))
    assert_one_line(outcome, "ServingError", "Serving needs fastapi", "pip install 'trajtune[serve]'")


def test_without_the_extra_it_can_be_imported() -> None:
    """So that the line above can be said."""
    code = (
        "import sys; import trajtune.serving.serve, trajtune.serving.limits;"
        "names = ('fastapi', 'starlette', 'uvicorn', 'torch', 'ray', 'pandas');"
        "print([name for name in names if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "[]"


@pytest.mark.usefixtures("stopped")
def test_the_url_is_on_stdout_and_warnings_on_stderr(
    trajtune: Trajtune,  # noqa: F811
    finalized: Path,
    tmp_path: Path,
) -> None:
    outcome = trajtune("serve", str(finalized), "--port", "0")
    assert outcome.code == 130
    assert outcome.out.startswith("http://127.0.0.1:")
    assert "Warning: Not every gate passed (" in outcome.err
    assert "not this machine alone" not in outcome.err

    outcome = trajtune(
        "serve", str(passed(finalized, tmp_path / "bundle")), "--port", "0", "--host", "0.0.0.0"
    )
    assert "Warning: 0.0.0.0 is not this machine alone, and there is neither a password" in outcome.err
    assert "Not every gate passed" not in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "Terminated."), (signal.SIGINT, 130, "Interrupted.")],
)
def test_a_signal_ends_the_server_cleanly_also_with_open_connections(
    finalized: Path, tmp_path: Path, number: int, code: int, said: str
) -> None:
    with served(finalized, log=tmp_path / "log") as server:
        with urllib.request.urlopen(f"{server.url}health") as response:
            assert json.load(response)["status"] == "ok"
        idle = http.client.HTTPConnection(urlsplit(server.url).netloc)
        idle.request("POST", "/predict", b'["Jr. Nurse"]')
        assert idle.getresponse().status == 200
        half = socket.create_connection((urlsplit(server.url).hostname, urlsplit(server.url).port))
        half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[")
        server.process.send_signal(number)
        assert server.process.wait(30) == code
        half.close()
        idle.close()
    logged = (tmp_path / "log").read_text()
    assert logged.splitlines()[-1] == said
    assert "Traceback" not in logged

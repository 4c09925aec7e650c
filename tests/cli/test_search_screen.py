"""A search as it looks on a terminal, read from the screen that a terminal emulator draws."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pyte
import pytest

from tests.cli.running import COMMAND

COLUMNS, LINES = 140, 40


def screens(directory: Path, *arguments: str, **environ: str) -> tuple[int, list[str], bytes]:
    """Run a command on a terminal.

    Returns:
        Its exit code, the screen after each output, and everything that it wrote.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream, shown, raw = pyte.ByteStream(screen), [], b""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=directory,
        env=os.environ | {"TERM": "xterm-256color"} | environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        while True:
            try:
                chunk = os.read(ours, 1 << 14)
            except OSError:  # once the other side is closed
                break
            if not chunk:
                break
            raw += chunk
            stream.feed(chunk)
            shown.append("\n".join(line.rstrip() for line in screen.display if line.strip()))
    os.close(ours)
    return process.returncode, shown, raw


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_search_shows_its_stages_then_its_trials_then_what_it_found(tmp_path: Path) -> None:
    code, shown, _ = screens(tmp_path, "search", "smoke", "--trials", "3")

    assert code == 0, shown[-1]
    stages = ("Loading trajtune", "Starting Ray", "Splitting by time and writing the snapshot")
    for stage in stages:
        assert any(f"{stage} …" in screen for screen in shown), stage
    running = re.compile(r"^trial 0 .*(starting|epoch \d+ of \d+)", re.MULTILINE)
    assert any(running.search(screen) for screen in shown)
    last = shown[-1]
    assert "3 of 3 trials" in last
    assert "all done" in last
    assert "◆ research default" in last
    assert "best trials" in last
    assert re.search(r"^next +`trajtune finalize ", last, re.MULTILINE)
    assert last.splitlines()[-1].endswith(f"/runs/{next(iter((tmp_path / 'runs').glob('2*'))).name}")


def test_an_error_is_red_once_with_its_remedy_below_it(tmp_path: Path) -> None:
    code, shown, raw = screens(tmp_path, "status", "night-1")
    assert code == 2
    rule, remedy = shown[-1].splitlines()
    assert rule.startswith("RunError: No run night-1")
    assert remedy == "There is none yet; start one with `trajtune search`."
    assert raw.count(b"\x1b[31m") == 1


def test_an_error_has_no_colour_with_no_color(tmp_path: Path) -> None:
    _, _, raw = screens(tmp_path, "status", "night-1", NO_COLOR="1")
    assert b"\x1b[31m" not in raw

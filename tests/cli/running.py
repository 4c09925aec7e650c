"""Run a command of trajtune in this process and capture its output."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.careers import ladder_careers

PASSWORD = "s3cret-marker"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7]|4[0-8]|10[0-7])")
"""An escape code that sets a colour."""
COMMAND = [
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'trajtune'; from trajtune.cli import main; main()",
]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Trajtune = Callable[..., Outcome]


def assert_one_line(outcome: Outcome, *parts: str) -> None:
    assert outcome.code == 2, outcome
    lines = [line for line in outcome.err.splitlines() if line.strip()]
    assert len(lines) == 1, outcome.err
    for part in parts:
        assert part in lines[0]
    assert PASSWORD not in outcome.out + outcome.err


def in_terminal(directory: Path, *arguments: str, answers: str = "", **environ: str) -> tuple[int, str]:
    """Run a command in its own terminal; return its exit code and output."""
    ours, theirs = pty.openpty()
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
        os.write(ours, answers.encode())
        said = b""
        with suppress(OSError):  # once the other side is closed
            while chunk := os.read(ours, 1 << 14):
                said += chunk
    os.close(ours)
    return process.returncode, said.decode()


def write_csv(path: Path) -> None:
    """Write the ladder careers as a file of role rows."""
    lines = ["candidate_id,title,start_date,end_date"]
    for row in ladder_careers().to_pylist():
        for title, start, end in zip(row["titles"], row["starts"], row["ends"], strict=True):
            lines.append(f"{row['candidate_id']},{title},{start},{end or ''}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

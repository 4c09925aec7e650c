"""``search.log`` in a run directory: what was said while it was searched, in plain text with the time.

Each session adds to it. A line is the time (ISO 8601, UTC), a blank, and what was said on stderr: each
trial's end, warnings, and how the session ended.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from trajtune.errors import TrajtuneError

LOG: Final = "search.log"
_CODES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_SECRETS: Final = re.compile(r"(\w+://)[^\s/@]*@")
_PASSWORDS: Final = re.compile(r"(password\s*=\s*)\S+", re.IGNORECASE)


class RunLog:
    """Something to print to; lines reach the file when they end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._begun = file, ""

    def write(self, text: str) -> int:
        """Keep what has no end yet; write each line that has one, with the time before it."""
        *lines, self._begun = (self._begun + text).split("\n")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for line in lines:
            if plain := _without_secrets(_CODES.sub("", line.rpartition("\r")[2])).rstrip():
                # A full disk must not end a search whose record lies elsewhere.
                with suppress(OSError):
                    self._file.write(f"{now} {plain}\n".encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Lines are written when they end."""


class _Both:
    """Standard error that the log hears, too; everything else about it is as it was."""

    def __init__(self, stream: Any, log: RunLog) -> None:
        self._stream, self._log = stream, log

    def write(self, text: str) -> int:
        self._log.write(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def run_log(directory: Path) -> Iterator[RunLog]:
    """The run's log, open for the block; what ends the block with an error is its last line."""
    with (directory / LOG).open("ab", buffering=0) as file:
        log = RunLog(file)
        try:
            yield log
        except (TrajtuneError, KeyboardInterrupt) as error:
            print(f"{type(error).__name__}: {error}", file=log)
            raise
        except BaseException as error:
            # Its message may hold anything; the traceback goes to the terminal.
            print(f"ended by {type(error).__name__}", file=log)
            raise


@contextmanager
def stderr_heard(log: RunLog) -> Iterator[None]:
    """Let the log hear what is printed to stderr in the block."""
    before = sys.stderr
    both: Any = _Both(before, log)
    sys.stderr = both
    try:
        yield
    finally:
        if sys.stderr is both:
            sys.stderr = before


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if "://" in value and "@" in value and value in text:
            text = text.replace(value, f"${name}")
    return _PASSWORDS.sub(r"\1***", _SECRETS.sub(r"\1***@", text))

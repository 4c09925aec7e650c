"""Writes ``search.log`` in a run directory: what a search prints to stderr, as plain text with the time.

Each session appends to it. A line is the time (ISO 8601, UTC), a space, and the text: the end of a trial,
a warning, or how the session ended.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import IO, Any, Final

from trajtune.errors import TrajtuneError
from trajtune.storage.files import open_log
from trajtune.storage.path import StoredPath

LOG: Final = "search.log"
_CODES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_SECRETS: Final = re.compile(r"(\w+://)\S*@")
_PASSWORDS: Final = re.compile(r"(password\s*=\s*)(?:'[^']*'|\S+)", re.IGNORECASE)


class RunLog:
    """A text stream that writes each line to the file once the line is complete."""

    def __init__(self, file: IO[bytes] | io.RawIOBase) -> None:
        self._file, self._incomplete = file, ""

    def write(self, text: str) -> int:
        """Write each complete line after the time; keep the rest for the next call."""
        *lines, self._incomplete = (self._incomplete + text).split("\n")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for line in lines:
            if plain := _without_secrets(_CODES.sub("", line.rpartition("\r")[2])).rstrip():
                # A full disk must not end a search, because its results are in the study.
                with suppress(OSError):
                    self._file.write(f"{now} {plain}\n".encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing, because a line is written once it is complete."""


class _Tee:
    """Standard error that also writes to the log; all other attributes are those of the stream."""

    def __init__(self, stream: Any, log: RunLog) -> None:
        self._stream, self._log = stream, log

    def write(self, text: str) -> int:
        self._log.write(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def run_log(directory: StoredPath) -> Iterator[RunLog]:
    """Open the run's log while the block runs; an error that ends the block becomes its last line."""
    with open_log(directory / LOG) as file:
        log = RunLog(file)
        try:
            yield log
        except (TrajtuneError, KeyboardInterrupt) as error:
            print(f"{type(error).__name__}: {error}", file=log)
            raise
        except BaseException as error:
            # The message may contain a secret; the traceback goes to the terminal.
            print(f"ended by {type(error).__name__}", file=log)
            raise


@contextmanager
def tee_stderr(log: RunLog) -> Iterator[None]:
    """Copy to the log what the block prints to stderr."""
    before = sys.stderr
    tee: Any = _Tee(before, log)
    sys.stderr = tee
    try:
        yield
    finally:
        if sys.stderr is tee:
            sys.stderr = before


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if "://" in value and "@" in value and value in text:
            text = text.replace(value, f"${name}")
    return _PASSWORDS.sub(r"\1***", _SECRETS.sub(r"\1***@", text))

"""``search.log`` in a run directory: what was said while it was searched, in plain text with the time.

Each session adds to it. A line is the time (ISO 8601, UTC), a blank, and what was said on stderr: each
trial's end, warnings, and how the session ended.
"""

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import IO, Any, Final

from trajtune.errors import StorageError, TrajtuneError
from trajtune.storage.path import ObjectPath, StoredPath

LOG: Final = "search.log"
_WRITTEN_EVERY_S: Final = 5.0
_CODES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_SECRETS: Final = re.compile(r"(\w+://)[^\s/@]*@")
_PASSWORDS: Final = re.compile(r"(password\s*=\s*)\S+", re.IGNORECASE)


class RunLog:
    """Something to print to; lines reach the file when they end."""

    def __init__(self, file: IO[bytes] | io.RawIOBase) -> None:
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


class _ObjectLog(io.RawIOBase):
    """The log in a store, where nothing can be appended to: the whole is written again, now and then.

    A store that is away is not waited for, and must not end a search whose record lies elsewhere.
    """

    def __init__(self, path: ObjectPath) -> None:
        self._path = path
        self._content = bytearray(path.read_bytes() if path.is_file() else b"")
        self._written_at = 0.0

    def write(self, line: Any) -> int:
        self._content += line
        if time.monotonic() - self._written_at > _WRITTEN_EVERY_S:
            self._put()
        return len(line)

    def close(self) -> None:
        if not self.closed:
            self._put()
        super().close()

    def _put(self) -> None:
        self._written_at = time.monotonic()
        with suppress(StorageError):
            self._path.write_bytes(bytes(self._content), patience_s=0)


@contextmanager
def run_log(directory: StoredPath) -> Iterator[RunLog]:
    """The run's log, open for the block; what ends the block with an error is its last line."""
    path = directory / LOG
    with _ObjectLog(path) if isinstance(path, ObjectPath) else path.open("ab", buffering=0) as file:
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

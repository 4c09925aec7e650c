"""The lock of a run on this machine: only one process at a time searches in a run."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from trajtune.errors import RunError

StillHeld = Callable[[], None]
"""Raises `RunError` if another process has taken over the lock."""

_TIMEOUT_S: Final = 1.0
"""Seconds to wait for the lock; a process that reads the status holds it for an instant."""


class Lock(Protocol):
    """Prevents a second process from writing to a run."""

    def is_held(self) -> bool:
        """Return whether a process holds the lock."""

    def hold(self) -> AbstractContextManager[StillHeld]:
        """Hold the lock while the block runs.

        Raises:
            RunError: If another process holds the lock.
        """


class FileLock:
    """An operating-system lock, which is released when the process ends for any reason.

    Args:
        path: The file to lock; created if missing.
        name: The run's name, for messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def is_held(self) -> bool:
        """Return whether a process holds the lock."""
        with self._path.open("a") as file:
            return not _lock(file, fcntl.LOCK_SH)

    @contextmanager
    def hold(self) -> Iterator[StillHeld]:
        """Hold the lock while the block runs.

        Raises:
            RunError: If another process holds the lock.
        """
        with self._path.open("a") as file:
            deadline = time.monotonic() + _TIMEOUT_S
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise RunError(
                        f"Another process searches in {self._name}. Wait until it ends, or stop it with "
                        "Ctrl-C."
                    )
                time.sleep(0.05)
            yield lambda: None


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""One process at a time searches in a run: the lock of a run on this machine."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from trajtune.errors import RunError

StillHeld = Callable[[], None]
"""Raises `RunError` if another process has taken the lock over."""

_TIMEOUT_S: Final = 1.0
"""How long to wait for the lock; a process that asks for the status holds it for an instant."""


class Lock(Protocol):
    """Keeps a second process from writing into a run."""

    def is_held(self) -> bool:
        """Whether a process holds it."""

    def hold(self) -> AbstractContextManager[StillHeld]:
        """Hold it for a block.

        Raises:
            RunError: If another process holds it.
        """


class FileLock:
    """A lock of the operating system, which ends with the process, however that ends.

    Args:
        path: The file to lock; made if missing.
        name: The run's name, for messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def is_held(self) -> bool:
        """Whether a process holds it."""
        with self._path.open("a") as file:
            return not _lock(file, fcntl.LOCK_SH)

    @contextmanager
    def hold(self) -> Iterator[StillHeld]:
        """Hold it for the block.

        Raises:
            RunError: If another process holds it.
        """
        with self._path.open("a") as file:
            deadline = time.monotonic() + _TIMEOUT_S
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise RunError(
                        f"Another process searches in {self._name}. Wait for it, or stop it with Ctrl-C "
                        "there."
                    )
                time.sleep(0.05)
            yield lambda: None


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""One process at a time searches in a run: the lock of one that lies on this machine."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from trajtune.errors import RunError

StillHeld = Callable[[], None]
"""Raises `RunError` if the lock, once taken, is another's now."""

_MOMENT_S: Final = 1.0
"""Somebody who asks for the status holds the lock for a moment."""


class Lock(Protocol):
    """What keeps a second process from writing into a run."""

    def is_held(self) -> bool:
        """Whether a living process holds it."""

    def hold(self) -> AbstractContextManager[StillHeld]:
        """Hold it for a block.

        Raises:
            RunError: If another process holds it.
        """


class FileLock:
    """A lock of the operating system's, which goes with the process, however that ends.

    Args:
        path: The file that is locked; made if missing.
        name: The run's.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def is_held(self) -> bool:
        """Whether a living process holds it."""
        with self._path.open("a") as file:
            return not _lock(file, fcntl.LOCK_SH)

    @contextmanager
    def hold(self) -> Iterator[StillHeld]:
        """Hold it for the block.

        Raises:
            RunError: If another process holds it.
        """
        with self._path.open("a") as file:
            deadline = time.monotonic() + _MOMENT_S
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

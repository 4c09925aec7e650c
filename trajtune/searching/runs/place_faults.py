"""Faults of the environment of a search: a full disk, a missing permission, an unreachable store or server.

Such faults do not depend on the params of a trial. So they stop the search with a one-line error and no trial
fails: the trials stay unfinished, and the search can be resumed once the fault is fixed.

A process that died is such a fault too: its node was lost, it was killed, or memory ran out, perhaps because
of another trial. Only an exception that the trial raised itself, for example a `MemoryError`, makes it fail.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from trajtune.errors import RunError, StorageError, TrajtuneError


class PlaceFaultError(RuntimeError):
    """A trial cannot continue in its environment, but may succeed elsewhere or later. One line of text."""


LOST_WORKER: Final = "The worker process of the trial died"
"""Reason for a loss without a report by Ray."""

_MOST_LOST_IN_A_ROW: Final = 3
_MARK: Final = f"{PlaceFaultError.__name__}: "


def reason_of(error: Exception) -> str:
    """Return what is wrong with the environment, in one line without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        path = error.filename2 or error.filename
        return f"{path}: {error.strerror}" if path else error.strerror
    text = (" ".join(str(error).split()) or type(error).__name__).removesuffix(".")
    # PyArrow's error has only the path.
    is_bare_path = isinstance(error, FileNotFoundError) and " " not in text
    return f"{text}: {os.strerror(errno.ENOENT)}" if is_bare_path else text


@contextmanager
def as_place_faults() -> Iterator[None]:
    """In the process of a trial, raise faults of the environment as `PlaceFaultError`."""
    try:
        yield
    except (OSError, StorageError) as error:
        raise PlaceFaultError(reason_of(error)) from error


def place_fault_in(failure: str) -> str | None:
    """Return the fault of the environment in the text of a failure, or None if the trial itself failed."""
    _, mark, reason = failure.partition(_MARK)
    return reason if mark else None


def stopped(reference: str, reason: str) -> StorageError:
    """Return the error that ends a search after a fault of the environment."""
    return StorageError(
        f"The search stopped with its trials unfinished: {reason}. Fix that, then continue with "
        f"`trajtune search --resume {reference}`."
    )


@contextmanager
def stopping_for_place_faults(reference: str) -> Iterator[None]:
    """In the process that searches, turn faults of the environment into a one-line `StorageError`.

    Args:
        reference: Argument for --resume.

    Raises:
        StorageError: If a file cannot be read or written, or if a store does not answer.
    """
    try:
        yield
    except StorageError as error:
        raise (error if "--resume" in str(error) else stopped(reference, reason_of(error))) from error
    except TrajtuneError:
        raise
    except OSError as error:
        raise stopped(reference, reason_of(error)) from error


@contextmanager
def refusing_for_place_faults(what: str) -> Iterator[None]:
    """Before a search has begun, turn faults of the environment into a one-line `RunError`.

    Args:
        what: The action of the block, for the message, for example "make a run in runs".

    Raises:
        RunError: If a file cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"Cannot {what}: {reason_of(error)}. Free disk space or fix permissions.") from error


@dataclass
class LostTrials:
    """Trials that a session leaves unfinished because their processes died in every attempt.

    Attributes:
        numbers: Their numbers, and those of their duplicates.
        in_a_row: Number of such trials since the last recorded epoch of any trial.
        reason: How the last one was lost, as a clause.
    """

    numbers: set[int] = field(default_factory=set)
    in_a_row: int = 0
    reason: str = ""

    def add(self, number: int, duplicates: Sequence[int], failure: str) -> None:
        """Add a trial that was lost because of ``failure``, and its duplicates."""
        self.numbers.update([number, *duplicates])
        self.in_a_row += 1
        self.reason = (
            f"the process of trial {number} died in every attempt before an epoch ended "
            f"({failure.rstrip('.')}). If memory ran out, lower `--max-concurrent`"
        )

    def stop_if_all_are_lost(self, reference: str) -> None:
        """Stop the search if several trials were lost one after another and no epoch was recorded meanwhile.

        Raises:
            StorageError: If so.
        """
        if self.in_a_row >= _MOST_LOST_IN_A_ROW:
            raise stopped(reference, self.reason)

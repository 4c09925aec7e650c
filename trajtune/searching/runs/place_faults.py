"""Faults of the place where a search runs: a full disk, no permission, a store or a server that is away.

They say nothing about the params that a trial tries. So they end the search in one line, its trials stay
unfinished, none of them fails, and the search resumes once the place is well again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trajtune.errors import RunError, StorageError, TrajtuneError


class PlaceFaultError(RuntimeError):
    """A trial cannot go on where it runs; the message is one line. It may succeed elsewhere, or later."""


_MARK: Final = f"{PlaceFaultError.__name__}: "


def reason_of(error: Exception) -> str:
    """What is wrong with the place, in one line without a full stop."""
    if isinstance(error, OSError) and error.strerror:
        path = error.filename2 or error.filename
        return f"{path}: {error.strerror}" if path else error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    return text.removesuffix(".")


@contextmanager
def as_place_faults() -> Iterator[None]:
    """In the process of a trial, raise what the place refuses as `PlaceFaultError`."""
    try:
        yield
    except (OSError, StorageError) as error:
        raise PlaceFaultError(reason_of(error)) from error


def place_fault_in(failure: str) -> str | None:
    """What is wrong with the place, from why an attempt failed; None if it is the trial that fails."""
    _, mark, reason = failure.partition(_MARK)
    return reason if mark else None


def stopped(reference: str, reason: str) -> StorageError:
    """The error that ends a search for a fault of the place."""
    return StorageError(
        f"The search stopped with its trials unfinished: {reason}. Fix that, then go on with "
        f"`trajtune search --resume {reference}`."
    )


@contextmanager
def stopping_for_place_faults(reference: str) -> Iterator[None]:
    """In the process that searches, end the search in one line for what its place refuses.

    Args:
        reference: What --resume takes.

    Raises:
        StorageError: For a file that cannot be read or written, or a store that does not answer.
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
    """Before a search has begun, refuse it in one line for what its place refuses.

    Args:
        what: What is done, for the message, for example "make a run in runs".

    Raises:
        RunError: For a file that cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"Cannot {what}: {reason_of(error)}. Make room, or give the permission.") from error

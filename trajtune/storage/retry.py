"""Retries of what failed for a moment: one policy for object stores, databases and readers."""

import math
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_LONGEST_WAIT_S: Final = 5.0


def retrying(
    operation: Callable[[], T],
    is_transient: Callable[[Exception], bool],
    *,
    seconds: float = math.inf,
    attempts: float = math.inf,
    first_wait_s: float = 0.2,
    service: str | None = None,
) -> T:
    """Call an operation until it succeeds, fails for good, or has failed for too long.

    Args:
        operation: What to call; it may be called several times.
        is_transient: Whether an error may be gone at the next attempt; any other is raised at once.
        seconds: An attempt that fails this long after the first one began is the last.
        attempts: Attempts in total.
        first_wait_s: Wait before the second attempt; doubled before each further one, to at most 5 seconds.
        service: What does not answer; stderr says so before the first wait. None says nothing.

    Returns:
        The operation's result.

    Raises:
        Exception: What the last attempt raised.
    """
    began = time.monotonic()
    attempt, wait_s = 1, first_wait_s
    while True:
        try:
            return operation()
        except Exception as error:
            if not is_transient(error) or attempt >= attempts or time.monotonic() - began >= seconds:
                raise
        if attempt == 1 and service is not None:
            print(f"{service} does not answer; trying again for {seconds:g} s.", file=sys.stderr, flush=True)
        time.sleep(wait_s)
        attempt, wait_s = attempt + 1, min(2 * wait_s, _LONGEST_WAIT_S)

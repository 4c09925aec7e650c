"""Retries of what failed for a moment: one policy for object stores, databases and readers."""

import math
import sys
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    wait_exponential,
)

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

    def announce(state: RetryCallState) -> None:
        if state.attempt_number == 1 and service is not None:
            print(f"{service} does not answer; trying again for {seconds:g} s.", file=sys.stderr, flush=True)

    policy = Retrying(
        # Ctrl-C reaches the policy too, and is never transient.
        retry=retry_if_exception(lambda error: isinstance(error, Exception) and is_transient(error)),
        stop=stop_any(stop_after_delay(seconds), stop_after_attempt(attempts)),  # type: ignore[arg-type]
        wait=wait_exponential(multiplier=first_wait_s, max=_LONGEST_WAIT_S),
        before_sleep=announce,
        reraise=True,
    )
    return policy(operation)

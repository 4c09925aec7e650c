"""Retry operations after transient failures, with one policy for object stores, databases and readers."""

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

_MAX_WAIT_S: Final = 5.0


def retrying(
    operation: Callable[[], T],
    is_transient: Callable[[Exception], bool],
    *,
    seconds: float = math.inf,
    attempts: float = math.inf,
    first_wait_s: float = 0.2,
    service: str | None = None,
) -> T:
    """Call an operation until it succeeds, fails permanently, or has failed for too long.

    Args:
        operation: Operation to call; it may be called several times.
        is_transient: Function that returns whether an error may disappear; other errors are raised at once.
        seconds: Seconds after the start of the first attempt from which a failure is final.
        attempts: Largest number of attempts.
        first_wait_s: Seconds before the second attempt; doubled before each further one, up to 5 seconds.
        service: Name of the service that does not answer, for a message on stderr before the first wait;
            None: no message.

    Returns:
        The result of the operation.

    Raises:
        Exception: The error of the last attempt.
    """

    def announce(state: RetryCallState) -> None:
        if state.attempt_number == 1 and service is not None:
            print(f"{service} does not answer; trying again for {seconds:g} s.", file=sys.stderr, flush=True)

    policy = Retrying(
        # Ctrl-C also reaches this function and is never transient.
        retry=retry_if_exception(lambda error: isinstance(error, Exception) and is_transient(error)),
        stop=stop_any(stop_after_delay(seconds), stop_after_attempt(attempts)),  # type: ignore[arg-type]
        wait=wait_exponential(multiplier=first_wait_s, max=_MAX_WAIT_S),
        before_sleep=announce,
        reraise=True,
    )
    return policy(operation)

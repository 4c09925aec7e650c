"""What a request may ask for, so that none exhausts the memory or holds up the others."""

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Final

BODY_BYTES: Final = 1 << 20
CAREERS: Final = 256
TITLES: Final = 200


@dataclass(frozen=True)
class Limits:
    """Limits of a request.

    Attributes:
        body_bytes: Bytes of a body.
        careers: Careers of a batch.
        titles: Titles of a career. An explanation costs their square.
        body_s: Seconds in which a body must arrive.
    """

    body_bytes: int = BODY_BYTES
    careers: int = CAREERS
    titles: int = TITLES
    body_s: float = 10.0


class RefusedError(Exception):
    """A request that is not answered.

    Attributes:
        status: The HTTP status.
        reason: The rule, the values and the remedy, in one line.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


async def read_body(chunks: AsyncIterable[bytes], declared: str | None, limits: Limits) -> bytes:
    """Read a body, and stop as soon as it is too large or too slow.

    Args:
        chunks: The body as it arrives.
        declared: The header ``Content-Length``.
        limits: The limits.

    Raises:
        RefusedError: 413 for a body that is too large, 408 for one that does not arrive.
    """
    if declared is not None and declared.isdecimal() and int(declared) > limits.body_bytes:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            async for chunk in chunks:
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise RefusedError(
            408, f"A body must arrive within {limits.body_s:g} seconds. Send it again."
        ) from None
    return bytes(body)


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(
        413,
        f"A body may have {limits.body_bytes:,} bytes, but has more. "
        "Send fewer careers at once, or start the server with a larger --max-body.",
    )


def check_number(careers: int, limits: Limits) -> None:
    """Check the size of a batch.

    Raises:
        RefusedError: If it has too many careers.
    """
    if careers > limits.careers:
        raise RefusedError(
            422,
            f"A batch may have {limits.careers:,} careers, but has {careers:,}. "
            "Divide it, or start the server with a larger --max-careers.",
        )


def check_length(name: str, titles: int, limits: Limits) -> None:
    """Check the length of a career.

    Raises:
        RefusedError: If it has too many titles; calls it ``name``.
    """
    if titles > limits.titles:
        raise RefusedError(
            422,
            f"{name} has {titles:,} titles, but may have {limits.titles:,}. "
            "Send the newest, or start the server with a larger --max-titles.",
        )

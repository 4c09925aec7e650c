"""A body is read no further than it may be, and not for longer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.serving.running import awaited
from trajtune.serving.limits import Limits, RefusedError, read_body

LIMITS = Limits(body_bytes=10, body_s=0.05)


def test_a_body_is_read_in_chunks() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"12345"
        yield b"67890"

    assert awaited(read_body(chunks(), None, LIMITS)) == b"1234567890"
    assert awaited(read_body(chunks(), "10", LIMITS)) == b"1234567890"


def test_an_endless_body_is_left_at_its_limit() -> None:
    read = []

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b"12345"

    with pytest.raises(RefusedError, match="A body may have 10 bytes") as refused:
        awaited(read_body(chunks(), None, LIMITS))
    assert (refused.value.status, len(read)) == (413, 3)


def test_a_body_that_is_announced_as_too_large_is_not_read() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    with pytest.raises(RefusedError, match="A body may have 10 bytes"):
        awaited(read_body(chunks(), "11", LIMITS))


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(60)

    with pytest.raises(RefusedError, match=r"within 0\.05 seconds") as refused:
        awaited(read_body(chunks(), None, LIMITS))
    assert refused.value.status == 408

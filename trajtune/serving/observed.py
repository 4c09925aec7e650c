"""Counts, times and logs every request; the log has nothing that a client wrote."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from trajtune.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Asgi = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Observed:
    """An ASGI application around another.

    A line of the log is the time, the path if it is one of the server's own (else ``other``), the status and
    the milliseconds: no address, no query, no body, because a career is personal data.
    """

    def __init__(self, app: Asgi, metrics: Metrics, paths: frozenset[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, has_begun = time.perf_counter(), 500, False

        async def noted(message: Message) -> None:
            nonlocal status, has_begun
            if message["type"] == "http.response.start":
                status, has_begun = message["status"], True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:  # the server is stopped, and has waited for long enough
            if not has_begun:
                await noted({"type": "http.response.start", "status": 503, "headers": []})
                await noted({"type": "http.response.body", "body": b""})
        finally:
            seconds = time.perf_counter() - begun
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.request(path, status, seconds)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            with suppress(OSError):  # whoever read the log may be gone
                print(f"{now} {path} {status} {1000 * seconds:.1f} ms", file=sys.stderr)

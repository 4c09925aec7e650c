"""A client of the application, in this process."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving.running import awaited
from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.serving.app import create_app
from trajtune.serving.limits import Limits


class Client:
    """Sends requests to an application without a network."""

    def __init__(self, bundle: Bundle, limits: Limits) -> None:
        self.app = create_app(bundle, limits)
        self._transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://here") as client:
                return await client.request(method, path, **arguments)

        return awaited(ask())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)


@pytest.fixture(scope="session")
def bundle(finalized: Path) -> Bundle:
    return load_bundle(finalized)


@pytest.fixture
def client(bundle: Bundle) -> Client:
    """A client of a server with small limits."""
    return Client(bundle, Limits(body_bytes=2000, careers=10, titles=20, body_s=0.2))

"""Fixtures for reading PostgreSQL: small ranges, and a server that may be stopped."""

from collections.abc import Iterator

import pytest

from tests.careers.sources.postgres.reading import fill_server
from tests.support.postgres_server import Server, server
from trajtune.careers.sources.postgres import plan


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ranges so small that a small table has several."""
    monkeypatch.setattr(plan, "RANGE_BYTES", 1 << 16)


@pytest.fixture(scope="package")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("faults")) as one:
        fill_server(one)
        yield one


@pytest.fixture(scope="package")
def wide(own_server: Server) -> Server:
    """Create a table with ranges larger than the buffers of sockets."""
    own_server.run("alter table careers rename to narrow")
    fill_server(own_server, 400, padding=100_000)
    own_server.run("alter table careers alter work_history set storage external")
    own_server.run("alter table careers rename to wide", "alter table narrow rename to careers")
    return own_server

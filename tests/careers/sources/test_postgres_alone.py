"""Where readers cannot share a snapshot, one of them reads everything, and says why."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.careers.sources.test_postgres_faults import assert_whole, fill, load
from tests.support.postgres_server import Server, between, pooler, server, standby
from trajtune.careers.sources.postgres import connection, plan
from trajtune.careers.sources.postgres.datasource import open_postgres
from trajtune.experiment.sources import PostgresSource

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_local")]


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A primary with careers, and its standby."""
    folder = tmp_path_factory.mktemp("replicated")
    with server(folder / "primary") as primary:
        fill(primary)
        with standby(primary, folder / "standby") as replica:
            yield primary, replica


def test_a_standby_is_read_whole_by_readers_that_share_a_snapshot(
    two_servers: tuple[Server, Server], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "RANGE_BYTES", 1 << 14)
    _, replica = two_servers
    assert replica.run("select pg_is_in_recovery()") == [(True,)]
    with open_postgres(PostgresSource(table="careers"), None, replica.url) as (_, read_plan):
        assert read_plan.snapshot is not None
        assert len(read_plan.ranges) > 2
    assert_whole(load(replica.url, table="careers"))
    assert capsys.readouterr().err == ""


def test_behind_a_pooler_of_several_servers_one_reader_reads_and_says_so(
    two_servers: tuple[Server, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second session gets another backend, which knows nothing of the first one's snapshot."""
    primary, replica = two_servers
    ports = (primary.port, replica.port)
    with between(lambda number: ports[min(number, 1)]) as pooler:
        assert_whole(load(pooler.url, table="careers"))
    said = capsys.readouterr().err
    assert said.startswith("Note: readers cannot share a snapshot here (")
    assert said.count("\n") == 1
    assert said.rstrip().endswith("reading with one reader")


def test_behind_pgbouncer_with_connections_enough_readers_share_a_snapshot(
    two_servers: tuple[Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pooler(two_servers[0], tmp_path / "pooler", 20) as url:
        assert_whole(load(url, table="careers"))
        assert_whole(load(url, query="select * from careers"))
    assert capsys.readouterr().err == ""


def test_behind_pgbouncer_with_a_single_connection_one_reader_reads_and_says_so(
    two_servers: tuple[Server, Server],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 2.0)
    with pooler(two_servers[0], tmp_path / "pooler", 1) as url:
        assert_whole(load(url, table="careers"))
    said = capsys.readouterr().err
    assert said == (
        "Note: readers cannot share a snapshot here (no second connection answers): reading with one reader\n"
    )

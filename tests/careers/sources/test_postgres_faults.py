"""What reading does when the server, or the way to it, fails: real servers, real sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.careers.sources.test_postgres import SLOW, history
from tests.support.postgres_server import Between, Server, between, server
from trajtune.careers.read import load_career_sequences
from trajtune.careers.schema import LoadedCareers
from trajtune.careers.sources.postgres import connection
from trajtune.dataset.prepare import prepare
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings, Experiment, StorageSettings
from trajtune.experiment.sources import PostgresSource

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_local")]
COPYING = "select pid from pg_stat_activity where application_name = 'trajtune' and query like 'COPY%'"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("faults")) as one:
        fill(one)
        yield one


def fill(one: Server, count: int = 400, padding: int = 0) -> None:
    roles = history("A", "B" * (padding + 1))
    one.run(
        "create table careers (id int, work_history jsonb)",
        f"insert into careers select n, '{roles}' from generate_series(1, {count}) n",
    )


def load(url: str, **source: str) -> LoadedCareers:
    return load_career_sequences(PostgresSource(**source), DataSettings(), url=url)


def assert_whole(loaded: LoadedCareers, count: int = 400) -> None:
    assert loaded.careers["candidate_id"].to_pylist() == sorted(str(n) for n in range(1, count + 1))
    assert loaded.counts["rows_in"] == count


def in_mid_read(one: Server, action: str, pause_s: float | None) -> threading.Thread:
    """Stop a server once its rows are copied, and start it again after a pause, if any."""

    def act() -> None:
        deadline = time.monotonic() + 60
        while not one.run(COPYING):
            assert time.monotonic() < deadline, "nobody copies"
            time.sleep(0.02)
        time.sleep(0.3)
        one.stop(action)
        if pause_s is not None:
            time.sleep(pause_s)
            one.start()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_a_server_that_takes_connections_and_says_nothing_is_one_line_after_a_bounded_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/x"
        started = time.monotonic()
        with pytest.raises(SourceError, match="no answer in time. Start the server or fix") as caught:
            load(url)
    assert time.monotonic() - started < 20
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("pause_s", [0, 4])
def test_a_server_that_stops_in_mid_read_and_starts_again_loses_and_doubles_nothing(
    own_server: Server, pause_s: float
) -> None:
    stopping = in_mid_read(own_server, "immediate", pause_s)
    loaded = load(own_server.url, query=SLOW.format(table="careers"))
    stopping.join()
    assert_whole(loaded)


def test_a_server_that_stops_for_good_is_one_line_and_leaves_no_snapshot(
    own_server: Server, tmp_path: Path
) -> None:
    experiment = Experiment(
        source=PostgresSource(query=SLOW.format(table="careers")),
        storage=StorageSettings(snapshots=str(tmp_path / "snapshots")),
    )
    stopping = in_mid_read(own_server, "fast", None)
    started = time.monotonic()
    with pytest.raises(SourceError, match="^Cannot read the database at .*: nothing listens there") as caught:
        prepare(experiment, url=own_server.url)
    waited = time.monotonic() - started
    stopping.join()
    own_server.start()
    assert waited < 60
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def wide(own_server: Server) -> Server:
    """A table of which a range is more than sockets can hold."""
    own_server.run("alter table careers rename to narrow")
    fill(own_server, 400, padding=100_000)
    own_server.run("alter table careers alter work_history set storage external")
    own_server.run("alter table careers rename to wide", "alter table narrow rename to careers")
    return own_server


@pytest.mark.parametrize("silent_after", [20_000, 3_000_000])
def test_a_connection_that_is_silently_cut_in_mid_read_is_noticed(
    wide: Server, silent_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first connection exports the snapshot, the second tries to import it; the third reads."""
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 1.0)
    with between(lambda number: wide.port, lambda number: silent_after if number == 2 else None) as proxy:
        loaded = load(proxy.url, table="wide")
    assert_whole(loaded)
    assert proxy.num_silenced == 1


def test_a_way_that_goes_silent_for_good_is_one_line_after_a_bounded_wait(
    wide: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 1.0)
    with between(lambda number: wide.port) as proxy:
        freezing = threading.Thread(target=_freeze, args=(wide, proxy))
        freezing.start()
        started = time.monotonic()
        with pytest.raises(SourceError, match="no answer in time") as caught:
            load(f"{proxy.url}?connect_timeout=2", query=SLOW.format(table="careers"))
        freezing.join()
    assert time.monotonic() - started < 100
    assert "\n" not in str(caught.value)


def _freeze(one: Server, proxy: Between) -> None:
    while not one.run(COPYING):
        time.sleep(0.02)
    proxy.is_frozen = True


def test_a_query_that_takes_its_time_is_not_taken_for_a_silent_connection(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 0.2)
    sleepy = "select c.id, c.work_history from careers c, (select pg_sleep(2)) as once"
    assert_whole(load(own_server.url, query=sleepy))

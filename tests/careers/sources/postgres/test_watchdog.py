"""Hanging connections are detected, and slow queries are not mistaken for them."""

import threading
import time

import pytest

from tests.careers.sources.postgres.reading import COPYING, SLOW, assert_complete, load
from tests.support.postgres_server import Between, Server, between
from trajtune.careers.sources.postgres import connection
from trajtune.errors import SourceError

pytestmark = pytest.mark.usefixtures("ray_local")


@pytest.mark.slow
@pytest.mark.parametrize("silent_after", [20_000, 3_000_000])
def test_a_connection_cut_silently_during_a_read_is_detected(
    wide: Server, silent_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first connection exports the snapshot, the second tries to import it, and the third reads."""
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 1.0)
    with between(lambda number: wide.port, lambda number: silent_after if number == 2 else None) as proxy:
        loaded = load(proxy.url, table="wide")
    assert_complete(loaded)
    assert proxy.num_silenced == 1


@pytest.mark.slow
def test_a_network_that_stays_silent_is_one_line_after_a_bounded_wait(
    wide: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 1.0)
    with between(lambda number: wide.port) as proxy:
        freezing = threading.Thread(target=_freeze, args=(wide, proxy))
        freezing.start()
        started = time.monotonic()
        with pytest.raises(SourceError, match="timeout expired. Start the server") as caught:
            load(f"{proxy.url}?connect_timeout=2", query=SLOW.format(table="careers"))
        freezing.join()
    assert time.monotonic() - started < 100
    assert "\n" not in str(caught.value)


def _freeze(one: Server, proxy: Between) -> None:
    while not one.run(f"select pid from pg_stat_activity where {COPYING}"):
        time.sleep(0.02)
    proxy.is_frozen = True


@pytest.mark.slow
def test_a_slow_query_is_not_mistaken_for_a_silent_connection(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 0.2)
    sleepy = "select c.id, c.work_history from careers c, (select pg_sleep(2)) as once"
    assert_complete(load(own_server.url, query=sleepy))

"""Helpers that create tables of careers, read them, and disturb the reading."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.postgres_server import Server
from trajtune.careers.read import load_career_sequences
from trajtune.careers.schema import LoadedCareers
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import PostgresSource

Execute = Callable[..., list[tuple[Any, ...]]]


def history(*titles: str, start: int = 2000) -> str:
    return json.dumps(
        [
            {"title": title, "start_date": f"{start + at}-01-01", "end_date": f"{start + at}-12-31"}
            for at, title in enumerate(titles)
        ]
    )


def load(database: str, data: DataSettings = DataSettings(), **source: Any) -> LoadedCareers:
    return load_career_sequences(PostgresSource(**source), data, url=database)


def fill(execute: Execute, table: str, count: int, column: str = "jsonb") -> None:
    execute(f"create table {table} (id int, work_history {column})")
    execute(
        f"insert into {table} values %s",
        [(i, history(f"T{i}", "Ünïcode \\ \t'\"", "B")) for i in range(count)],
    )


SLOW = "select id, work_history from {table}, lateral (select pg_sleep(0.004 + id * 0)) as a_moment"


COPYING = "application_name = 'trajtune' and query like 'COPY%'"


EXPORTING = "application_name = 'trajtune' and state = 'idle in transaction'"


def wait_for(execute: Execute, condition: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not execute(f"select 1 from pg_stat_activity where {condition}"):
        assert time.monotonic() < deadline, f"nothing came that is {condition}"
        time.sleep(0.02)


def kill(execute: Execute, condition: str, times: int) -> threading.Thread:
    """Terminate matching connections a given number of times during a read."""

    def terminate() -> None:
        for _ in range(times):
            wait_for(execute, condition)
            time.sleep(0.2)
            execute(f"select pg_terminate_backend(pid) from pg_stat_activity where {condition}")

    thread = threading.Thread(target=terminate)
    thread.start()
    return thread


def fill_server(one: Server, count: int = 400, padding: int = 0) -> None:
    roles = history("A", "B" * (padding + 1))
    one.run(
        "create table careers (id int, work_history jsonb)",
        f"insert into careers select n, '{roles}' from generate_series(1, {count}) n",
    )


def assert_complete(loaded: LoadedCareers, count: int = 400) -> None:
    assert loaded.careers["candidate_id"].to_pylist() == sorted(str(n) for n in range(1, count + 1))
    assert loaded.counts["rows_in"] == count


def in_mid_read(one: Server, action: str, pause_s: float | None) -> threading.Thread:
    """Stop a server once its rows are copied, and optionally start it again after a pause."""

    def act() -> None:
        deadline = time.monotonic() + 60
        while not one.run(f"select pid from pg_stat_activity where {COPYING}"):
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

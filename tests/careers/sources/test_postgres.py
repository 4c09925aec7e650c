"""Reading a real PostgreSQL through a real Ray."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg2
import pyarrow as pa
import pytest
import ray
from psycopg2.extensions import make_dsn

from trajtune.careers.read import load_career_sequences
from trajtune.careers.schema import LoadedCareers
from trajtune.careers.sources import postgres
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory, PostgresSource, RoleRows

pytestmark = pytest.mark.usefixtures("ray_local")
Execute = Callable[..., list[tuple[Any, ...]]]


def history(*titles: str, start: int = 2000) -> str:
    return json.dumps(
        [
            {"title": title, "start_date": f"{start + at}-01-01", "end_date": f"{start + at}-12-31"}
            for at, title in enumerate(titles)
        ]
    )


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges so small that a little table has several."""
    monkeypatch.setattr(postgres, "RANGE_BYTES", 1 << 16)


def load(database: str, data: DataSettings = DataSettings(), **source: Any) -> LoadedCareers:
    return load_career_sequences(PostgresSource(**source), data, url=database)


def fill(execute: Execute, table: str, count: int, column: str = "jsonb") -> None:
    execute(f"create table {table} (id int, work_history {column})")
    execute(
        f"insert into {table} values %s",
        [(i, history(f"T{i}", "Ünïcode \\ \t'\"", "B")) for i in range(count)],
    )


@pytest.mark.parametrize("column", ["jsonb", "json", "text"])
def test_a_json_column_is_read_whatever_its_type(database: str, execute: Execute, column: str):
    fill(execute, f"typed_{column}", 20, column)
    loaded = load(database, table=f"typed_{column}")
    assert loaded.careers["candidate_id"].to_pylist() == sorted(str(i) for i in range(20))
    assert loaded.careers["titles"].to_pylist()[0] == ["T0", "Ünïcode \\ \t'\"".strip(), "B"]
    assert loaded.source == {"kind": "postgres", "table": f"typed_{column}"}
    assert loaded.as_of == date(2002, 12, 31)


def test_role_rows_of_real_types_are_read(database: str, execute: Execute):
    execute(
        "create table experience (candidate_id bigint, title text, start_date date, end_date timestamptz,"
        " is_current boolean)"
    )
    execute(
        "insert into experience values %s",
        [
            (2, "B\nb", date(2001, 1, 1), None, True),
            (2, "A", date(2000, 1, 1), "2000-12-31 23:00+00", False),
            (2, "A", date(2000, 1, 1), "2000-12-31 23:00+00", False),
            (1, "", date(2000, 1, 1), None, None),
            (1, "C", None, None, None),
            (None, "D", date(2000, 1, 1), None, None),
        ],
    )
    data = DataSettings(max_quarantine_fraction=1)
    loaded = load(database, data, table="experience", layout=RoleRows())
    assert loaded.careers.to_pylist() == [
        {
            "candidate_id": "2",
            "titles": ["A", "B\nb"],
            "starts": [date(2000, 1, 1), date(2001, 1, 1)],
            "ends": [date(2000, 12, 31), None],
            "precisions": [1, 1],
            "hireable": None,
        }
    ]
    assert (loaded.counts["rows_in"], loaded.counts["rows_duplicate"], loaded.counts["rows_quarantined"]) == (
        6,
        1,
        3,
    )


def test_the_order_of_rows_changes_no_byte(database: str, execute: Execute, small_pages: None):
    fill(execute, "ordered", 1500)
    execute("insert into ordered values (7, '[]'), (null, '[]'), (8, null)")
    execute("create table shuffled as select * from ordered order by random()")
    first, second = load(database, table="ordered"), load(database, table="shuffled")
    for name in ("careers", "quarantine"):
        assert _bytes(getattr(first, name)) == _bytes(getattr(second, name))
    assert first.counts == second.counts
    assert first.counts["rows_in"] == 1503


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_a_query_a_view_and_a_partitioned_table_are_read_whole(database: str, execute: Execute):
    fill(execute, "base", 300)
    execute("create view seen as select id as candidate_id, work_history from base where id < 200")
    execute("create table parted (id int, work_history jsonb) partition by range (id)")
    execute("create table parted_a partition of parted for values from (0) to (100)")
    execute("create table parted_b partition of parted for values from (100) to (1000)")
    execute("insert into parted select * from base")
    assert load(database, table="seen").careers.num_rows == 200
    assert load(database, table="parted").careers.num_rows == 300
    commented = "select id, work_history from base -- all of them"
    assert load(database, query=commented).careers.num_rows == 300
    limited = "select id, work_history from base limit 200"
    assert load(database, query=limited).careers.num_rows == 200
    query = "select id, work_history as jobs, id % 2 as good from base where id <> 5;"
    layout = JsonHistory(history_column="jobs")
    loaded = load(database, DataSettings(hireable_key="good"), query=query, layout=layout)
    assert loaded.careers.num_rows == 299
    assert loaded.source == {"kind": "postgres", "query": query}
    labels = dict(
        zip(*(loaded.careers[name].to_pylist() for name in ("candidate_id", "hireable")), strict=True)
    )
    assert (labels["3"], labels["4"]) == (1.0, 0.0)


def test_a_query_that_is_not_the_same_each_time_is_refused(database: str, execute: Execute):
    fill(execute, "chance", 300)
    # As random() is, but never the same by chance: what the readers run is a COPY, the count is not.
    query = "select id, work_history from chance where id < 200 or current_query() like 'COPY%'"
    with pytest.raises(SourceError, match="to readers that share it: it is not the same each time"):
        load(database, query=query)


def test_a_name_with_a_quote_and_a_semicolon_is_a_name(database: str, execute: Execute):
    execute("create schema odd")
    execute("""create table odd."ca""nd; drop table x--" (id int, "work;'history" jsonb)""")
    execute("""insert into odd."ca""nd; drop table x--" values %s""", [(1, history("A", "B"))])
    loaded = load(
        database, table='odd.ca"nd; drop table x--', layout=JsonHistory(history_column="work;'history")
    )
    assert loaded.careers.num_rows == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"table": "candidats"}, "There is no table candidats.*Did you mean `candidates`"),
        ({"table": "x; drop table candidates"}, "There is no table x; drop"),
        ({"layout": JsonHistory(history_column="histry")}, "no column histry. Did you mean `work_history`"),
        ({"layout": RoleRows()}, "no column candidate_id, title, .*looks like `source.layout.layout: json`"),
        ({"query": "select 1 as id, oops"}, "The query cannot be run: column \"oops\" does not exist"),
        ({"table": "empty"}, "Table empty is empty"),
    ],
)  # fmt: skip
def test_a_wrong_source_is_one_line_with_what_there_is(
    database: str, execute: Execute, source: dict[str, Any], message: str
):
    execute("create table if not exists candidates (id int, work_history jsonb)")
    execute("create table if not exists empty (id int, work_history jsonb)")
    execute(f"insert into candidates values (1, '{history('A', 'B')}')")
    with pytest.raises(SourceError, match=message) as caught:
        load(database, **source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/x", "127.0.0.1:1/x: nothing listens there"),
        ("postgresql://me:hunter2@no-such-host.invalid/x", "there is no such host"),
        ("hunter2 hunter2", "no PostgreSQL URL"),
        ("postgresql://me:hunter2@[/x", "no PostgreSQL URL"),
    ],
)
def test_a_database_that_is_not_there_is_one_line_without_the_password(url: str, message: str):
    started = time.monotonic()
    with pytest.raises(SourceError, match=message) as caught:
        load(url)
    assert time.monotonic() - started < 15
    error: BaseException | None = caught.value
    assert "\n" not in str(error)
    while error is not None:
        assert "hunter2" not in f"{error} {error.args}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_no_url_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("POSTGRES_URL", raising=False)
    with pytest.raises(SourceError, match="POSTGRES_URL is not set"):
        load_career_sequences(PostgresSource(), DataSettings())


def test_too_many_faulty_rows_stop_with_the_commonest_reasons(database: str, execute: Execute):
    execute("create table faulty (id int, work_history jsonb)")
    rows = (
        [(i, history("A", "B")) for i in range(6)] + [(i, '{"a": 1}') for i in range(6, 9)] + [(None, "[]")]
    )
    execute("insert into faulty values %s", rows)
    with pytest.raises(SourceError, match="40% of 10 rows.*unreadable_history 3, no_id 1"):
        load(database, table="faulty")
    assert load(database, DataSettings(max_quarantine_fraction=0.4), table="faulty").careers.num_rows == 6


def test_a_label_key_that_nobody_has_is_an_error(database: str, execute: Execute):
    fill(execute, "unlabelled", 3)
    with pytest.raises(SourceError, match="No career has a label under `good`"):
        load(database, DataSettings(hireable_key="good"), table="unlabelled")


@contextmanager
def hammering(database: str, table: str) -> Iterator[None]:
    """Updates, inserts and deletes without a pause: readers of two snapshots would see different rows."""
    stop = threading.Event()

    def write() -> None:
        connection = psycopg2.connect(database)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(
                    f"update {table} set work_history = '{history('U', 'V', 'W')}'"
                    " where id = (random() * 1900)::int"
                )
                cursor.execute(f"insert into {table} select max(id) + 1, '{history('N', 'M')}' from {table}")
                cursor.execute(f"delete from {table} where id = (select min(id) from {table})")
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_readers_share_one_snapshot_while_a_writer_hammers_the_table(
    database: str, execute: Execute, small_pages: None
):
    fill(execute, "hammered", 2000)
    with hammering(database, "hammered"):
        with postgres.open_reading(PostgresSource(table="hammered"), None, database) as (rows, reading):
            with postgres.Database(database).transaction(reading.snapshot) as connection:
                cursor = connection.cursor()
                cursor.execute("select id::text, work_history::text from hammered")
                truth = sorted(cursor.fetchall())
            dataset = ray.data.read_datasource(rows, override_num_blocks=len(reading.ranges))
            found = sorted((row["id"], row["history"]) for row in dataset.take_all())
        loaded = load(database, table="hammered")
    now = sorted(execute("select id::text, work_history::text from hammered"))
    assert len(reading.ranges) > 3
    assert found == truth
    assert now != truth
    assert loaded.counts["rows_in"] == loaded.counts["careers"]


SLOW = "select id, work_history from {table}, lateral (select pg_sleep(0.004 + id * 0)) as a_moment"
COPYING = "application_name = 'trajtune' and query like 'COPY%'"
EXPORTING = "application_name = 'trajtune' and state = 'idle in transaction'"


def wait_for(execute: Execute, condition: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not execute(f"select 1 from pg_stat_activity where {condition}"):
        assert time.monotonic() < deadline, f"nothing came that is {condition}"
        time.sleep(0.02)


def kill(execute: Execute, condition: str, times: int) -> threading.Thread:
    """Terminate the connections that meet the condition, as often as asked, while something else reads."""

    def terminate() -> None:
        for _ in range(times):
            wait_for(execute, condition)
            time.sleep(0.2)
            execute(f"select pg_terminate_backend(pid) from pg_stat_activity where {condition}")

    thread = threading.Thread(target=terminate)
    thread.start()
    return thread


def test_a_reader_whose_connection_drops_loses_and_doubles_nothing(database: str, execute: Execute):
    fill(execute, "dropped", 400)
    killer = kill(execute, COPYING, 2)
    loaded = load(database, query=SLOW.format(table="dropped"))
    killer.join()
    assert loaded.careers["candidate_id"].to_pylist() == sorted(str(i) for i in range(400))
    assert loaded.counts["rows_in"] == 400


def test_when_the_snapshot_is_lost_the_reading_begins_again(database: str, execute: Execute):
    fill(execute, "lost", 400)
    killer = kill(execute, f"({EXPORTING}) or ({COPYING})", 1)
    loaded = load(database, query=SLOW.format(table="lost"))
    killer.join()
    assert loaded.counts["rows_in"] == loaded.counts["careers"] == 400


def test_where_no_snapshot_can_be_shared_one_reader_reads_and_says_so(
    database: str, execute: Execute, small_pages: None, capsys: pytest.CaptureFixture[str]
):
    fill(execute, "alone", 1500)
    execute("create role plain login; grant select on alone to plain")
    execute("revoke execute on function pg_export_snapshot() from public")
    url = make_dsn(database, user="plain")
    assert load(url, table="alone").counts["careers"] == 1500
    assert "readers cannot share a snapshot here (permission denied" in capsys.readouterr().err


INTERRUPTED = """
import sys
from trajtune.careers.read import load_career_sequences
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import PostgresSource
load_career_sequences(PostgresSource(query=sys.argv[1]), DataSettings())
"""


@pytest.mark.slow
def test_ctrl_c_leaves_no_connection(database: str, execute: Execute):
    fill(execute, "interrupted", 1200)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, SLOW.format(table="interrupted")],
        env={**os.environ, "POSTGRES_URL": database},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(execute, COPYING)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    deadline = time.monotonic() + 10
    while execute("select 1 from pg_stat_activity where application_name = 'trajtune'"):
        assert time.monotonic() < deadline, "a connection is still open"
        time.sleep(0.1)

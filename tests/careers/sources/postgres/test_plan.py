"""Tables, views and queries are divided between readers of one snapshot."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from psycopg2.extensions import make_dsn

from tests.careers.sources.postgres.reading import Execute, assert_complete, fill, fill_server, history, load
from tests.support.postgres_server import Server, between, pooler, server, standby
from trajtune.careers.init.propose import propose
from trajtune.careers.read import load_career_sequences
from trajtune.careers.sources.postgres import connection, plan
from trajtune.careers.sources.postgres.connection import Database
from trajtune.careers.sources.postgres.datasource import open_postgres
from trajtune.errors import ExperimentError, SourceError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import DataSettings, Experiment
from trajtune.experiment.sources import FileSource, JsonHistory, PostgresSource, RoleRows

pytestmark = pytest.mark.usefixtures("ray_local")


def test_a_query_a_view_and_a_partitioned_table_are_read_completely(database: str, execute: Execute):
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


def test_a_query_with_changing_results_is_refused(database: str, execute: Execute):
    fill(execute, "chance", 300)
    # Like random(), but never equal by chance: the readers run a COPY, the count is not a COPY.
    query = "select id, work_history from chance where id < 200 or current_query() like 'COPY%'"
    with pytest.raises(SourceError, match="must return the same rows each time, but it returned"):
        load(database, query=query)


def test_a_name_may_contain_a_quote_and_a_semicolon(database: str, execute: Execute):
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
def test_a_wrong_source_is_one_line_with_the_existing_names(
    database: str, execute: Execute, source: dict[str, Any], message: str
):
    execute("create table if not exists candidates (id int, work_history jsonb)")
    execute("create table if not exists empty (id int, work_history jsonb)")
    execute(f"insert into candidates values (1, '{history('A', 'B')}')")
    with pytest.raises(SourceError, match=message) as caught:
        load(database, **source)
    assert "\n" not in str(caught.value)


@contextmanager
def hammering(database: str, table: str) -> Iterator[None]:
    """Write without a pause, so that readers of two snapshots would see different rows."""
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


def test_readers_share_one_snapshot_during_constant_writes(
    database: str, execute: Execute, small_pages: None
):
    fill(execute, "hammered", 2000)
    with hammering(database, "hammered"):
        with open_postgres(PostgresSource(table="hammered"), None, database) as (rows, read_plan):
            with Database(database).transaction(read_plan.snapshot) as connection:
                cursor = connection.cursor()
                cursor.execute("select id::text, work_history::text from hammered")
                truth = sorted(cursor.fetchall())
            dataset = ray.data.read_datasource(rows, override_num_blocks=len(read_plan.ranges))
            found = sorted((row["id"], row["history"]) for row in dataset.take_all())
        loaded = load(database, table="hammered")
    now = sorted(execute("select id::text, work_history::text from hammered"))
    assert len(read_plan.ranges) > 3
    assert found == truth
    assert now != truth
    assert loaded.counts["rows_in"] == loaded.counts["careers"]


def test_without_a_shared_snapshot_one_reader_reads_and_says_so(
    database: str, execute: Execute, small_pages: None, capsys: pytest.CaptureFixture[str]
):
    fill(execute, "alone", 1500)
    execute("create role plain login; grant select on alone to plain")
    execute("revoke execute on function pg_export_snapshot() from public")
    url = make_dsn(database, user="plain")
    assert load(url, table="alone").counts["careers"] == 1500
    assert "readers cannot share a snapshot here (permission denied" in capsys.readouterr().err


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Start a primary with careers, and its standby."""
    folder = tmp_path_factory.mktemp("replicated")
    with server(folder / "primary") as primary:
        fill_server(primary)
        with standby(primary, folder / "standby") as replica:
            yield primary, replica


@pytest.mark.slow
def test_readers_of_a_standby_share_a_snapshot(
    two_servers: tuple[Server, Server], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "RANGE_BYTES", 1 << 14)
    _, replica = two_servers
    assert replica.run("select pg_is_in_recovery()") == [(True,)]
    with open_postgres(PostgresSource(table="careers"), None, replica.url) as (_, read_plan):
        assert read_plan.snapshot is not None
        assert len(read_plan.ranges) > 2
    assert_complete(load(replica.url, table="careers"))
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_behind_a_pooler_of_several_servers_one_reader_reads_and_says_so(
    two_servers: tuple[Server, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second session gets another backend, which does not have the first one's snapshot."""
    primary, replica = two_servers
    ports = (primary.port, replica.port)
    with between(lambda number: ports[min(number, 1)]) as pooler:
        assert_complete(load(pooler.url, table="careers"))
    said = capsys.readouterr().err
    assert said.startswith("Note: readers cannot share a snapshot here (")
    assert said.count("\n") == 1
    assert said.rstrip().endswith("reading with one reader")


@pytest.mark.slow
def test_behind_pgbouncer_with_enough_connections_readers_share_a_snapshot(
    two_servers: tuple[Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pooler(two_servers[0], tmp_path / "pooler", 20) as url:
        assert_complete(load(url, table="careers"))
        assert_complete(load(url, query="select * from careers"))
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_behind_pgbouncer_with_a_single_connection_one_reader_reads_and_says_so(
    two_servers: tuple[Server, Server],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "WATCHDOG_TIMEOUT_S", 2.0)
    with pooler(two_servers[0], tmp_path / "pooler", 1) as url:
        assert_complete(load(url, table="careers"))
    said = capsys.readouterr().err
    assert said == (
        "Note: readers cannot share a snapshot here (no second connection answers): reading with one reader\n"
    )


@pytest.mark.parametrize("is_partitioned", [False, True])
def test_a_parent_is_read_in_ranges_of_the_pages_of_all_its_children(
    database: str, execute: Execute, small_pages: None, is_partitioned: bool
) -> None:
    name = f"parent_{is_partitioned}".lower()
    by_range = " partition by range (id)" if is_partitioned else ""
    execute(f"create table {name} (id int, work_history jsonb){by_range}")
    fill(execute, f"{name}_rows", 1500)
    for first, last in ((0, 100), (100, 1500), (1500, 1600)):
        child = f"{name}_{first}"
        if is_partitioned:
            execute(f"create table {child} partition of {name} for values from ({first}) to ({last})")
        else:
            execute(f"create table {child} () inherits ({name})")
        execute(f"insert into {child} select * from {name}_rows where id >= {first} and id < {last}")
    with open_postgres(PostgresSource(table=name), None, database) as (rows, read_plan):
        assert read_plan.is_paged
        assert len(read_plan.ranges) > 3
        dataset = ray.data.read_datasource(rows, override_num_blocks=len(read_plan.ranges))
        sizes = [sum(len(block) for block in task()) for task in rows.get_read_tasks(1)]
        found = sorted(int(row["id"]) for row in dataset.take_all())
    assert found == list(range(1500))
    assert max(sizes) < 750
    assert load(database, table=name).counts["careers"] == 1500


def test_a_user_with_column_privileges_reads_those_columns(database: str, execute: Execute) -> None:
    execute(
        "create table employment (candidate_id int, title text, start_date date, end_date date, salary int)"
    )
    execute(
        "insert into employment values %s",
        [(i, f"T{n}", date(2000 + n, 1, 1), None, 1) for i in range(50) for n in range(3)],
    )
    execute("create role reader login")
    execute("grant select (candidate_id, title, start_date, end_date) on employment to reader")
    url = make_dsn(database, user="reader")
    assert load(url, table="employment", layout=RoleRows()).counts["careers"] == 50

    (proposal,) = [found for found in propose(url) if found.source.table == "employment"]
    assert "salary" not in proposal.choices["title_column"]
    assert proposal.source.layout.model_dump()["title_column"] == "title"

    execute("revoke select (end_date) on employment from reader")
    with pytest.raises(SourceError, match="no column end_date.* GRANT SELECT .*not read end_date, sal"):
        load(url, table="employment", layout=RoleRows())


def test_a_schema_and_a_table_may_have_dots_in_their_names(database: str, execute: Execute) -> None:
    execute('create schema "a.b"')
    execute('create table "a.b"."c.d 🙂" (id int, work_history jsonb)')
    execute('insert into "a.b"."c.d 🙂" values %s', [(1, history("A", "B"))])
    assert load(database, table="a.b.c.d 🙂").counts["careers"] == 1


@pytest.mark.parametrize(
    ("timezone", "days"), [(None, ["2012-03-01", "2012-06-30"]), ("UTC", ["2012-02-29", "2012-06-29"])]
)
def test_a_timestamp_is_the_local_day_of_the_setting_or_of_the_database(
    own_database: str, timezone: str | None, days: list[str], tmp_path: Path
) -> None:
    """A table and a Parquet file give the same day."""
    name = own_database.partition("?")[0].rpartition("/")[2]
    with closing(psycopg2.connect(own_database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"alter database {name} set timezone = 'Europe/Berlin'")
    with closing(psycopg2.connect(own_database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "create table roles (candidate_id int, title text, start_date timestamptz, end_date timestamptz)"
        )
        cursor.execute(
            "insert into roles select n, 'T' || m, timestamptz '2012-03-01 00:00+01' + m * interval '1 year',"
            " timestamptz '2012-06-30 00:00+02' + m * interval '1 year'"
            " from generate_series(1, 5) n, generate_series(0, 1) m"
        )
        cursor.execute("select candidate_id, title, start_date, end_date from roles")
        rows = cursor.fetchall()
    data = DataSettings(timezone=timezone)
    loaded = load(own_database, data, table="roles", layout=RoleRows())
    assert [str(loaded.careers[column][0].as_py()[0]) for column in ("starts", "ends")] == days

    kinds = [pa.int32(), pa.string(), *[pa.timestamp("us", "Europe/Berlin")] * 2]
    names = ("candidate_id", "title", "start_date", "end_date")
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "roles.parquet")
    source = FileSource(kind="parquet", path=str(tmp_path / "roles.parquet"))
    assert load_career_sequences(source, data).careers.equals(loaded.careers)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ExperimentError, match="`data.timezone`: must be a name of the time zone database"):
        validate(Experiment, {"data": {"timezone": "Berlin"}}, "test")

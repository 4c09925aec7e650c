"""Reading a real PostgreSQL through a real Ray: no row is lost or read twice, whatever fails."""

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from tests.careers.sources.postgres.reading import (
    COPYING,
    EXPORTING,
    SLOW,
    Execute,
    assert_complete,
    fill,
    in_mid_read,
    kill,
    load,
    wait_for,
)
from tests.support.postgres_server import Server
from trajtune.dataset.prepare import prepare
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings, Experiment, StorageSettings
from trajtune.experiment.sources import JsonHistory, PostgresSource, RoleRows

pytestmark = pytest.mark.usefixtures("ray_local")


@pytest.mark.parametrize("column", ["jsonb", "json", "text"])
def test_a_json_column_is_read_whatever_its_type(database: str, execute: Execute, column: str):
    fill(execute, f"typed_{column}", 20, column)
    loaded = load(database, table=f"typed_{column}")
    assert loaded.careers["candidate_id"].to_pylist() == sorted(str(i) for i in range(20))
    assert loaded.careers["titles"].to_pylist()[0] == ["T0", "Ünïcode \\ \t'\"".strip(), "B"]
    assert loaded.source == {"kind": "postgres", "table": f"typed_{column}"}
    assert loaded.as_of == date(2002, 12, 31)


@pytest.mark.parametrize("kind", ["jsonb[]", "json[]", "text[]"])
def test_an_array_of_roles_is_a_history(database: str, execute: Execute, kind: str):
    table = f"of_{kind.removesuffix('[]')}_arrays"
    roles = """'{"title": "A", "start_date": "2010"}', '{"title": "B", "start_date": "2012"}'"""
    execute(f"create table {table} (id int, work_history {kind})")
    execute(f"insert into {table} select id, array[{roles}]::{kind} from generate_series(1, 2) id")
    careers = load(database, table=table).careers
    assert careers["titles"].to_pylist() == [["A", "B"], ["A", "B"]]


def test_a_name_with_dots_is_a_path_into_a_json_column(database: str, execute: Execute):
    execute("create table documents (doc jsonb, note text)")
    document = (
        '{"id": {"bioguide": "%s"}, "Person": {"Roles": [{"title": {"name": "A"}, "start_date": "2010"},'
        ' {"title": {"name": "B"}, "start_date": {"year": 2012, "month": 3}}]}}'
    )
    execute("insert into documents values %s", [(document % person, "x") for person in ("p", "q")])
    layout = JsonHistory(
        id_column="doc.id.bioguide", history_column="doc.Person.Roles", title_key="title.name"
    )
    careers = load(database, table="documents", layout=layout).careers.to_pylist()
    assert [(career["candidate_id"], career["titles"]) for career in careers] == [
        ("p", ["A", "B"]),
        ("q", ["A", "B"]),
    ]
    with pytest.raises(SourceError, match="no column note.id, and note is not json or jsonb"):
        load(database, table="documents", layout=layout.model_copy(update={"id_column": "note.id"}))


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
            "end_precisions": [1, None],
            "hireable": None,
        }
    ]
    assert (loaded.counts["rows_in"], loaded.counts["rows_duplicate"], loaded.counts["rows_quarantined"]) == (
        6,
        1,
        3,
    )


def test_the_order_of_rows_does_not_change_the_result(database: str, execute: Execute, small_pages: None):
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


def test_a_dropped_connection_loses_and_duplicates_no_row(database: str, execute: Execute):
    fill(execute, "dropped", 400)
    killer = kill(execute, COPYING, 2)
    loaded = load(database, query=SLOW.format(table="dropped"))
    killer.join()
    assert loaded.careers["candidate_id"].to_pylist() == sorted(str(i) for i in range(400))
    assert loaded.counts["rows_in"] == 400


def test_the_reading_starts_again_when_the_snapshot_is_lost(database: str, execute: Execute):
    fill(execute, "lost", 400)
    killer = kill(execute, f"({EXPORTING}) or ({COPYING})", 1)
    loaded = load(database, query=SLOW.format(table="lost"))
    killer.join()
    assert loaded.counts["rows_in"] == loaded.counts["careers"] == 400


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


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [0, 4])
def test_a_server_restart_during_a_read_loses_and_duplicates_no_row(
    own_server: Server, pause_s: float
) -> None:
    stopping = in_mid_read(own_server, "immediate", pause_s)
    loaded = load(own_server.url, query=SLOW.format(table="careers"))
    stopping.join()
    assert_complete(loaded)


@pytest.mark.slow
def test_a_server_that_stays_down_is_one_line_and_leaves_no_snapshot(
    own_server: Server, tmp_path: Path
) -> None:
    experiment = Experiment(
        source=PostgresSource(query=SLOW.format(table="careers")),
        storage=StorageSettings(snapshots=str(tmp_path / "snapshots")),
    )
    stopping = in_mid_read(own_server, "fast", None)
    started = time.monotonic()
    with pytest.raises(SourceError, match="^Cannot read the database in POSTGRES_URL: .*refused") as caught:
        prepare(experiment, url=own_server.url)
    waited = time.monotonic() - started
    stopping.join()
    own_server.start()
    assert waited < 60
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []

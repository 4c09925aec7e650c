"""Simulated careers in files and databases: the same rows everywhere, written atomically."""

import csv
import json
import time

import numpy as np
import psycopg2
import pyarrow.parquet as pq
import pytest

import trajtune.simulation.write_careers as simulated_write
from tests.careers.sources.test_embedded_postgres import ask
from trajtune.errors import SourceError
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import num_titles
from trajtune.simulation.simulate import simulate
from trajtune.simulation.source_rows import simulated_rows
from trajtune.simulation.spellings import NUM_SPELLINGS, spelling_table
from trajtune.simulation.write_careers import simulated_table, write_simulated

SMALL = ProcessSettings(num_families=3, num_specialisations=3)


def test_every_file_format_contains_the_same_careers(tmp_path):
    for name in ("careers.parquet", "careers.jsonl", "roles.csv"):
        assert write_simulated(200, 3, str(tmp_path / name), SMALL) == str(tmp_path / name)
    careers, surface = simulate(200, 3, SMALL), spelling_table(SMALL)
    expected = []
    for i in range(200):
        for role in range(careers.offsets[i], careers.offsets[i + 1]):
            number = int(careers.languages[i]) * num_titles(SMALL) + int(careers.titles[role])
            days = [np.datetime64(int(day), "D") for day in (careers.starts[role], careers.ends[role])]
            end = None if careers.held[role] else str(days[1])
            expected.append(
                (i + 1, surface[number * NUM_SPELLINGS + int(careers.spellings[role])], str(days[0]), end)
            )

    def flat(rows):
        return [
            (row["id"], role["title"], role["start_date"], role["end_date"])
            for row in rows
            for role in row["work_history"]
        ]

    lines = (tmp_path / "careers.jsonl").read_text("utf-8").splitlines()
    assert flat(map(json.loads, lines)) == expected
    table = pq.read_table(tmp_path / "careers.parquet").to_pylist()
    assert flat({**row, "work_history": json.loads(row["work_history"])} for row in table) == expected
    assert [row["hireable"] for row in table] == careers.hireable.tolist()
    with (tmp_path / "roles.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [
        (int(row["candidate_id"]), row["title"], row["start_date"], row["end_date"] or None) for row in rows
    ] == expected
    assert [row["is_current"] == "true" for row in rows] == careers.held.tolist()


def test_the_same_careers_give_the_same_bytes(tmp_path):
    for name in ("a.parquet", "b.parquet"):
        write_simulated(300, 0, str(tmp_path / name), SMALL)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_interrupted_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = tmp_path / "careers.jsonl"
    write_simulated(50, 0, str(path), SMALL)
    before = path.read_bytes()

    def interrupted(*arguments):
        yield next(simulated_rows(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(simulated_write, "simulated_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_simulated(60, 0, str(path), SMALL)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        (
            "careers.xlsx",
            SMALL,
            r"\.parquet, \.jsonl, \.csv files or a postgresql:// URL, but got careers.xlsx",
        ),
        ("file/careers.csv", SMALL, "^Cannot write .*file/careers.csv: .* Use another path"),
        (
            "roles.csv",
            SMALL.model_copy(update={"broken": 0.1}),
            "has one row per role. Write .jsonl or .parquet",
        ),
    ],
)
def test_a_failed_write_is_a_one_line_error(tmp_path, to, settings, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=message) as error:
        write_simulated(10, 0, str(tmp_path / to), settings)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_simulated_table_is_filled_once_and_its_name_depends_on_every_setting(postgres_url):
    started = time.monotonic()
    name = simulated_table(postgres_url, 500, 0, SMALL)
    assert ask(postgres_url, f"select count(*) from {name}") == 500
    oid = ask(postgres_url, f"select '{name}'::regclass::oid")
    assert simulated_table(postgres_url, 500, 0, SMALL) == name
    assert ask(postgres_url, f"select '{name}'::regclass::oid") == oid
    others = [
        simulated_table(postgres_url, 501, 0, SMALL),
        simulated_table(postgres_url, 500, 1, SMALL),
        simulated_table(postgres_url, 500, 0, SMALL.model_copy(update={"noise": 0.0})),
    ]
    assert len({name, *others}) == 4
    assert time.monotonic() - started < 30


def test_an_interrupted_load_leaves_no_table(postgres_url, monkeypatch):
    def interrupted(*arguments):
        yield next(simulated_rows(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(simulated_write, "simulated_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulated_table(postgres_url, 700, 0, SMALL)
    monkeypatch.undo()
    assert ask(postgres_url, f"select count(*) from {simulated_table(postgres_url, 700, 0, SMALL)}") == 700


def test_candidates_are_written_and_replaced_but_foreign_tables_are_kept(own_database):
    write_simulated(300, 0, own_database, SMALL)
    write_simulated(200, 0, own_database, SMALL)
    assert ask(own_database, "select count(*) from candidates") == 200
    assert ask(own_database, "select jsonb_typeof(work_history) from candidates where id = 1") == "array"
    with psycopg2.connect(own_database) as connection, connection.cursor() as cursor:
        cursor.execute("drop table candidates")
        cursor.execute("create table candidates (theirs int)")
    connection.close()
    with pytest.raises(SourceError, match="has a table `candidates` that trajtune did not create"):
        write_simulated(200, 0, own_database, SMALL)
    assert ask(own_database, "select count(*) from candidates") == 0


def test_a_missing_database_is_a_one_line_error_without_the_password():
    with pytest.raises(SourceError, match="^Cannot connect to the database") as error:
        write_simulated(10, 0, "postgresql://me:hunter2@127.0.0.1:1/none", SMALL)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)

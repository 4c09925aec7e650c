"""Keys are chosen by their meaning and by the number of filled rows, over a sample of all rows."""

import json
from pathlib import Path

import pytest

from tests.careers.init.databases import PEOPLE, VALUE, Database, reads_every_person, roles, source, written
from tests.cli.running import Trajtune


def as_objects(
    person: int, keys: tuple[str, str, str] = ("title", "start_date", "end_date")
) -> list[dict[str, str | None]]:
    return [dict(zip(keys, role, strict=True)) for role in roles(person)]


@pytest.mark.parametrize(
    ("path", "other"),
    [("experience.items", "education"), ("positions.values", "courses"), ("jobs", "certifications")],
)
def test_a_list_of_roles_comes_before_one_of_schools(
    path: str, other: str, trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    database("create table people (id bigint primary key, profile jsonb)")
    rows: list[tuple[object, ...]] = []
    for person in range(PEOPLE):
        work: object = as_objects(person)
        for key in reversed(path.split(".")):
            work = {key: work}
        schools = [{"title": f"{VALUE} BSc", "start_date": "2001", "end_date": "2003"}] * 3
        rows.append((person, json.dumps({other: schools, **work})))  # type: ignore[dict-item]
    database("insert into people values (%s, %s)", rows)
    layout = source(written(trajtune("init", "--yes"))).layout.model_dump()
    assert layout["history_key"] == path
    assert reads_every_person(trajtune)


def test_a_column_of_schools_does_not_win_over_one_of_roles(trajtune: Trajtune, database: Database) -> None:
    database("create table people (id bigint primary key, education jsonb, experience jsonb)")
    schools = json.dumps([{"title": VALUE, "start_date": "2001", "end_date": "2003"}])
    rows: list[tuple[object, ...]] = [
        (person, schools, json.dumps(as_objects(person)) if person % 3 else None) for person in range(PEOPLE)
    ]
    database("insert into people values (%s, %s, %s)", rows)
    assert source(written(trajtune("init", "--yes"))).layout.model_dump()["history_column"] == "experience"


def test_the_title_that_roles_have_is_preferred(trajtune: Trajtune, database: Database) -> None:
    database("create table people (id bigint primary key, work_history jsonb)")
    rows: list[tuple[object, ...]] = []
    for person in range(PEOPLE):
        history = [{**role, "jobTitle": VALUE if person % 4 == 0 else None} for role in as_objects(person)]
        rows.append((person, json.dumps(history)))
    database("insert into people values (%s, %s)", rows)
    assert source(written(trajtune("init", "--yes"))).layout.model_dump()["title_key"] == "title"


def test_a_form_of_address_is_not_a_title(trajtune: Trajtune, database: Database) -> None:
    database(
        "create table jobs (person_id bigint, title text, job_title text, start_date date, end_date date)"
    )
    for person in range(PEOPLE):
        database(
            "insert into jobs values (%s, %s, %s, %s, %s)",
            [(person, ("Mr.", "Ms", "Dr")[person % 3], *role) for role in roles(person)],
        )
    assert source(written(trajtune("init", "--yes"))).layout.model_dump()["title_column"] == "job_title"


@pytest.mark.parametrize("other", [False, True])
def test_empty_first_rows_do_not_hide_the_others(
    other: bool, trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    database("create table people (id bigint primary key, settings jsonb, work_history jsonb)")
    rows: list[tuple[object, ...]] = [
        (person, json.dumps({"theme": "dark"}), None if other else "[]") for person in range(1000, 1200)
    ]
    rows += [(person, None, json.dumps(as_objects(person))) for person in range(PEOPLE)]
    database("insert into people values (%s, %s, %s)", rows)
    outcome = trajtune("init", "--yes")
    assert source(written(outcome)).layout.model_dump()["history_column"] == "work_history"
    assert "100.0% of 120 roles can be read" in outcome.err


def test_an_id_is_preferred_to_an_address(trajtune: Trajtune, database: Database) -> None:
    database("create table candidates (id bigint, email text unique, work_history jsonb)")
    rows: list[tuple[object, ...]] = [
        (person, f"{VALUE}{person}@example.org", json.dumps(as_objects(person))) for person in range(PEOPLE)
    ]
    database("insert into candidates values (%s, %s, %s)", rows)
    assert source(written(trajtune("init", "--yes"))).layout.id_column == "id"


def test_names_with_an_emoji_or_a_dot_are_read(
    trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    database('create schema "h.r"')
    for table, file in (('"employment🙂"', "a.yaml"), ('"h.r"."jobs.old"', "b.yaml")):
        database(f"create table {table} (person_id bigint, title text, start_date date, end_date date)")
        for person in range(PEOPLE):
            database(
                f"insert into {table} values (%s, %s, %s, %s)", [(person, *role) for role in roles(person)]
            )
        experiment = written(trajtune("init", file, "--yes"), file)
        assert source(experiment).table == table.replace('"', "")
        assert reads_every_person(trajtune, file)
        database(f"drop table {table}")


def test_a_note_says_that_months_in_a_separate_column_are_lost(
    trajtune: Trajtune, database: Database
) -> None:
    database(
        "create table jobs (person_id bigint, title text, start_year int, start_month int, end_year int,"
        " end_month int)"
    )
    rows: list[tuple[object, ...]] = [
        (person, f"{VALUE} A", 2000 + person % 20, 1 + person % 12, 2005 + person % 20, 3)
        for person in range(PEOPLE)
    ]
    database("insert into jobs values (%s, %s, %s, %s, %s, %s)", [*rows, *rows])
    outcome = trajtune("init", "--yes")
    layout = source(written(outcome)).layout.model_dump()
    assert (layout["start_column"], layout["end_column"]) == ("start_year", "end_year")
    for said in (outcome.err, Path("experiment.yaml").read_text("utf-8")):
        assert "The months in start_month and end_month are lost" in said


def test_column_privileges_are_enough(
    trajtune: Trajtune, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database("create table jobs (person_id bigint, title text, start_date date, end_date date, salary int)")
    for person in range(PEOPLE):
        database("insert into jobs values (%s, %s, %s, %s, 1)", [(person, *role) for role in roles(person)])
    database("drop role if exists init_reader")
    database("create role init_reader")
    database("grant select (person_id, title, start_date, end_date) on jobs to init_reader")
    monkeypatch.setenv("PGOPTIONS", "-c role=init_reader")
    outcome = trajtune("init", "--yes")
    monkeypatch.delenv("PGOPTIONS")
    database("drop owned by init_reader")
    database("drop role init_reader")
    assert source(written(outcome)).table == "jobs"


def test_a_failing_view_is_named_with_its_error(trajtune: Trajtune, database: Database) -> None:
    database("create table numbers (n int)")
    database("insert into numbers values (0)")
    database("create view broken as select 1 / n as title from numbers")
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    assert "broken (division by zero)" in outcome.err


@pytest.mark.parametrize("kind", ["jsonb[]", "text[]"])
def test_an_array_of_roles_is_a_history(
    kind: str, trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    database(f"create table people (id bigint primary key, work_history {kind})")
    rows: list[tuple[object, ...]] = [
        (person, [json.dumps(role) for role in as_objects(person)]) for person in range(PEOPLE)
    ]
    database(f"insert into people values (%s, %s::{kind})", rows)
    layout = source(written(trajtune("init", "--yes"))).layout.model_dump()
    assert layout["history_column"] == "work_history"
    assert reads_every_person(trajtune)

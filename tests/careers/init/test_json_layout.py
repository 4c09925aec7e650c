"""A column with a list of roles per person is found, whatever its names and nesting."""

import json

import pytest

from tests.careers.init.databases import (
    PEOPLE,
    VALUE,
    Database,
    json_table,
    reads_every_person,
    roles,
    source,
    written,
)
from tests.cli.running import Trajtune


@pytest.mark.parametrize(
    ("table", "keys", "columns"),
    [
        ("candidates", ("title", "start_date", "end_date"), ("id", "work_history")),
        ("pessoas", ("cargo", "início", "fim"), ("código", "experiências")),
        ("Bewerber", ("Stelle", "von", "bis"), ("Bewerber-Nr", "Werdegang")),
    ],
)
def test_a_list_of_roles_per_person_is_found_in_any_language(
    trajtune: Trajtune,
    database: Database,
    ray_local: None,
    table: str,
    keys: tuple[str, str, str],
    columns: tuple[str, str],
) -> None:
    json_table(database, table, keys, columns)
    layout = source(written(trajtune("init", "--yes"))).layout
    assert layout.layout == "json"
    assert (layout.title_key, layout.start_key, layout.end_key) == keys
    assert (layout.id_column, layout.history_column) == columns
    assert reads_every_person(trajtune)


def test_a_list_in_an_object_in_another_schema_is_found(
    trajtune: Trajtune, database: Database, ray_local: None
) -> None:
    database("create schema crm")
    database("create table crm.people (person_id text primary key, profile jsonb)")
    rows: list[tuple[object, ...]] = []
    for person in range(PEOPLE):
        jobs = [{"position": t, "from": s, "to": e, "is_current": e is None} for t, s, e in roles(person)]
        schools = [{"title": f"{VALUE} BSc", "from": "1980-01-01", "to": "1984-01-01"}]
        profile = {"name": VALUE, "schools": schools, "jobs": jobs, f"{VALUE}{person}": [{"title": VALUE}]}
        rows.append((f"{VALUE}{person}", json.dumps(profile)))
    database("insert into crm.people values (%s, %s)", rows)
    found = source(written(trajtune("init", "--yes")))
    assert found.table == "crm.people"
    assert found.layout.model_dump() == {
        "layout": "json",
        "id_column": "person_id",
        "history_column": "profile",
        "title_key": "position",
        "start_key": "from",
        "end_key": "to",
        "end": "recorded",
        "current_key": "is_current",
        "history_key": "jobs",
    }
    assert reads_every_person(trajtune)


def test_a_key_that_is_a_value_of_one_row_is_never_shown(trajtune: Trajtune, database: Database) -> None:
    database("create table people (id bigint primary key, profile jsonb)")
    job = {"title": VALUE, "from": "2010", "to": "2011"}
    rows: list[tuple[object, ...]] = [(n, json.dumps({f"{VALUE}{n}": [job]})) for n in range(PEOPLE)]
    database("insert into people values (%s, %s)", rows)
    outcome = trajtune("init", "--yes")
    assert outcome.code == 2
    assert "people (columns id, profile: no list of roles" in outcome.err
    assert VALUE not in outcome.err

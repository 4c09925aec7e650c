"""Databases with work histories, and the experiment files that `trajtune init` writes for them."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.cli.running import Outcome, Trajtune
from trajtune.experiment.load import load_experiment
from trajtune.experiment.settings import Experiment
from trajtune.experiment.sources import PostgresSource

VALUE = "Zyxomma"
"""A mark in every text that a test stores."""


PEOPLE = 40


Database = Callable[..., None]


@pytest.fixture
def database(own_database: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Run statements in an empty database, and set POSTGRES_URL to it."""
    monkeypatch.setenv("POSTGRES_URL", own_database)

    def run(statement: str, rows: list[tuple[object, ...]] | None = None) -> None:
        with closing(psycopg2.connect(own_database)) as connection, connection, connection.cursor() as cursor:
            if rows is None:
                cursor.execute(statement)
            else:
                cursor.executemany(statement, rows)

    return run


def roles(person: int) -> list[tuple[str, str, str | None]]:
    """Return three jobs of a person: title, start, end; the last one is still held."""
    year = 1990 + person % 20
    return [
        (f"{VALUE} Trainee", f"{year}-01-15", f"{year + 2}-03-31"),
        (f"{VALUE} Developer {person % 3}", f"{year + 2}-04-01", f"{year + 5}-06-30"),
        (f"{VALUE} Lead {person % 2}", f"{year + 5}-07-01", None),
    ]


def json_table(database: Database, name: str, keys: tuple[str, str, str], columns: tuple[str, str]) -> None:
    database(f'create table "{name}" ("{columns[0]}" bigint primary key, note text, "{columns[1]}" jsonb)')
    rows: list[tuple[object, ...]] = [
        (person, f"{VALUE} note", json.dumps([dict(zip(keys, role, strict=True)) for role in roles(person)]))
        for person in range(PEOPLE)
    ]
    database(f'insert into "{name}" values (%s, %s, %s)', rows)


def rows_table(database: Database, name: str, columns: tuple[str, str, str, str], kind: str = "date") -> None:
    person, title, start, end = columns
    database(
        f'create table "{name}" (id bigserial primary key, "{person}" bigint, "{title}" text,'
        f' "{start}" {kind}, "{end}" {kind}, employer text)'
    )
    database(
        f'insert into "{name}" ("{person}", "{title}", "{start}", "{end}", employer)'
        " values (%s, %s, %s, %s, %s)",
        [(person, *role, f"{VALUE} AG") for person in range(PEOPLE) for role in roles(person)],
    )


def written(outcome: Outcome, file: str = "experiment.yaml") -> Experiment:
    """Return the experiment that `init` wrote, after checking that no output contains a value or the URL."""
    assert outcome.code == 0, outcome
    text = Path(file).read_text("utf-8")
    for shown in (outcome.out, outcome.err, text):
        assert VALUE not in shown
        assert os.environ["POSTGRES_URL"] not in shown
        assert "postgresql://" not in shown
    assert outcome.out.split() == [file]
    return load_experiment(file)


def reads_every_person(trajtune: Trajtune, file: str = "experiment.yaml") -> bool:
    outcome = trajtune("prepare", file)
    assert outcome.code == 0, outcome.err
    return f"careers     {PEOPLE:,} of {PEOPLE:,}" in outcome.out


def source(experiment: Experiment) -> PostgresSource:
    assert isinstance(experiment.source, PostgresSource)
    return experiment.source

"""Fixtures for careers: a database, and a function that fills a table."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from tests.conftest import new_database


@pytest.fixture(scope="session")
def database(postgres_url: str) -> Iterator[str]:
    """Return the URL of a database that the tests of careers share."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture
def execute(database: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Run SQL; with rows, run it once per row."""

    def run(statement: str, rows: Sequence[Sequence[Any]] | None = None) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(database)
        try:
            with connection, connection.cursor() as cursor:
                if rows is None:
                    cursor.execute(statement)
                    return cursor.fetchall() if cursor.description else []
                psycopg2.extras.execute_values(cursor, statement, rows)
                return []
        finally:
            connection.close()

    return run

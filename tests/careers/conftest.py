"""What the tests of careers share: a PostgreSQL of their own, and a way to fill a table."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from hypothesis import settings

from trajtune.careers.sources.embedded_postgres import embedded_postgres

# A slow machine is no fault of the code, and a failure must be the same the next time.
settings.register_profile("careers", deadline=None, derandomize=True)
settings.load_profile("careers")


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL that runs as long as the tests."""
    with embedded_postgres(tmp_path_factory.mktemp("careers_home")) as url:
        yield url


@pytest.fixture
def execute(database: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Run SQL; with rows, once for each of them."""

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

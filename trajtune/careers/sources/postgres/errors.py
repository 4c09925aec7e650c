"""psycopg2's errors in our own words, because libpq's messages may repeat the URL with its password."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from psycopg2.extensions import parse_dsn

from trajtune.errors import SourceError

_CAUSES: Final = (
    ("refused", "nothing listens there. Start the server or fix POSTGRES_URL"),
    ("No such file", "nothing listens there. Start the server or fix POSTGRES_URL"),
    ("timeout", "no answer in time. Start the server or fix POSTGRES_URL"),
    ("translate host", "there is no such host. Fix POSTGRES_URL"),
    ("authentication failed", "it refuses this user and password. Fix POSTGRES_URL"),
    ("no password", "it wants a password. Put one into POSTGRES_URL or a .pgpass file"),
    ("does not exist", "it has no such database or user. Fix POSTGRES_URL"),
    ("too many", "it has no connection free. Close some, or run again later"),
)


@contextmanager
def database_errors_explained(url: str) -> Iterator[None]:
    """Turn psycopg2's errors in the block into one line that does not hold the URL.

    Raises:
        SourceError: Instead of a `psycopg2.Error`.
    """
    try:
        yield
    except psycopg2.Error as error:
        raise SourceError(_explanation(error, url)) from None


def server_message(error: psycopg2.Error) -> str:
    """The server's own message, without its details; the error's class if the server sent none."""
    return str(error.diag.message_primary or type(error).__name__)


def is_connection_error(error: BaseException) -> bool:
    """Whether the connection failed, and not the statement.

    A connection that is cut during a COPY is a DatabaseError without an error code of the server.
    """
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or (
        type(error) is psycopg2.DatabaseError and error.pgcode is None
    )


def _explanation(error: psycopg2.Error, url: str) -> str:
    if isinstance(error, psycopg2.ProgrammingError) and error.diag.message_primary is None:
        return "POSTGRES_URL is no PostgreSQL URL. Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    if error.diag.message_primary is not None:
        return f"The database says: {server_message(error)}. Fix the source or the database."
    text = str(error)
    cause = next(
        (words for mark, words in _CAUSES if mark in text), "the connection failed. Is the server up?"
    )
    return f"Cannot read the database at {_address(url)}: {cause}."


def _address(url: str) -> str:
    """Host, port and database of a URL, and nothing else of it."""
    parts = parse_dsn(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"

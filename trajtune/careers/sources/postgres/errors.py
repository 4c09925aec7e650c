"""Turn psycopg2's errors into one line, without the URL and its password."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2

from trajtune.errors import SourceError
from trajtune.storage.database_url import connection_reason, hide_passwords, remedy

URL_VARIABLE: Final = "POSTGRES_URL"


@contextmanager
def database_errors_explained(url: str) -> Iterator[None]:
    """Turn psycopg2's errors in the block into one line that does not contain the URL.

    Args:
        url: A valid URL, see `connection.Database.at`.

    Raises:
        SourceError: Instead of a `psycopg2.Error`.
    """
    try:
        yield
    except psycopg2.Error as error:
        raise SourceError(_explanation(error, url)) from None


def server_message(error: psycopg2.Error) -> str:
    """Return the server's message without its details, or the error's class if there is no message."""
    return str(error.diag.message_primary or type(error).__name__)


def is_connection_error(error: BaseException) -> bool:
    """Return whether the connection failed, not the statement.

    If a connection is cut during a COPY, the error is a DatabaseError without an error code of the server.
    """
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or (
        type(error) is psycopg2.DatabaseError and error.pgcode is None
    )


def _explanation(error: psycopg2.Error, url: str) -> str:
    if error.diag.message_primary is not None:
        message = hide_passwords(server_message(error), url)
        return f"The database says: {message}. Fix the source or the database."
    reason = connection_reason(str(error), url)
    return f"Cannot read the database in {URL_VARIABLE}: {reason}. {remedy(reason, URL_VARIABLE)}."

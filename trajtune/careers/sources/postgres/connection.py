"""Connect to the database for reading: one transaction, its settings, and a watchdog.

The settings apply to one transaction, because a pooler may run the next transaction in another session.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)
from psycopg2.extensions import parse_dsn

from trajtune.careers.sources.postgres.errors import URL_VARIABLE
from trajtune.careers.sources.postgres.watchdog import connection_watchdog
from trajtune.errors import SnapshotLostError, SourceError
from trajtune.storage.database_url import FORM, libpq_url, postgres_fault

APPLICATION_NAME: Final = "trajtune"
CONNECT_TIMEOUT_S: Final = 10
WATCHDOG_TIMEOUT_S: Final = 60.0
"""Seconds without a byte after which the server is asked whether it is still working."""

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# With the last two, a query with LIMIT and without ORDER BY gives every reader the same rows.
_SETTINGS: Final = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL client_encoding = 'UTF8';"
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
    "SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0;"
    # PostgreSQL 17 and later have this setting.
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"
)
# With these, a connection whose network loses every packet fails after about two minutes.
_KEEPALIVES: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 9,
    "tcp_user_timeout": 120_000,
}


@dataclass(frozen=True, repr=False)
class Database:
    """Address of the database; never shown.

    Attributes:
        url: URL with its password, in libpq's form.
        watchdog_timeout_s: See `WATCHDOG_TIMEOUT_S`.
        timezone: Time zone for timestamps with a time zone; None: the database's.
    """

    url: str
    watchdog_timeout_s: float = field(default_factory=lambda: WATCHDOG_TIMEOUT_S)
    timezone: str | None = None

    @classmethod
    def at(cls, url: str, timezone: str | None = None) -> "Database":
        """Return the database of a user's URL, or of libpq's ``key=value`` settings.

        Raises:
            SourceError: If it is not a URL, or is ambiguous; the error repeats no part of it.
        """
        fault = postgres_fault(url)
        if fault is None:
            try:
                parse_dsn(url := libpq_url(url))
            except psycopg2.ProgrammingError:
                fault = f"is not a PostgreSQL URL. Write it as {FORM}"
        if fault is not None:
            raise SourceError(f"{URL_VARIABLE} {fault}.")
        return cls(url, timezone=timezone)

    def __repr__(self) -> str:
        return "Database(url hidden)"

    @contextmanager
    def transaction(self, snapshot: str | None = None) -> Iterator[PgConnection]:
        """Open a connection with one REPEATABLE READ, READ ONLY transaction, on ``snapshot`` if given.

        Raises:
            SnapshotLostError: If there is no such snapshot.
            psycopg2.Error: If no connection can be opened.
        """
        with closing(self._connect()) as connection:
            connection.autocommit = True
            # A pooler without a free connection makes its clients wait, and no server process works for them.
            waiting = connection_watchdog(connection, self.watchdog_timeout_s, int, lambda: False)
            with waiting, connection.cursor() as cursor:
                self._begin(cursor, snapshot)
            yield connection

    def restart_transaction(self, cursor: Any) -> None:
        """Roll back after an error and begin the same kind of transaction."""
        cursor.execute("ROLLBACK")
        self._begin(cursor, None)

    def _begin(self, cursor: Any, snapshot: str | None) -> None:
        cursor.execute(_BEGIN)
        if snapshot is not None:
            _import_snapshot(cursor, snapshot)
        cursor.execute(_SETTINGS)
        if self.timezone is not None:
            cursor.execute("SELECT set_config('timezone', %s, true)", (self.timezone,))

    @contextmanager
    def watchdog(self, connection: PgConnection, progress: Callable[[], int] = int) -> Iterator[None]:
        """Make statements in the block fail if the server no longer works on them."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = int(single_value(cursor))
        with connection_watchdog(
            connection, self.watchdog_timeout_s, progress, lambda: self._is_working(pid)
        ):
            yield

    def _connect(self) -> PgConnection:
        parts: dict[str, Any] = {
            "application_name": APPLICATION_NAME,
            "connect_timeout": CONNECT_TIMEOUT_S,
            **_KEEPALIVES,
            **parse_dsn(self.url),
        }
        connection: PgConnection = psycopg2.connect(**parts)
        return connection

    def _is_working(self, pid: int) -> bool:
        """Return whether that server process computes; one that cannot send to its client does not."""
        try:
            with closing(self._connect()) as connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite'"
                    " FROM pg_stat_activity WHERE pid = %s",
                    (pid,),
                )
                return bool(single_value(cursor))
        except psycopg2.Error as error:
            # A pooler without a free connection sends a message; the server may still be working.
            return error.diag.message_primary is not None


def single_value(cursor: Any) -> Any:
    """Return the first column of the next row; None if there is no row."""
    row = cursor.fetchone()
    return row[0] if row else None


def _import_snapshot(cursor: Any, snapshot: str) -> None:
    try:
        cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
    except (psycopg2.errors.UndefinedObject, psycopg2.errors.InvalidParameterValue):
        raise SnapshotLostError("the connection that exported the snapshot is gone") from None

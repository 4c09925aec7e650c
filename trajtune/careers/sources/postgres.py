"""Read a PostgreSQL table or query through Ray Data: many readers, one snapshot, nothing twice.

An exporting connection stays open and holds the snapshot; each read task imports it, copies a
range of its own to the client and lets go. A range is kept back until it is whole, so a reader
whose connection drops starts its range again and no row is lost or doubled.

The database's URL lives in the tasks' memory and nowhere else. It travels pickled with the task, and
not by Ray's runtime environment, which writes its variables into a log and onto the worker's command
line. psycopg2's own messages may repeat the URL, so none of them is ever shown or chained.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)
from psycopg2.extensions import parse_dsn
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from trajtune.careers.sources.column_names import choose_columns, nearest
from trajtune.careers.sources.copy_text import parse_lines
from trajtune.careers.sources.snapshot_lost import SnapshotLostError
from trajtune.careers.sources.watchdog import ended_if_silent
from trajtune.errors import SourceError
from trajtune.experiment.sources import PostgresSource
from trajtune.storage.retry import retrying

APPLICATION_NAME: Final = "trajtune"
CONNECT_TIMEOUT_S: Final = 10
RANGE_BYTES: Final = 32 << 20
"""About so many bytes of a table are one read task's."""
BLOCK_BYTES: Final = 32 << 20
_MOST_QUERY_READERS: Final = 8
_PAGED: Final = (
    "r",
    "m",
)  # tables and materialized views; a view or a partitioned table has no pages of its own

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# For the transaction alone: behind a pooler the next one may run in another session. The last two let
# a query with a LIMIT and no ORDER BY give every reader the same rows.
_SETTINGS: Final = (
    "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL client_encoding = 'UTF8';"
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
    "SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0"
)
SILENCE_S: Final = 60.0
"""After so long without a byte the server is asked whether it is still at work for us."""
# A network that has gone silent is given up after about two minutes.
_KEEPALIVES: Final = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 9,
    "tcp_user_timeout": 120_000,
}


@dataclass(frozen=True, repr=False)
class Database:
    """Where the database is; never shown.

    Attributes:
        url: With its password.
        silence_s: See `SILENCE_S`.
    """

    url: str
    silence_s: float = SILENCE_S

    def __repr__(self) -> str:
        return "Database(url hidden)"

    @contextmanager
    def transaction(self, snapshot: str | None = None) -> Iterator[PgConnection]:
        """A connection in one REPEATABLE READ, READ ONLY transaction, on ``snapshot`` if that is given.

        Raises:
            SnapshotLostError: If there is no such snapshot.
            psycopg2.Error: If the connection cannot be had.
        """
        with closing(self._connect()) as connection:
            connection.autocommit = True
            # A pooler lets those whom it has no connection for wait.
            with ended_if_silent(connection, self.silence_s, int, _nobody), connection.cursor() as cursor:
                cursor.execute(_BEGIN)
                if snapshot is not None:
                    _import(cursor, snapshot)
                cursor.execute(_SETTINGS)
            yield connection

    @contextmanager
    def watching(self, connection: PgConnection, progress: Callable[[], int] = int) -> Iterator[None]:
        """Let what waits for a connection in the block fail, once that has gone silent."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = int(_value(cursor))
        with ended_if_silent(connection, self.silence_s, progress, lambda: self._is_at_work(pid)):
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

    def _is_at_work(self, pid: int) -> bool:
        """Whether that server process computes; one that cannot send any more does not."""
        try:
            with closing(self._connect()) as connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite'"
                    " FROM pg_stat_activity WHERE pid = %s",
                    (pid,),
                )
                return bool(_value(cursor))
        except psycopg2.Error as error:
            # A pooler that has no connection free says so, and knows no more than we do.
            return error.diag.message_primary is not None


def _nobody() -> bool:
    """Nobody is at work for us."""
    return False


def _import(cursor: Any, snapshot: str) -> None:
    try:
        cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
    except (psycopg2.errors.UndefinedObject, psycopg2.errors.InvalidParameterValue):
        raise SnapshotLostError("the connection that exported the snapshot is gone") from None


@dataclass(frozen=True)
class Reading:
    """What to read, resolved against the database.

    Attributes:
        columns: The names that the blocks have, and whose values these are in the database.
        relation: The table, or the query in brackets, as SQL.
        ranges: A condition for each read task; together they hold each row once.
        snapshot: None: readers cannot share one, so there is one range and one reader.
        is_paged: Each range is a bounded number of the table's pages.
        num_bytes: About how much there is to read; 0: not known.
        num_rows: Rows of the whole, counted at once, where several readers each run the query; else None.
        note: Something the user should know, or nothing.
    """

    columns: dict[str, str]
    relation: str
    ranges: tuple[str, ...]
    snapshot: str | None
    is_paged: bool
    num_bytes: int
    num_rows: int | None
    note: str

    def check(self, num_rows: int) -> None:
        """Compare what the readers brought together with the count of the whole.

        Raises:
            SourceError: If they differ, as with ``random()`` or a sample: what is not the same each time
                cannot be shared out.
        """
        if self.num_rows is not None and num_rows != self.num_rows:
            raise SourceError(
                f"The query gives {self.num_rows:,} rows, but {num_rows:,} to readers that share it: it is "
                "not the same each time. Store its result in a table, or leave out what is random in it."
            )


@contextmanager
def open_reading(
    source: PostgresSource, label: str | None, url: str
) -> Iterator[tuple["PostgresRows", Reading]]:
    """Resolve the source and hold its snapshot for the length of the block.

    Yields:
        The rows for `ray.data.read_datasource`, each column as text, and what was resolved.

    Raises:
        SourceError: If there is no such database, table or column, or no row.
    """
    database = Database(url, SILENCE_S)
    try:
        with database.transaction() as exporter:
            snapshot, note = _export(exporter, database)
            with database.watching(exporter):
                reading = _resolve(exporter, snapshot, note, source, label)
            if snapshot is None:
                # A pooler may have one connection for all of us, which the reader needs.
                exporter.cursor().execute("COMMIT")
            yield PostgresRows(database, reading), reading
    except psycopg2.Error as error:
        raise SourceError(explain(error, url)) from None


class PostgresRows(Datasource):  # type: ignore[misc]
    """The rows of a `Reading`, as text columns."""

    def __init__(self, database: Database, reading: Reading) -> None:
        super().__init__()
        self._database = database
        self._reading = reading

    def estimate_inmemory_data_size(self) -> int:
        """Bytes, about."""
        return self._reading.num_bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """One task a range, whatever ``parallelism`` says: ranges bound the memory of a task."""
        size = self._reading.num_bytes // len(self._reading.ranges)
        metadata = BlockMetadata(num_rows=None, size_bytes=size, exec_stats=None, input_files=None)
        return [
            ReadTask(
                _RangeReader(self._database, self._reading, condition),
                metadata,
                per_task_row_limit=per_task_row_limit,
            )
            for condition in self._reading.ranges
        ]


@dataclass(frozen=True)
class _RangeReader:
    """Reads one range; called by Ray on whatever node."""

    database: Database
    reading: Reading
    condition: str

    def __call__(self) -> Iterator[pa.Table]:
        # Pages bound what a range of a table holds; a share of a query may hold anything.
        with io.BytesIO() if self.reading.is_paged else tempfile.TemporaryFile(buffering=1 << 20) as file:
            num_rows = _copy_whole(self.database, self.reading, self.condition, file)
            file.seek(0)
            seen = 0
            for block in _blocks(file, list(self.reading.columns)):
                seen += len(block)
                yield block
            assert seen == num_rows, f"the server sent {num_rows} rows, {seen} were understood"


def _copy_whole(database: Database, reading: Reading, condition: str, file: IO[bytes]) -> int:
    """Copy a range into ``file``, from its start again if the connection drops; gives its rows."""
    values = ", ".join(reading.columns.values())
    # Every name in it was quoted as an identifier, and the rest is ours or the experiment's own query.
    statement = f"COPY (SELECT {values} FROM {reading.relation} WHERE {condition}) TO STDOUT"  # noqa: S608

    def copy() -> int:
        file.seek(0)
        file.truncate()
        with (
            database.transaction(reading.snapshot) as connection,
            database.watching(connection, file.tell),
            connection.cursor() as cursor,
        ):
            cursor.copy_expert(statement, file, size=1 << 16)
            return int(cursor.rowcount)

    try:
        return retrying(copy, _is_drop, attempts=8)  # long enough for a server to start again
    except psycopg2.Error as error:
        raise SourceError(explain(error, database.url)) from None


def _is_drop(error: Exception) -> bool:
    """Whether the connection is at fault; one cut in mid-copy is a DatabaseError without a server's code."""
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) or (
        type(error) is psycopg2.DatabaseError and error.pgcode is None
    )


def _blocks(file: IO[bytes], names: list[str]) -> Iterator[pa.Table]:
    """COPY's text format as string columns, in blocks of about `BLOCK_BYTES`."""
    if isinstance(file, io.BytesIO) and len(content := file.getvalue()) <= BLOCK_BYTES:
        if content:
            yield parse_lines(content, names)  # a whole range as it lies there, without a copy
        return
    remainder = b""
    while chunk := file.read(BLOCK_BYTES):
        chunk = remainder + chunk
        cut = chunk.rfind(b"\n") + 1
        remainder = chunk[cut:]
        if cut:
            yield parse_lines(chunk[:cut], names)
    assert not remainder, "COPY ends with a line break"


def _resolve(
    exporter: PgConnection, snapshot: str | None, note: str, source: PostgresSource, label: str | None
) -> Reading:
    with exporter.cursor() as cursor:
        relation, kind = _relation(exporter, source)
        try:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608 (quoted)
        except psycopg2.Error as error:
            raise SourceError(
                f"The query cannot be run: {_first_line(error)}. Mend `source.query`."
            ) from None
        there = [column.name for column in cursor.description or ()]
        chosen = choose_columns(_name(source), source.layout, there, label)
        shared = snapshot is not None and kind not in _PAGED
        what = f"count(*) FROM {relation}" if shared else f"EXISTS (SELECT FROM {relation})"
        cursor.execute(f"SELECT {what}")
        if not (found := _value(cursor)):
            raise SourceError(f"{_name(source)} is empty. Fill it, or name another one as `source.table`.")
        columns = {
            name: f"({sql.Identifier(there_name).as_string(exporter)})::text"
            for name, there_name in chosen.items()
        }
        if snapshot is None:
            return Reading(columns, relation, ("true",), None, False, 0, None, note)
        if not shared:
            cursor.execute(
                "SELECT pg_relation_size(r) / current_setting('block_size')::int, pg_table_size(r)"
                " FROM CAST(%s AS regclass) r",
                (relation,),
            )
            pages, num_bytes = cursor.fetchone() or (0, 0)
            ranges = _page_ranges(int(pages), max(1, int(num_bytes) // RANGE_BYTES))
        else:
            num_bytes = 0
            ranges = _hash_ranges(columns["id"], min(_MOST_QUERY_READERS, len(os.sched_getaffinity(0))))
        num_rows = int(found) if shared else None
        return Reading(columns, relation, ranges, snapshot, not shared, int(num_bytes), num_rows, note)


def _page_ranges(pages: int, count: int) -> tuple[str, ...]:
    """Disjoint ranges of pages; the last has no end, for rows in pages added since the size was asked."""
    count = max(1, min(count, pages))
    bounds = [pages * i // count for i in range(count)]
    return tuple(
        f"ctid >= '({first},0)'::tid"
        + (f" AND ctid < '({following},0)'::tid" if following is not None else "")
        for first, following in zip(bounds, [*bounds[1:], None], strict=True)
    )


def _hash_ranges(id_text: str, count: int) -> tuple[str, ...]:
    """Disjoint shares by a hash of the id; rows without an id are in the first."""
    return tuple(f"mod(coalesce(hashtext({id_text}), 0) & 2147483647, {count}) = {i}" for i in range(count))


def _export(exporter: PgConnection, database: Database) -> tuple[str | None, str]:
    """A snapshot that another connection could import, or None and the reason."""
    with exporter.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = str(_value(cursor))
            with database.transaction(snapshot):
                return snapshot, ""
        except (psycopg2.Error, SnapshotLostError) as error:
            cursor.execute(f"ROLLBACK; {_BEGIN}; {_SETTINGS}")
            if isinstance(error, psycopg2.Error):
                reason = error.diag.message_primary or "no second connection answers"
            else:
                reason = str(error)
            return None, f"readers cannot share a snapshot here ({reason}): reading with one reader"


def _relation(exporter: PgConnection, source: PostgresSource) -> tuple[str, str]:
    """The relation as SQL, and its kind as pg_class has it (``q`` for a query)."""
    if source.query is not None:
        # The line break ends a comment that ends the query.
        return f"({source.query.strip().rstrip(';')}\n) AS careers", "q"
    with exporter.cursor() as cursor:
        for parts in ((source.table,), tuple(source.table.split(".", 1))):
            quoted = sql.Identifier(*parts).as_string(exporter)
            cursor.execute("SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", (quoted,))
            if (row := cursor.fetchone()) is not None:
                return quoted, str(row[0])
        cursor.execute(
            "SELECT CASE WHEN schemaname = ANY (current_schemas(false)) THEN '' ELSE schemaname || '.' END"
            " || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = [row[0] for row in cursor.fetchall()]
    raise SourceError(f"There is no table {source.table} in this database. {nearest(source.table, tables)}")


def _name(source: PostgresSource) -> str:
    return "The query" if source.query is not None else f"Table {source.table}"


def _value(cursor: Any) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _first_line(error: psycopg2.Error) -> str:
    return str(error.diag.message_primary or type(error).__name__)


_CAUSES: Final = (
    ("refused", "nothing listens there. Start the server or mend POSTGRES_URL"),
    ("No such file", "nothing listens there. Start the server or mend POSTGRES_URL"),
    ("timeout", "no answer in time. Start the server or mend POSTGRES_URL"),
    ("translate host", "there is no such host. Mend POSTGRES_URL"),
    ("authentication failed", "it refuses this user and password. Mend POSTGRES_URL"),
    ("no password", "it wants a password. Put one into POSTGRES_URL or a .pgpass file"),
    ("does not exist", "it has no such database or user. Mend POSTGRES_URL"),
    ("too many", "it has no connection free. Close some, or run again later"),
)


def explain(error: psycopg2.Error, url: str) -> str:
    """One line in our own words; libpq's may repeat the URL."""
    if isinstance(error, psycopg2.ProgrammingError) and error.diag.message_primary is None:
        return "POSTGRES_URL is no PostgreSQL URL. Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    if error.diag.message_primary is not None:
        return f"The database says: {_first_line(error)}. Mend the source or the database."
    text = str(error)
    cause = next(
        (words for mark, words in _CAUSES if mark in text), "the connection failed. Is the server up?"
    )
    return f"Cannot read the database at {_place(url)}: {cause}."


def _place(url: str) -> str:
    """Host, port and database of a URL, and nothing else of it."""
    parts = parse_dsn(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"

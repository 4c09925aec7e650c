"""Rows of a table or query as a Ray Data source, with one read task per range of the plan."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, Final

import pyarrow as pa
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from trajtune.careers.sources.postgres.connection import Database, single_value
from trajtune.careers.sources.postgres.copy_text import parse_lines
from trajtune.careers.sources.postgres.errors import database_errors_explained, is_connection_error
from trajtune.careers.sources.postgres.plan import ReadPlan, plan_reading
from trajtune.experiment.sources import PostgresSource
from trajtune.storage.retry import retrying

BLOCK_BYTES: Final = 32 << 20


@contextmanager
def open_postgres(
    source: PostgresSource, label: str | None, url: str, timezone: str | None = None
) -> Iterator[tuple["PostgresRows", ReadPlan]]:
    """Plan the reading of a source, and keep its snapshot open during the block.

    Args:
        source: Table or query to read.
        label: Column with a hireability label, if any.
        url: URL as the user wrote it.
        timezone: Time zone for timestamps with a time zone; None: the database's.

    Yields:
        The rows for `ray.data.read_datasource`, each column as text, and the plan.

    Raises:
        SourceError: If there is no such database, table or column, or no row.
    """
    database = Database.at(url, timezone)
    with database_errors_explained(database.url), database.transaction() as exporter:
        plan = plan_reading(exporter, database, source, label)
        # Readers on other machines may have different defaults.
        database = replace(database, timezone=_session_timezone(exporter))
        if plan.snapshot is None:
            # A pooler may have only one connection for all clients, and the reader needs it.
            exporter.cursor().execute("COMMIT")
        yield PostgresRows(database, plan), plan


def _session_timezone(exporter: PgConnection) -> str:
    with exporter.cursor() as cursor:
        cursor.execute("SELECT current_setting('timezone')")
        return str(single_value(cursor))


class PostgresRows(Datasource):  # type: ignore[misc]
    """Rows of a `ReadPlan`, as text columns."""

    def __init__(self, database: Database, plan: ReadPlan) -> None:
        super().__init__()
        self._database = database
        self._plan = plan

    def estimate_inmemory_data_size(self) -> int:
        """Return the approximate number of bytes."""
        return self._plan.num_bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return one task per range, whatever ``parallelism`` is, because ranges bound a task's memory."""
        size = self._plan.num_bytes // len(self._plan.ranges)
        metadata = BlockMetadata(num_rows=None, size_bytes=size, exec_stats=None, input_files=None)
        return [
            ReadTask(
                _RangeReader(self._database, self._plan, condition),
                metadata,
                per_task_row_limit=per_task_row_limit,
            )
            for condition in self._plan.ranges
        ]


@dataclass(frozen=True)
class _RangeReader:
    """Reader of one range. Ray calls it on any node."""

    database: Database
    plan: ReadPlan
    condition: str

    def __call__(self) -> Iterator[pa.Table]:
        # Pages bound the size of a range of a table. A share of a query may have any size.
        with io.BytesIO() if self.plan.is_paged else tempfile.TemporaryFile(buffering=1 << 20) as file:
            num_copied = _copy_range(self.database, self.plan, self.condition, file)
            file.seek(0)
            num_parsed = 0
            for block in _blocks(file, list(self.plan.columns)):
                num_parsed += len(block)
                yield block
            assert num_parsed == num_copied, f"{num_copied} rows were copied, but {num_parsed} were parsed"


def _copy_range(database: Database, plan: ReadPlan, condition: str, file: IO[bytes]) -> int:
    """Copy a complete range into ``file``; if the connection drops, start the range again.

    Returns:
        The number of rows.
    """
    values = ", ".join(plan.columns.values())
    # Every name in it is quoted as an identifier. The rest is our SQL or the experiment's own query.
    statement = f"COPY (SELECT {values} FROM {plan.relation} WHERE {condition}) TO STDOUT"  # noqa: S608

    def copy() -> int:
        file.seek(0)
        file.truncate()
        with (
            database.transaction(plan.snapshot) as connection,
            database.watchdog(connection, file.tell),
            connection.cursor() as cursor,
        ):
            cursor.copy_expert(statement, file, size=1 << 16)
            return int(cursor.rowcount)

    with database_errors_explained(database.url):
        return retrying(copy, is_connection_error, attempts=8)  # long enough for a server to restart


def _blocks(file: IO[bytes], names: list[str]) -> Iterator[pa.Table]:
    """Parse COPY's text format to string columns, in blocks of about `BLOCK_BYTES`."""
    if isinstance(file, io.BytesIO) and len(content := file.getvalue()) <= BLOCK_BYTES:
        if content:
            yield parse_lines(content, names)  # no copy of the range in memory
        return
    remainder = b""
    while chunk := file.read(BLOCK_BYTES):
        chunk = remainder + chunk
        cut = chunk.rfind(b"\n") + 1
        remainder = chunk[cut:]
        if cut:
            yield parse_lines(chunk[:cut], names)
    assert not remainder, "COPY ends with a line break"

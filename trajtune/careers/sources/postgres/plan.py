"""Plan the reading of a table or query: its columns, the ranges for the read tasks, and their snapshot."""

import os
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)

from trajtune.careers.sources.column_names import choose_columns, column_of, nearest
from trajtune.careers.sources.postgres.connection import Database, single_value
from trajtune.careers.sources.postgres.errors import server_message
from trajtune.errors import SnapshotLostError, SourceError
from trajtune.experiment.sources import PostgresSource

RANGE_BYTES: Final = 32 << 20
"""Approximate bytes of a table per read task."""
_MAX_QUERY_READERS: Final = 8
# Tables and materialized views have pages. A partitioned table has the pages of its partitions.
_PAGED_KINDS: Final = ("r", "m", "p")
_JSON_TYPES: Final = (114, 3802)
# json[], text[], varchar[] and jsonb[]: each element is a role.
_ARRAY_TYPES: Final = (199, 1009, 1015, 3807)


@dataclass(frozen=True)
class ReadPlan:
    """The columns and ranges to read, resolved against the database.

    Attributes:
        columns: SQL expression of each column of the blocks.
        relation: The table, or the query in parentheses, as SQL.
        ranges: SQL condition of each read task; together they match each row once.
        snapshot: Id of the shared snapshot. None: it cannot be shared, so there is one reader.
        is_paged: Whether each range is a bounded number of the table's pages.
        num_bytes: Approximate size of the rows; 0 if unknown.
        num_rows: Number of rows, counted separately, if several readers run the query; else None.
        note: A message for the user, or the empty string.
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
        """Compare the number of rows from the readers with `num_rows`.

        Raises:
            SourceError: If they differ, for example because of ``random()`` or a sample: a query whose
                result changes cannot be split between readers.
        """
        if self.num_rows is not None and num_rows != self.num_rows:
            raise SourceError(
                f"The query must return the same rows each time, but it returned {self.num_rows:,} rows and "
                f"then {num_rows:,}. Store its result in a table, or remove what is random in it."
            )


def plan_reading(
    exporter: PgConnection, database: Database, source: PostgresSource, label: str | None
) -> ReadPlan:
    """Plan the reading in the transaction of ``exporter``, which stays open while the plan is used.

    Raises:
        SourceError: If there is no such table or column, or no row.
        psycopg2.Error: If the database fails.
    """
    snapshot, note = _export_snapshot(exporter, database)
    with database.watchdog(exporter):
        return _resolve(exporter, snapshot, note, source, label)


def _export_snapshot(exporter: PgConnection, database: Database) -> tuple[str | None, str]:
    """Export a snapshot that another connection can import; return None and the reason if it cannot."""
    with exporter.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = str(single_value(cursor))
            with database.transaction(snapshot):
                return snapshot, ""
        except (psycopg2.Error, SnapshotLostError) as error:
            database.restart_transaction(cursor)
            if isinstance(error, psycopg2.Error):
                reason = error.diag.message_primary or "no second connection answers"
            else:
                reason = str(error)
            return None, f"readers cannot share a snapshot here ({reason}): reading with one reader"


def _resolve(
    exporter: PgConnection, snapshot: str | None, note: str, source: PostgresSource, label: str | None
) -> ReadPlan:
    relation = _relation(exporter, source)
    with exporter.cursor() as cursor:
        chosen, types = _choose_columns(cursor, relation, source, label)
        _check_paths(_display_name(source), chosen, types)
        quoted = {name: _expression(exporter, column, types) for name, column in chosen.items()}
        columns = {name: f"({column})::text" for name, column in quoted.items()}
        if types.get(chosen.get("history", "")) in _ARRAY_TYPES:
            columns["history"] = f"to_jsonb({quoted['history']})::text"
        files = _files_of(cursor, relation) if snapshot is not None else None
        runs_query = snapshot is not None and files is None
        rows = f"count(*) FROM {relation.sql}" if runs_query else f"EXISTS (SELECT FROM {relation.sql})"
        cursor.execute(f"SELECT {rows}")
        if not (num_rows := int(single_value(cursor))):
            raise SourceError(
                f"{_display_name(source)} is empty. Fill it, or name another one as `source.table`."
            )
    if snapshot is None:
        return ReadPlan(columns, relation.sql, ("true",), None, False, 0, None, note)
    if files is None:
        ranges = _hash_ranges(columns["id"], min(_MAX_QUERY_READERS, len(os.sched_getaffinity(0))))
        return ReadPlan(columns, relation.sql, ranges, snapshot, False, 0, num_rows, note)
    ranges = _page_ranges(files.num_pages, max(1, files.num_bytes // RANGE_BYTES))
    return ReadPlan(columns, relation.sql, ranges, snapshot, True, files.num_bytes, None, note)


@dataclass(frozen=True)
class _Relation:
    """A table or a query in the database.

    Attributes:
        sql: The table's name, or the query in parentheses.
        oid: Id of the table in the catalog; None for a query.
    """

    sql: str
    oid: int | None


@dataclass(frozen=True)
class _Files:
    """The files of a table and of all tables that inherit from it.

    Attributes:
        num_pages: Number of pages of each file; a page number exists in every file that is long enough.
        num_bytes: Approximate size of all files, including values stored out of line.
    """

    num_pages: tuple[int, ...]
    num_bytes: int


def _relation(exporter: PgConnection, source: PostgresSource) -> _Relation:
    if source.query is not None:
        # The line break ends a comment at the end of the query.
        return _Relation(f"({source.query.strip().rstrip(';')}\n) AS careers", None)
    with exporter.cursor() as cursor:
        # A dot may separate the schema from the table, and it may be part of either name.
        parts = source.table.split(".")
        names = [
            (source.table,),
            *((".".join(parts[:at]), ".".join(parts[at:])) for at in range(1, len(parts))),
        ]
        for name in names:
            quoted = sql.Identifier(*name).as_string(exporter)
            cursor.execute("SELECT to_regclass(%s)::oid", (quoted,))
            if (oid := single_value(cursor)) is not None:
                return _Relation(quoted, int(oid))
        cursor.execute(
            "SELECT CASE WHEN schemaname = ANY (current_schemas(false)) THEN '' ELSE schemaname || '.' END"
            " || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = [row[0] for row in cursor.fetchall()]
    raise SourceError(f"There is no table {source.table} in this database. {nearest(source.table, tables)}")


def _choose_columns(
    cursor: Any, relation: _Relation, source: PostgresSource, label: str | None
) -> tuple[dict[str, str], dict[str, int]]:
    """Choose the columns as `choose_columns` does, from those that this user may read.

    Returns:
        The chosen columns, and the type (its oid) of each readable column.
    """
    if relation.oid is None:
        try:
            cursor.execute(f"SELECT * FROM {relation.sql} LIMIT 0")  # noqa: S608 (the experiment's own query)
        except psycopg2.Error as error:
            raise SourceError(
                f"The query cannot be run: {server_message(error)}. Fix `source.query`."
            ) from None
        columns = {column.name: (column.type_code, True) for column in cursor.description or ()}
    else:
        cursor.execute(
            "SELECT attname::text, atttypid::int, has_column_privilege(attrelid, attnum, 'SELECT')"
            " FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (relation.oid,),
        )
        columns = {name: (kind, is_readable) for name, kind, is_readable in cursor.fetchall()}
    hidden = [name for name, (_, is_readable) in columns.items() if not is_readable]
    types = {name: kind for name, (kind, is_readable) in columns.items() if is_readable}
    try:
        return choose_columns(_display_name(source), source.layout, list(types), label), types
    except SourceError as error:
        if not hidden:
            raise
        names = ", ".join(hidden[:30])
        raise SourceError(f"{error} GRANT SELECT to this user, who may not read {names}.") from None


def _expression(exporter: PgConnection, name: str, types: dict[str, int]) -> str:
    """Return a column as SQL, or the value at a path of keys in a JSON column."""
    column = column_of(name, list(types))
    quoted = sql.Identifier(column).as_string(exporter)
    if column == name:
        return quoted
    keys = sql.Literal(name.split(".")[1:]).as_string(exporter)
    return f"{quoted} #>> {keys}"


def _check_paths(where: str, chosen: dict[str, str], types: dict[str, int]) -> None:
    """Refuse paths of keys into columns that are not JSON.

    Raises:
        SourceError: If there is such a path.
    """
    for name in chosen.values():
        column = column_of(name, list(types))
        if column != name and types[column] not in _JSON_TYPES:
            raise SourceError(
                f"{where} has no column {name}, and {column} is not json or jsonb, so it has no keys. "
                f"{nearest(name, list(types))}"
            )


def _files_of(cursor: Any, relation: _Relation) -> _Files | None:
    """Return the files of a table that can be read page by page; None for other relations.

    Views and foreign tables have no pages. A user who may read only some columns may not read page numbers.
    """
    if relation.oid is None:
        return None
    cursor.execute(
        "WITH RECURSIVE tree AS ("
        " SELECT oid, relkind FROM pg_class WHERE oid = %s UNION"
        " SELECT c.oid, c.relkind FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid"
        " JOIN pg_class c ON c.oid = i.inhrelid)"
        " SELECT relkind, has_table_privilege(%s, 'SELECT'),"
        " pg_relation_size(oid) / current_setting('block_size')::int, pg_table_size(oid) FROM tree",
        (relation.oid, relation.oid),
    )
    rows = cursor.fetchall()
    if not all(is_readable and kind in _PAGED_KINDS for kind, is_readable, _, _ in rows):
        return None
    cursor.execute("SAVEPOINT pages")
    try:
        # Storage of extensions, for example compressed chunks of a hypertable, may have no pages.
        cursor.execute(f"EXPLAIN SELECT FROM {relation.sql} WHERE ctid >= '(0,0)'::tid")
    except psycopg2.Error as error:
        if error.diag.message_primary is None:
            raise  # the connection failed, not the statement
        cursor.execute("ROLLBACK TO SAVEPOINT pages")
        return None
    return _Files(tuple(int(row[2] or 0) for row in rows), sum(int(row[3] or 0) for row in rows))


def _page_ranges(num_pages: Sequence[int], count: int) -> tuple[str, ...]:
    """Return disjoint ranges of page numbers with about the same number of pages.

    The last range has no end, to include pages that were added after the sizes were read.

    Args:
        num_pages: Number of pages of each file; a range contains its page numbers in every file.
        count: Desired number of ranges.
    """
    total, longest = sum(num_pages), max(num_pages)
    count = max(1, min(count, longest))
    numbers = range(longest + 1)
    bounds = [
        bisect_left(
            numbers, total * at / count, key=lambda number: sum(min(number, size) for size in num_pages)
        )
        for at in range(count)
    ]
    bounds = sorted(set(bounds))
    return tuple(
        f"ctid >= '({first},0)'::tid"
        + (f" AND ctid < '({following},0)'::tid" if following is not None else "")
        for first, following in zip(bounds, [*bounds[1:], None], strict=True)
    )


def _hash_ranges(id_text: str, count: int) -> tuple[str, ...]:
    """Return disjoint conditions on a hash of the id; rows without an id match the first."""
    return tuple(f"mod(coalesce(hashtext({id_text}), 0) & 2147483647, {count}) = {i}" for i in range(count))


def _display_name(source: PostgresSource) -> str:
    return "The query" if source.query is not None else f"Table {source.table}"

"""Plan the reading of a table or query: its columns, the ranges for the read tasks, and their snapshot."""

import os
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)

from trajtune.careers.sources.column_names import choose_columns, column_of, nearest
from trajtune.careers.sources.postgres.connection import Database, restart_transaction, single_value
from trajtune.careers.sources.postgres.errors import server_message
from trajtune.errors import SnapshotLostError, SourceError
from trajtune.experiment.sources import PostgresSource

RANGE_BYTES: Final = 32 << 20
"""Each read task gets about this many bytes of a table."""
_MOST_QUERY_READERS: Final = 8
# Kinds of relation: tables and materialized views have pages; views and partitioned tables have none.
_PAGED_KINDS: Final = ("r", "m")
_JSON_TYPES: Final = (114, 3802)
# json[], text[], varchar[] and jsonb[]: each element is a role.
_ARRAY_TYPES: Final = (199, 1009, 1015, 3807)
_QUERY_KIND: Final = "q"


@dataclass(frozen=True)
class ReadPlan:
    """What to read, resolved against the database.

    Attributes:
        columns: The columns of the blocks, each with the SQL expression of its values.
        relation: The table, or the query in brackets, as SQL.
        ranges: A condition for each read task; together they hold each row once.
        snapshot: None: readers cannot share one, so there is one range and one reader.
        is_paged: Each range is a bounded number of the table's pages.
        num_bytes: Approximate size of what is read; 0 if unknown.
        num_rows: Number of rows, counted by one statement, if several readers each run the query; else None.
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
        """Compare the number of rows that the readers gave with `num_rows`.

        Raises:
            SourceError: If they differ, for example because of ``random()`` or a sample: a query whose
                result changes cannot be split between readers.
        """
        if self.num_rows is not None and num_rows != self.num_rows:
            raise SourceError(
                f"The query gives {self.num_rows:,} rows, but {num_rows:,} to readers that share it: it is "
                "not the same each time. Store its result in a table, or leave out what is random in it."
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
    """A snapshot that another connection could import, or None and the reason."""
    with exporter.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = str(single_value(cursor))
            with database.transaction(snapshot):
                return snapshot, ""
        except (psycopg2.Error, SnapshotLostError) as error:
            restart_transaction(cursor)
            if isinstance(error, psycopg2.Error):
                reason = error.diag.message_primary or "no second connection answers"
            else:
                reason = str(error)
            return None, f"readers cannot share a snapshot here ({reason}): reading with one reader"


def _resolve(
    exporter: PgConnection, snapshot: str | None, note: str, source: PostgresSource, label: str | None
) -> ReadPlan:
    with exporter.cursor() as cursor:
        relation, kind = _relation(exporter, source)
        try:
            cursor.execute(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608 (quoted)
        except psycopg2.Error as error:
            raise SourceError(
                f"The query cannot be run: {server_message(error)}. Fix `source.query`."
            ) from None
        types = {column.name: column.type_code for column in cursor.description or ()}
        available = list(types)
        chosen = choose_columns(_display_name(source), source.layout, available, label)
        _check_paths(_display_name(source), chosen, types)
        runs_query = snapshot is not None and kind not in _PAGED_KINDS
        rows = f"count(*) FROM {relation}" if runs_query else f"EXISTS (SELECT FROM {relation})"
        cursor.execute(f"SELECT {rows}")
        if not (num_rows := int(single_value(cursor))):
            raise SourceError(
                f"{_display_name(source)} is empty. Fill it, or name another one as `source.table`."
            )
        quoted = {name: _expression(exporter, column, types) for name, column in chosen.items()}
        columns = {name: f"({column})::text" for name, column in quoted.items()}
        if types.get(chosen.get("history", "")) in _ARRAY_TYPES:
            columns["history"] = f"to_jsonb({quoted['history']})::text"
        if snapshot is None:
            return ReadPlan(columns, relation, ("true",), None, False, 0, None, note)
        if runs_query:
            ranges = _hash_ranges(columns["id"], min(_MOST_QUERY_READERS, len(os.sched_getaffinity(0))))
            return ReadPlan(columns, relation, ranges, snapshot, False, 0, num_rows, note)
        cursor.execute(
            "SELECT pg_relation_size(r) / current_setting('block_size')::int, pg_table_size(r)"
            " FROM CAST(%s AS regclass) r",
            (relation,),
        )
        num_pages, num_bytes = (int(size) for size in cursor.fetchone() or (0, 0))
        ranges = _page_ranges(num_pages, max(1, num_bytes // RANGE_BYTES))
        return ReadPlan(columns, relation, ranges, snapshot, True, num_bytes, None, note)


def _relation(exporter: PgConnection, source: PostgresSource) -> tuple[str, str]:
    """The relation as SQL, and its kind as in pg_class (`_QUERY_KIND` for a query)."""
    if source.query is not None:
        # The line break ends a comment at the end of the query.
        return f"({source.query.strip().rstrip(';')}\n) AS careers", _QUERY_KIND
    with exporter.cursor() as cursor:
        # Schemas and tables may have dots in their names.
        dots = [at for at, character in enumerate(source.table) if character == "."]
        for parts in ((source.table,), *((source.table[:at], source.table[at + 1 :]) for at in dots)):
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


def _expression(exporter: PgConnection, name: str, types: dict[str, int]) -> str:
    """A column as SQL, or what lies under a path of keys in a column of JSON."""
    column = column_of(name, list(types))
    quoted = sql.Identifier(column).as_string(exporter)
    if column == name:
        return quoted
    keys = sql.Literal(name.split(".")[1:]).as_string(exporter)
    return f"{quoted} #>> {keys}"


def _check_paths(where: str, chosen: dict[str, str], types: dict[str, int]) -> None:
    """Refuse paths of keys into columns that are no JSON.

    Raises:
        SourceError: If there is one.
    """
    for name in chosen.values():
        column = column_of(name, list(types))
        if column != name and types[column] not in _JSON_TYPES:
            raise SourceError(
                f"{where} has no column {name}, and {column} is not json or jsonb, so it holds no keys. "
                f"{nearest(name, list(types))}"
            )


def _page_ranges(num_pages: int, count: int) -> tuple[str, ...]:
    """Disjoint ranges of pages; the last has no end, for rows in pages added since the size was read."""
    count = max(1, min(count, num_pages))
    bounds = [num_pages * i // count for i in range(count)]
    return tuple(
        f"ctid >= '({first},0)'::tid"
        + (f" AND ctid < '({following},0)'::tid" if following is not None else "")
        for first, following in zip(bounds, [*bounds[1:], None], strict=True)
    )


def _hash_ranges(id_text: str, count: int) -> tuple[str, ...]:
    """Disjoint shares by a hash of the id; rows without an id are in the first."""
    return tuple(f"mod(coalesce(hashtext({id_text}), 0) & 2147483647, {count}) = {i}" for i in range(count))


def _display_name(source: PostgresSource) -> str:
    return "The query" if source.query is not None else f"Table {source.table}"

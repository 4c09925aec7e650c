"""What the database's catalog says of its tables, and a few rows of each."""

import re
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)

from trajtune.careers.init.usual_names import is_history_name
from trajtune.careers.sources.postgres.errors import server_message

JSON_TYPES: Final = ("json", "jsonb")
TEXT_TYPES: Final = ("text", "character varying", "character", "citext", "name")
_SAMPLE_ROWS: Final = 5
_MOST_TEXT: Final = 1_000_000
"""Characters of a value that are read."""


@dataclass(frozen=True)
class Table:
    """A table or view that this user may read.

    Attributes:
        oid: Its id in the catalog.
        name: As `source.table` names it.
        num_rows: The database's estimate; None if it has none.
        types: The type of each column, in the table's order.
        unique: Columns that are a primary or unique key by themselves.
        foreign: Columns that are a foreign key by themselves.
    """

    oid: int
    name: str
    num_rows: int | None
    types: dict[str, str]
    unique: frozenset[str]
    foreign: frozenset[str]


def read_tables(connection: PgConnection) -> list[Table]:
    """Tables and views with their columns; those named for people or roles first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid, CASE WHEN n.nspname = ANY (current_schemas(false)) THEN c.relname"
            " ELSE n.nspname || '.' || c.relname END, c.reltuples,"
            " array_agg(a.attname::text ORDER BY a.attnum),"
            " array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'"
            " AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
            " GROUP BY c.oid, n.nspname, c.relname, c.reltuples",
            (),
        )
        rows = cursor.fetchall()
        tables = []
        for oid, name, num_rows, columns, types in rows:
            cursor.execute(
                "SELECT a.attname::text, k.contype FROM pg_constraint k"
                " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
                " WHERE k.conrelid = %s AND cardinality(k.conkey) = 1 AND k.contype IN ('p', 'u', 'f')",
                (oid,),
            )
            keys = cursor.fetchall()
            tables.append(
                Table(
                    oid,
                    name,
                    int(num_rows) if num_rows >= 0 else None,
                    dict(zip(columns, types, strict=True)),
                    frozenset(column for column, kind in keys if kind in "pu"),
                    frozenset(column for column, kind in keys if kind == "f"),
                )
            )
    return sorted(tables, key=lambda table: (not is_history_name(table.name), table.name))


def sample_rows(connection: PgConnection, table: Table) -> list[dict[str, str | None]] | str:
    """A few rows as text, those with a JSON value first.

    Returns:
        A dict for each row; or why the database does not give them, without a value of the table.
    """
    columns = [
        sql.SQL("left(({})::text, {})").format(sql.Identifier(name), sql.Literal(_MOST_TEXT))
        for name in table.types
    ]
    json_columns = [sql.Identifier(name) for name, kind in table.types.items() if kind in JSON_TYPES]
    conditions = [sql.SQL(" WHERE {} IS NOT NULL").format(name) for name in json_columns[:1]] + [sql.SQL("")]
    relation = sql.Identifier(*_schema_and_name(connection, table.oid))
    with connection.cursor() as cursor:
        for condition in conditions:
            statement = sql.SQL("SELECT {} FROM {}{} LIMIT {}").format(
                sql.SQL(", ").join(columns), relation, condition, sql.Literal(_SAMPLE_ROWS)
            )
            cursor.execute("SAVEPOINT sample")
            try:
                cursor.execute(statement)
                rows = cursor.fetchall()
            except psycopg2.Error as error:
                if error.diag.message_primary is None:
                    raise  # the connection failed, not the statement
                cursor.execute("ROLLBACK TO SAVEPOINT sample")
                return _reason(error)
            if rows:
                return [dict(zip(table.types, row, strict=True)) for row in rows]
    return []


def _reason(error: psycopg2.Error) -> str:
    if isinstance(error, psycopg2.errors.QueryCanceled):
        return "it cannot be read within ten seconds"
    if error.pgcode is not None and error.pgcode.startswith("P0"):
        return "a function in it raises an exception"  # its message may hold a value
    # An error about data quotes the value at fault.
    message = server_message(error)
    return re.sub('"[^"]*"', '"…"', message) if isinstance(error, psycopg2.DataError) else message


def _schema_and_name(connection: PgConnection, oid: int) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = %s",
            (oid,),
        )
        row = cursor.fetchone()
    assert row is not None, "the catalog does not change within a transaction"
    return str(row[0]), str(row[1])

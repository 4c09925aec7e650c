"""Read the tables in a database's catalog, and sample their rows."""

import re
from typing import Final

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)

from trajtune.careers.init.table import ARRAY_TYPES, MAX_ROWS, Row, Table
from trajtune.careers.init.usual_names import is_history_name
from trajtune.careers.sources.postgres.errors import server_message

_MAX_TEXT: Final = 1_000_000
"""Maximum number of characters to read of a value."""


def read_tables(connection: PgConnection) -> dict[int, Table]:
    """Return the tables and views with readable columns, by oid; those named for roles come first."""
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
        tables = {}
        for oid, name, num_rows, columns, types in rows:
            cursor.execute(
                "SELECT a.attname::text, k.contype FROM pg_constraint k"
                " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
                " WHERE k.conrelid = %s AND cardinality(k.conkey) = 1 AND k.contype IN ('p', 'u', 'f')",
                (oid,),
            )
            keys = cursor.fetchall()
            tables[int(oid)] = Table(
                {"kind": "postgres", "table": name},
                name,
                int(num_rows) if num_rows >= 0 else None,
                dict(zip(columns, types, strict=True)),
                frozenset(column for column, kind in keys if kind in "pu"),
                frozenset(column for column, kind in keys if kind == "f"),
            )
    return dict(sorted(tables.items(), key=lambda item: (not is_history_name(item[1].name), item[1].name)))


def sample_rows(connection: PgConnection, oid: int, table: Table) -> list[Row] | str:
    """Sample rows from the whole table, as text.

    Returns:
        A dict for each of at most `MAX_ROWS` rows; or the reason why the database refuses.
    """
    relation, has_pages = _relation(connection, oid)
    # Sample pages of a large table. If they are empty, and for views, take the first rows.
    percent = 100 * 2 * MAX_ROWS / max(table.num_rows or 0, 1)
    samples: list[sql.Composable] = [
        sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE (0)").format(sql.Literal(percent))
    ]
    samples = [*(samples if has_pages and percent < 100 else []), sql.SQL("")]
    columns = sql.SQL(", ").join(_as_text(name, kind) for name, kind in table.types.items())
    with connection.cursor() as cursor:
        for sample in samples:
            statement = sql.SQL("SELECT {} FROM {}{} LIMIT {}").format(
                columns, relation, sample, sql.Literal(MAX_ROWS)
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


def _as_text(name: str, kind: str) -> sql.Composed:
    column = sql.SQL("to_jsonb({})" if kind in ARRAY_TYPES else "{}").format(sql.Identifier(name))
    return sql.SQL("left(({})::text, {})").format(column, sql.Literal(_MAX_TEXT))


def _reason(error: psycopg2.Error) -> str:
    """Return why a statement failed, without values that the server may quote."""
    if isinstance(error, psycopg2.errors.QueryCanceled):
        return "it cannot be read within ten seconds"
    if error.pgcode is not None and error.pgcode.startswith("P0"):
        return "a function in it raises an exception"  # its message may contain a value
    # An error about data quotes the faulty value.
    message = server_message(error)
    return re.sub('"[^"]*"', '"…"', message) if isinstance(error, psycopg2.DataError) else message


def _relation(connection: PgConnection, oid: int) -> tuple[sql.Identifier, bool]:
    """Return the relation as SQL, and whether its pages can be sampled."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname, c.relkind IN ('r', 'p', 'm') FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
            (oid,),
        )
        row = cursor.fetchone()
    assert row is not None, "the catalog does not change within a transaction"
    return sql.Identifier(str(row[0]), str(row[1])), bool(row[2])

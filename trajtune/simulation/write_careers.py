"""Write simulated careers to a PostgreSQL table or to a file."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from pyarrow import csv

from trajtune.errors import SourceError
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import GENERATOR_VERSION
from trajtune.simulation.simulate import DEFAULT_SETTINGS
from trajtune.simulation.source_rows import RowLayout, simulated_rows
from trajtune.storage.atomic import atomic_path
from trajtune.storage.database_url import (
    connection_reason,
    hide_passwords,
    libpq_url,
    postgres_fault,
    remedy,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812 - a class with a lower-case name

TABLE: Final = "candidates"
_OURS: Final = "Simulated by trajtune"
_VARIABLE: Final = "POSTGRES_URL"
_URL_LIKE: Final = re.compile(r"://|^jdbc:|=|@", re.IGNORECASE)
_SUFFIXES: Final = (".parquet", ".jsonl", ".csv")


def write_simulated(
    num_careers: int, seed: int, to: str, settings: ProcessSettings = DEFAULT_SETTINGS
) -> str:
    """Write the careers 1 to ``num_careers`` to a file or a database.

    A ``.parquet`` or ``.jsonl`` file has one row per career, with the columns of `write_simulated_table` (in
    Parquet, ``work_history`` is JSON text). A ``.csv`` file has one row per role.

    Args:
        num_careers: Number of careers, at least 1.
        seed: Seed; the same seed and settings give the same rows.
        to: Path of a file, or a URL or settings as in `write_simulated_table`.
        settings: Settings of the population.

    Returns:
        A text that says where the careers are, without the URL.

    Raises:
        SourceError: If the database or the file cannot be written, the database has a table
            ``candidates`` that trajtune did not create, or the file name has another extension.
    """
    if Path(to).suffix not in _SUFFIXES and _URL_LIKE.search(to):
        return write_simulated_table(num_careers, seed, to, settings)
    _write_file(num_careers, seed, Path(to), settings)
    return to


def write_simulated_table(
    num_careers: int, seed: int, url: str, settings: ProcessSettings = DEFAULT_SETTINGS
) -> str:
    """Write the table ``candidates(id, work_history jsonb, hireable)`` in one transaction.

    An earlier simulation in the database is replaced.

    Args:
        num_careers: Number of careers, at least 1.
        seed: Seed; the same seed and settings give the same rows.
        url: ``postgresql://...``, or libpq's ``key=value`` settings.
        settings: Settings of the population.

    Returns:
        A text that says where the careers are, without the URL.

    Raises:
        SourceError: If the database cannot be written, or has a table ``candidates`` that trajtune did not
            create.
    """
    with _transaction(url) as connection, connection.cursor() as cursor:
        if _exists(connection, TABLE):
            cursor.execute("select obj_description(to_regclass(%s), 'pg_class')", (TABLE,))
            (comment,) = cursor.fetchone() or (None,)
            if comment != _OURS:
                raise SourceError(
                    f"The database has a table `{TABLE}` that trajtune did not create. "
                    "Drop or rename it, or use another database."
                )
            cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(TABLE)))
        _fill(connection, TABLE, num_careers, seed, settings)
    return f"the table `{TABLE}`"


def simulated_table(
    url: str, num_careers: int, seed: int, settings: ProcessSettings = DEFAULT_SETTINGS
) -> str:
    """Return the name of a table with these careers in the database; it is created on the first call.

    The table is filled in one transaction, and its name is a hash of every setting. A table that exists is
    therefore complete, and two simultaneous commands fill it only once.
    """
    key = f"{GENERATOR_VERSION} {num_careers} {seed} {settings.model_dump_json()}"
    name = f"simulated_{sha256(key.encode()).hexdigest()[:16]}"
    with _transaction(url) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (name,))
        if not _exists(connection, name):
            _fill(connection, name, num_careers, seed, settings)
    return name


def _fill(
    connection: "Connection", name: str, num_careers: int, seed: int, settings: ProcessSettings
) -> None:
    table = sql.Identifier(name)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "create table {} "
                "(id bigint primary key, work_history jsonb not null, hireable boolean not null)"
            ).format(table)
        )
        cursor.execute(sql.SQL("comment on table {} is {}").format(table, sql.Literal(_OURS)))
        copy = sql.SQL("copy {} from stdin (format csv)").format(table).as_string(cursor)
        for rows in simulated_rows(num_careers, seed, settings, "candidates"):
            block = io.BytesIO()
            csv.write_csv(rows, block, csv.WriteOptions(include_header=False))
            block.seek(0)
            cursor.copy_expert(copy, block)


def _exists(connection: "Connection", name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass(%s) is not null", (name,))
        return bool((cursor.fetchone() or (False,))[0])


@contextmanager
def _transaction(url: str) -> Iterator["Connection"]:
    """Yield a connection that commits if the block succeeds; error messages do not contain the URL."""
    if (fault := postgres_fault(url)) is not None:
        raise SourceError(f"{_VARIABLE} {fault}.")
    url = libpq_url(url)
    try:
        connection = psycopg2.connect(url)
    except psycopg2.Error as error:
        # `from None`: psycopg2's own message may repeat the URL.
        reason = connection_reason(str(error), url)
        raise SourceError(
            f"Cannot connect to the database in {_VARIABLE} to write the careers: {reason}. "
            f"{remedy(reason, _VARIABLE)}."
        ) from None
    try:
        yield connection
        connection.commit()
    except psycopg2.Error as error:
        reason = (error.diag.message_primary or "the connection was lost").splitlines()[0]
        raise SourceError(
            f"The database refused the simulated careers: {hide_passwords(reason, url)}. "
            "Fix the database, or use another one."
        ) from None
    finally:
        connection.close()


def _write_file(num_careers: int, seed: int, path: Path, settings: ProcessSettings) -> None:
    if path.suffix not in _SUFFIXES:
        raise SourceError(
            f"Simulated careers must be written to {', '.join(_SUFFIXES)} files or a postgresql:// URL, "
            f"but got {path.name}. Use one of these extensions."
        )
    if path.suffix == ".csv" and settings.broken:
        raise SourceError(
            f"Faults can only be inserted into JSON histories, but broken is {settings.broken} and "
            f"{path.name} has one row per role. Write .jsonl or .parquet, or set broken to 0."
        )
    layout: RowLayout = "roles" if path.suffix == ".csv" else "candidates"
    rows = simulated_rows(num_careers, seed, settings, layout)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, unique=True) as temporary:
            _write_rows(rows, path.suffix, temporary)
    except OSError as error:
        raise SourceError(f"Cannot write {path}: {error.strerror}. Use another path.") from error


def _write_rows(rows: Iterator[pa.Table], suffix: str, path: Path) -> None:
    if suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            for table in rows:
                columns = (table[name].to_pylist() for name in table.column_names)
                for key, history, hireable in zip(*columns, strict=True):
                    label = "true" if hireable else "false"
                    file.write(f'{{"id": {key}, "work_history": {history}, "hireable": {label}}}\n')
        return
    first = next(rows)
    if suffix == ".csv":
        writer = csv.CSVWriter(path, first.schema)
    else:
        from pyarrow import parquet

        writer = parquet.ParquetWriter(path, first.schema, compression="zstd")
    with writer:
        writer.write_table(first)
        for table in rows:
            writer.write_table(table)

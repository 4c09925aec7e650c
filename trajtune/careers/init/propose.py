"""Inspect a database or files and propose table, layout, columns and JSON keys of careers.

Reads names, types and a sample of the rows. Values are used for decisions (is this a date? a list of roles?)
and then dropped: a proposal contains only shapes. Knows nothing of terminals.
"""

from collections.abc import Sequence
from typing import Final

from trajtune.careers.init.files import sample_files
from trajtune.careers.init.json_layout import propose_json
from trajtune.careers.init.proposal import Proposal
from trajtune.careers.init.rows_layout import propose_rows
from trajtune.careers.init.table import ARRAY_TYPES, JSON_TYPES, TEXT_TYPES, Row, Table
from trajtune.careers.init.tables import read_tables, sample_rows
from trajtune.careers.init.usual_names import is_history_name
from trajtune.careers.sources.postgres.connection import Database
from trajtune.careers.sources.postgres.errors import database_errors_explained
from trajtune.errors import SourceError

_MAX_TABLES: Final = 200
_SAMPLE_TIMEOUT_MS: Final = 10_000


def propose(url: str) -> list[Proposal]:
    """Inspect all tables and views that this user may read; return the best proposal first.

    Args:
        url: URL of the database; it is never shown.

    Raises:
        SourceError: If the database cannot be read, or if nothing in it fits; the error lists what was found.
    """
    results = []
    database = Database.at(url)
    with database_errors_explained(database.url), database.transaction() as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", (_SAMPLE_TIMEOUT_MS,))
        for oid, table in list(read_tables(connection).items())[:_MAX_TABLES]:
            results.append((table.name, _examine(table, sample_rows(connection, oid, table))))
    return _best_first(
        results, "This database has no table that this user may read. Fix POSTGRES_URL, or grant SELECT."
    )


def propose_files(path: str) -> list[Proposal]:
    """Inspect files; return the best proposal first.

    Args:
        path: A file, a directory or a glob, local or in an object store.

    Raises:
        SourceError: If there is no such file, or if nothing in it fits; the error lists what was found.
    """
    results = [(table.name, _examine(table, samples)) for table, samples in sample_files(path)]
    return _best_first(
        results, f"{path} contains no file of careers. Give a CSV, JSON, JSON lines or Parquet file."
    )


def _best_first(results: Sequence[tuple[str, Proposal | str]], nothing: str) -> list[Proposal]:
    proposals = [result for _, result in results if isinstance(result, Proposal)]
    if not proposals:
        reasons = [f"{name} ({result})" for name, result in results]
        raise SourceError(_nothing_fits(reasons) if reasons else nothing)
    return sorted(proposals, key=lambda proposal: (-proposal.score, proposal.place))


def _examine(table: Table, samples: Sequence[Row] | str) -> Proposal | str:
    """Return the best proposal for one table, or the reason why there is none."""
    if isinstance(samples, str):
        return samples
    if not samples:
        return "empty"
    history_columns = [
        name
        for name, kind in table.types.items()
        if kind in (*JSON_TYPES, *ARRAY_TYPES) or (kind in TEXT_TYPES and is_history_name(name))
    ]
    json_proposals = (propose_json(table, column, samples) for column in history_columns)
    proposals = [proposal for proposal in json_proposals if proposal is not None]
    rows = propose_rows(table, samples)
    if isinstance(rows, Proposal):
        proposals.append(rows)
    if proposals:
        return max(proposals, key=lambda proposal: proposal.score)
    names = ", ".join(list(table.types)[:8]) + (", …" if len(table.types) > 8 else "")
    return f"columns {names}: no list of roles, {rows}"


def _nothing_fits(reasons: Sequence[str]) -> str:
    shown = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return (
        "No table fits: work histories are a JSON list of roles per person, or one row per role with "
        f"person, title, start and end. Found: {shown}. Fill it, or write an experiment file by hand with "
        "`source.query`."
    )

"""Look at a database and propose where its careers lie: table, layout, columns and JSON keys.

Reads names and types from the catalog and five rows of each table that may fit. Values decide (is
this a date? a list of roles?) and are then forgotten: a proposal names shapes alone.
Knows nothing of terminals or files.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from trajtune.careers.init.json_layout import propose_json
from trajtune.careers.init.proposal import Proposal
from trajtune.careers.init.rows_layout import propose_rows
from trajtune.careers.init.tables import JSON_TYPES, TEXT_TYPES, Table, read_tables, sample_rows
from trajtune.careers.init.usual_names import is_history_name
from trajtune.careers.sources.postgres.connection import Database
from trajtune.careers.sources.postgres.errors import database_errors_explained
from trajtune.errors import SourceError

_MOST_TABLES: Final = 200
_SAMPLE_TIMEOUT_MS: Final = 10_000


def propose(url: str) -> list[Proposal]:
    """Look at every table and view that this user may read; the best proposal first.

    Args:
        url: The database's URL; appears nowhere.

    Raises:
        SourceError: If the database cannot be read, or if nothing in it fits; names what was found.
    """
    proposals, reasons = [], []
    database = Database.at(url)
    with database_errors_explained(database.url), database.transaction() as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", (_SAMPLE_TIMEOUT_MS,))
        for table in read_tables(connection)[:_MOST_TABLES]:
            result = _examine(table, sample_rows(connection, table))
            if isinstance(result, str):
                reasons.append(f"{table.name} ({result})")
            else:
                proposals.append(result)
    if not proposals:
        raise SourceError(_nothing_fits(reasons))
    return sorted(proposals, key=lambda proposal: (-proposal.score, proposal.source.table))


def _examine(table: Table, samples: Sequence[Mapping[str, str | None]] | str) -> Proposal | str:
    """The best proposal for one table, or why there is none."""
    if isinstance(samples, str):
        return samples
    if not samples:
        return "empty"
    history_columns = [
        name
        for name, kind in table.types.items()
        if kind in JSON_TYPES or (kind in TEXT_TYPES and is_history_name(name))
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
    if not reasons:
        return "This database has no table that this user may read. Fix POSTGRES_URL, or grant SELECT."
    shown = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return (
        "No table fits: work histories are a JSON list of roles for each person, or a row for each role with "
        f"person, title, start and end. Found: {shown}. Fill it, or write an experiment file by hand with "
        "`source.query`."
    )

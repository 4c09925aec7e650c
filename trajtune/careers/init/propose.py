"""Look at a database and propose where its careers lie: table, layout, columns and JSON keys.

Reads names and types from the catalog and five rows of each table that may fit. Values decide (is
this a date? a list of roles?) and are then forgotten: what is handed back names shapes alone.
Knows nothing of terminals or files.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as PgConnection  # noqa: N812 (a class)

from trajtune.careers.init.usual_names import NOT_A_WORD, best, is_history, rank
from trajtune.careers.parse.dates import Reading, parse_date
from trajtune.careers.schema import Precision
from trajtune.careers.sources.postgres import Database, explain
from trajtune.errors import SourceError
from trajtune.experiment.sources import JsonHistory, PostgresSource, RoleRows

SAMPLE_ROWS: Final = 5
_MOST_TABLES: Final = 200
_MOST_TEXT: Final = 1_000_000
_SAMPLE_TIMEOUT_MS: Final = 10_000
_JSON_TYPES: Final = ("json", "jsonb")
_TEXT_TYPES: Final = ("text", "character varying", "character", "citext", "name")
_DATE_TYPES: Final = ("date", "timestamp")
_FIELDS: Final = ("title", "start", "end", "current")
_DEPTH: Final = 3


@dataclass(frozen=True)
class Proposal:
    """Where careers may lie.

    Attributes:
        source: As an experiment names it; every name in it was found in the database.
        shapes: For each setting of the layout, what the sample rows hold there; never a value.
        choices: For each setting of the layout, all names that the table, or its JSON, offers.
        num_rows: The table's rows, as the database estimates them; None if it does not know.
        has_ambiguous_dates: A sampled date can be read in two ways.
        score: Higher fits better; compares the proposals of one database.
    """

    source: PostgresSource
    shapes: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    num_rows: int | None
    has_ambiguous_dates: bool
    score: float


@dataclass(frozen=True)
class _Table:
    """A table or view that may be read; ``name`` as `source.table` would have it."""

    oid: int
    name: str
    num_rows: int | None
    types: dict[str, str]
    unique: frozenset[str]
    foreign: frozenset[str]


@dataclass(frozen=True)
class _Shape:
    """What sampled values are, without them."""

    kind: Literal["dates", "flags", "text", "nothing", "other"]
    words: str
    is_ambiguous: bool = False


def propose(url: str) -> list[Proposal]:
    """Look at every table and view that this user may read; the best proposal first.

    Args:
        url: The database's URL; appears nowhere.

    Raises:
        SourceError: If the database cannot be read, or if nothing in it fits; names what was found.
    """
    try:
        with Database(url).transaction() as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", (_SAMPLE_TIMEOUT_MS,))
            tables = _tables(connection)
            proposals, reasons = [], []
            for table in tables[:_MOST_TABLES]:
                found = _examine(connection, table)
                if isinstance(found, str):
                    reasons.append(f"{table.name} ({found})")
                else:
                    proposals.append(found)
    except psycopg2.Error as error:
        raise SourceError(explain(error, url)) from None
    if not proposals:
        raise SourceError(_nothing_fits(reasons))
    return sorted(proposals, key=lambda proposal: (-proposal.score, proposal.source.table))


def _nothing_fits(reasons: Sequence[str]) -> str:
    if not reasons:
        return "This database has no table that this user may read. Mend POSTGRES_URL, or grant SELECT."
    shown = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return (
        "No table fits: work histories are a JSON list of roles for each person, or a row for each role with "
        f"person, title, start and end. Found: {shown}. Fill it, or write an experiment file by hand with "
        "`source.query`."
    )


def _tables(connection: PgConnection) -> list[_Table]:
    """Tables and views with their columns; those whose names speak of people or roles first."""
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
            " AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
            " GROUP BY c.oid, n.nspname, c.relname, c.reltuples",
            (),
        )
        rows = cursor.fetchall()
        tables = []
        for oid, name, tuples, names, types in rows:
            cursor.execute(
                "SELECT a.attname::text, k.contype FROM pg_constraint k"
                " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
                " WHERE k.conrelid = %s AND cardinality(k.conkey) = 1 AND k.contype IN ('p', 'u', 'f')",
                (oid,),
            )
            keys = cursor.fetchall()
            tables.append(
                _Table(
                    oid,
                    name,
                    int(tuples) if tuples >= 0 else None,
                    dict(zip(names, types, strict=True)),
                    frozenset(column for column, kind in keys if kind in "pu"),
                    frozenset(column for column, kind in keys if kind == "f"),
                )
            )
    return sorted(tables, key=lambda table: (not is_history(table.name), table.name))


def _examine(connection: PgConnection, table: _Table) -> Proposal | str:
    """A proposal for one table, or why there is none."""
    histories = [name for name, kind in table.types.items() if kind in (*_JSON_TYPES, *_TEXT_TYPES)]
    likely = [name for name in histories if table.types[name] in _JSON_TYPES or is_history(name)]
    names = ", ".join(list(table.types)[:8]) + (", …" if len(table.types) > 8 else "")
    samples = _sample(connection, table)
    if samples is None:
        return "it cannot be read within ten seconds"
    if not samples:
        return "empty"
    found: list[Proposal] = []
    for column in likely:
        proposal = _json_proposal(table, column, [row[column] for row in samples], samples)
        if proposal is not None:
            found.append(proposal)
    rows = _rows_proposal(table, samples)
    if isinstance(rows, Proposal):
        found.append(rows)
    if found:
        return max(found, key=lambda proposal: proposal.score)
    return f"columns {names}: no list of roles, {rows}"


def _sample(connection: PgConnection, table: _Table) -> list[dict[str, str | None]] | None:
    """A few rows as text, those with a JSON value first; None if the database does not give them in time."""
    columns = [
        sql.SQL("left(({})::text, {})").format(sql.Identifier(name), sql.Literal(_MOST_TEXT))
        for name in table.types
    ]
    filled = [sql.Identifier(name) for name, kind in table.types.items() if kind in _JSON_TYPES]
    wheres = [sql.SQL(" WHERE {} IS NOT NULL").format(name) for name in filled[:1]] + [sql.SQL("")]
    relation = sql.Identifier(*_parts(connection, table.oid))
    with connection.cursor() as cursor:
        for where in wheres:
            statement = sql.SQL("SELECT {} FROM {}{} LIMIT {}").format(
                sql.SQL(", ").join(columns), relation, where, sql.Literal(SAMPLE_ROWS)
            )
            cursor.execute("SAVEPOINT sample")
            try:
                cursor.execute(statement)
                rows = cursor.fetchall()
            except psycopg2.Error as error:
                if error.diag.message_primary is None:
                    raise  # the connection is at fault, not the table
                cursor.execute("ROLLBACK TO SAVEPOINT sample")
                return None
            if rows:
                return [dict(zip(table.types, row, strict=True)) for row in rows]
    return []


def _parts(connection: PgConnection, oid: int) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = %s",
            (oid,),
        )
        row = cursor.fetchone()
    assert row is not None, "the catalog changes within no transaction"
    return str(row[0]), str(row[1])


def _json_proposal(
    table: _Table, column: str, texts: Sequence[str | None], samples: Sequence[Mapping[str, str | None]]
) -> Proposal | None:
    lists, path = _lists_of_roles([_loaded(text) for text in texts])
    roles = [role for one in lists for role in one]
    if not roles:
        return None
    counted = Counter(key for role in roles for key in role).most_common()
    keys = [key for key, number in counted if number > 1 or len(roles) == 1]
    values = {key: [_text(role.get(key)) for role in roles] for key in keys}
    shapes = {key: _shape(values[key], "json") for key in keys}
    chosen = _roles_fields(keys, shapes)
    person = _person_column(table, is_row_a_person=True)
    if person in (None, column) or any(field not in chosen for field in ("title", "start", "end")):
        return None
    lengths = sorted(len(one) for one in lists)
    settings = {
        "id_column": person,
        "history_column": column,
        "title_key": chosen["title"],
        "start_key": chosen["start"],
        "end_key": chosen["end"],
        "current_key": chosen.get("current"),
        "history_key": ".".join(path) or None,
    }
    of_key = {
        name: f"of {len(roles)} roles, {shapes[key].words}"
        for name, key in settings.items()
        if key in shapes and name.endswith("_key")
    }
    columns = list(table.types)
    return Proposal(
        source=PostgresSource(table=table.name, layout=JsonHistory(**settings)),  # type: ignore[arg-type]
        shapes={
            "id_column": table.types[person],
            "history_column": f"{table.types[column]}, lists of {lengths[0]} to {lengths[-1]} roles",
            **of_key,
        },
        choices={"id_column": columns, "history_column": columns}
        | dict.fromkeys(("title_key", "start_key", "end_key", "current_key"), keys),
        num_rows=table.num_rows,
        has_ambiguous_dates=any(shapes[chosen[field]].is_ambiguous for field in ("start", "end")),
        score=_score(table, chosen) + 2.0 * (len(lists) / len(samples)) + is_history(column),
    )


def _rows_proposal(table: _Table, samples: Sequence[Mapping[str, str | None]]) -> Proposal | str:
    columns = list(table.types)
    shapes = {name: _shape([row[name] for row in samples], table.types[name]) for name in columns}
    person = _person_column(table, is_row_a_person=False)
    chosen = _roles_fields([name for name in columns if name != person], shapes)
    words = {"title": "title", "start": "start date", "end": "end date"}
    missing = [word for field, word in words.items() if field not in chosen]
    if person is None:
        missing.insert(0, "column that names the person")
    if missing or person is None:
        return "no " + ", no ".join(missing)
    settings = {
        "id_column": person,
        "title_column": chosen["title"],
        "start_column": chosen["start"],
        "end_column": chosen["end"],
        "current_column": chosen.get("current"),
    }
    return Proposal(
        source=PostgresSource(table=table.name, layout=RoleRows(**settings)),  # type: ignore[arg-type]
        shapes={
            name: f"{table.types[column]}, of {len(samples)} rows {shapes[column].words}"
            for name, column in settings.items()
            if column is not None
        },
        choices=dict.fromkeys(settings, columns),
        num_rows=table.num_rows,
        has_ambiguous_dates=any(shapes[chosen[field]].is_ambiguous for field in ("start", "end")),
        score=_score(table, chosen),
    )


def _score(table: _Table, chosen: Mapping[str, str]) -> float:
    """Well-known names, a table named for people or roles, and rows in it."""
    known = sum(1.0 - rank(field, name) / NOT_A_WORD for field, name in chosen.items())
    return known + 2.0 * is_history(table.name) + (0.5 if table.num_rows else 0.0)


def _person_column(table: _Table, *, is_row_a_person: bool) -> str | None:
    """The column that says whose row it is; a role's own key never does."""
    scalar = [name for name, kind in table.types.items() if kind not in _JSON_TYPES]
    if is_row_a_person:
        own = [name for name in scalar if name in table.unique]
        named = [name for name in scalar if name.lower() in {"id", "uuid"}]
        found = [best("id", own), *own, *named, best("id", scalar)]
    else:
        shared = [name for name in scalar if name not in table.unique]
        found = [best("id", shared), *(name for name in shared if name in table.foreign)]
    return next((name for name in found if name is not None), None)


def _roles_fields(names: Sequence[str], shapes: Mapping[str, _Shape]) -> dict[str, str]:
    """The name of each field among columns or keys whose values have that field's shape."""
    fits = {
        "title": {"text"},
        "start": {"dates"},
        "end": {"dates", "nothing"},
        "current": {"flags"},
    }
    chosen: dict[str, str] = {}
    for field in _FIELDS:
        left = [name for name in names if name not in chosen.values() and shapes[name].kind in fits[field]]
        if (name := best(field, left)) is not None:
            chosen[field] = name
    return chosen


def _lists_of_roles(values: Sequence[Any]) -> tuple[list[list[dict[str, Any]]], tuple[str, ...]]:
    """The lists of objects in JSON values, and the keys that lead to them: the same in every row."""
    found = [dict(_paths(value, ())) for value in values]
    # A key of one row alone may be a value, as a name or an address, unless it is a well-known word.
    counts = {
        path: number
        for path, number in Counter(path for lists in found for path in lists).items()
        if number > 1 or all(is_history(key) for key in path)
    }
    # Of several lists in an object, as jobs beside schools, the one that is named for roles.
    ordered = sorted(counts, key=lambda path: (-bool(path and is_history(path[-1])), -counts[path], path))
    if not ordered:
        return [], ()
    return [lists[ordered[0]] for lists in found if ordered[0] in lists], ordered[0]


def _paths(value: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    if isinstance(value, list):
        objects = [role for role in value if isinstance(role, dict)]
        return [(path, objects)] if objects else []
    if not isinstance(value, dict) or len(path) == _DEPTH:
        return []
    # A dot would look like a step further down.
    return [found for key, inner in value.items() if "." not in key for found in _paths(inner, (*path, key))]


def _loaded(text: str | None) -> Any:
    try:
        value = json.loads(text or "null", strict=False)
        return json.loads(value, strict=False) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _shape(values: Sequence[str | None], column_type: str) -> _Shape:
    """What values are, said without them."""
    texts = [value for value in values if value is not None and value.strip()]
    filled = f"{len(texts)} filled"
    if not texts:
        kind: Literal["dates", "nothing"] = "dates" if column_type.startswith(_DATE_TYPES) else "nothing"
        return _Shape(kind, filled)
    if {text.lower() for text in texts} <= {"t", "f", "true", "false", "yes", "no", "0", "1"}:
        return _Shape("flags", f"{filled}, yes or no")
    readings = [parse_date(text) if len(text) <= 64 else (0, 0, Reading.UNREADABLE) for text in texts]
    dated = [precision for _, precision, reading in readings if reading == Reading.DATE]
    ambiguous = sum(reading == Reading.AMBIGUOUS for _, _, reading in readings)
    held = sum(reading in {Reading.HELD, Reading.EMPTY} for _, _, reading in readings)
    if dated or ambiguous:
        if len(dated) + ambiguous + held >= 0.6 * len(texts):
            to = ", ".join(sorted({Precision(precision).name.lower() for precision in dated}))
            words = (
                f"{filled}, dates"
                + (f" to the {to}" if to else "")
                + (f", {ambiguous} readable in two ways" if ambiguous else "")
            )
            return _Shape("dates", words, bool(ambiguous))
    elif held == len(texts):
        return _Shape("dates", f"{filled}, words for until now")
    numeric = all(text.lstrip("-").replace(".", "", 1).isdigit() for text in texts)
    if numeric or any(text.lstrip().startswith(("{", "[")) for text in texts):
        return _Shape("other", filled)
    return _Shape("text", f"{filled}, text")

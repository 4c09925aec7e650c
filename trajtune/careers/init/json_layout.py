"""Propose a column that holds a JSON list of roles for each person."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trajtune.careers.init.proposal import Proposal, name_score, person_column, role_fields
from trajtune.careers.init.shapes import shape_of
from trajtune.careers.init.tables import Table
from trajtune.careers.init.usual_names import is_history_name
from trajtune.experiment.sources import JsonHistory, PostgresSource

_DEPTH: Final = 3
"""Objects that may lie within each other above the list."""
_KEY_SETTINGS: Final = ("title_key", "start_key", "end_key", "current_key")

_Path = tuple[str, ...]
_Role = dict[str, Any]


def propose_json(table: Table, column: str, samples: Sequence[Mapping[str, str | None]]) -> Proposal | None:
    """A proposal for a column, or None if it holds no list of roles.

    Args:
        table: The table.
        column: Its column.
        samples: A few of its rows, as text.
    """
    lists, path = _lists_of_roles([_parsed(row[column]) for row in samples])
    roles = [role for history in lists for role in history]
    if not roles:
        return None
    counted = Counter(key for role in roles for key in role).most_common()
    keys = [key for key, number in counted if number > 1 or len(roles) == 1]
    shapes = {key: shape_of([_text(role.get(key)) for role in roles], "json") for key in keys}
    chosen = role_fields(keys, shapes)
    person = person_column(table, is_row_a_person=True)
    if person in (None, column) or any(field not in chosen for field in ("title", "start", "end")):
        return None
    lengths = sorted(len(history) for history in lists)
    settings = {
        "id_column": person,
        "history_column": column,
        "title_key": chosen["title"],
        "start_key": chosen["start"],
        "end_key": chosen["end"],
        "current_key": chosen.get("current"),
        "history_key": ".".join(path) or None,
    }
    key_shapes = {
        setting: f"of {len(roles)} roles, {shapes[key].description}"
        for setting in _KEY_SETTINGS
        if (key := settings[setting]) is not None
    }
    columns = list(table.types)
    return Proposal(
        source=PostgresSource(table=table.name, layout=JsonHistory(**settings)),  # type: ignore[arg-type]
        shapes={
            "id_column": table.types[person],
            "history_column": f"{table.types[column]}, lists of {lengths[0]} to {lengths[-1]} roles",
            **key_shapes,
        },
        choices={"id_column": columns, "history_column": columns} | dict.fromkeys(_KEY_SETTINGS, keys),
        num_rows=table.num_rows,
        has_ambiguous_dates=any(shapes[chosen[field]].is_ambiguous for field in ("start", "end")),
        score=name_score(table, chosen) + 2.0 * (len(lists) / len(samples)) + is_history_name(column),
    )


def _lists_of_roles(values: Sequence[Any]) -> tuple[list[list[_Role]], _Path]:
    """The lists of objects in JSON values, and the keys that lead to them: the same in every row."""
    lists_of_rows = [dict(_lists_by_path(value, ())) for value in values]
    # A key that only one row has may be a value, for example a name, unless it is a well-known word.
    counts = {
        path: number
        for path, number in Counter(path for lists in lists_of_rows for path in lists).items()
        if number > 1 or all(is_history_name(key) for key in path)
    }
    # Of several lists in an object, for example jobs and schools, the one that is named for roles.
    ordered = sorted(
        counts, key=lambda path: (-bool(path and is_history_name(path[-1])), -counts[path], path)
    )
    if not ordered:
        return [], ()
    return [lists[ordered[0]] for lists in lists_of_rows if ordered[0] in lists], ordered[0]


def _lists_by_path(value: Any, path: _Path) -> list[tuple[_Path, list[_Role]]]:
    if isinstance(value, list):
        objects = [role for role in value if isinstance(role, dict)]
        return [(path, objects)] if objects else []
    if not isinstance(value, dict) or len(path) == _DEPTH:
        return []
    # A key with a dot is left out: `source.layout.history_key` separates keys by dots.
    inner_lists = (_lists_by_path(inner, (*path, key)) for key, inner in value.items() if "." not in key)
    return [pair for pairs in inner_lists for pair in pairs]


def _parsed(text: str | None) -> Any:
    try:
        value = json.loads(text or "null", strict=False)
        return json.loads(value, strict=False) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)

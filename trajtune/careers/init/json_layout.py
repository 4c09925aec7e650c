"""Propose a column that holds a JSON list of roles for each person."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from trajtune.careers.init.keys import flat_values, parsed
from trajtune.careers.init.proposal import Proposal, name_score, person_column, role_fields, source_of
from trajtune.careers.init.shapes import Shape, shape_of
from trajtune.careers.init.table import Row, Table
from trajtune.careers.init.usual_names import Field, is_history_name, names_other_list, names_roles
from trajtune.careers.nested_keys import list_at
from trajtune.experiment.sources import JsonHistory

_DEPTH: Final = 5
"""Maximum nesting of objects above the list."""
_KEY_SETTINGS: Final = ("title_key", "start_key", "end_key", "current_key")
_MAX_ROLES: Final = 5_000

_Path = tuple[str, ...]
_Role = dict[str, Any]


@dataclass(frozen=True)
class _RoleList:
    """A list of roles that several rows have at the same path, and its keys."""

    path: _Path
    lists: list[list[_Role]]
    shapes: dict[str, Shape]
    chosen: dict[Field, str]


def propose_json(table: Table, column: str, samples: Sequence[Row]) -> Proposal | None:
    """Propose a column; return None if it contains no list of roles.

    Args:
        table: The table.
        column: Name of the column.
        samples: Sampled rows, as text.
    """
    found = _best_list(column, [parsed(row[column]) for row in samples])
    person = person_column(table, samples, is_row_a_person=True)
    if found is None or person == column or (person is None and not table.is_one_person_a_file):
        return None
    settings = {
        "id_column": person,
        "history_column": column,
        "title_key": found.chosen["title"],
        "start_key": found.chosen["start"],
        "end_key": found.chosen["end"],
        "current_key": found.chosen.get("current"),
        "history_key": ".".join(found.path) or None,
    }
    num_roles = sum(len(history) for history in found.lists)
    key_shapes = {
        setting: f"of {num_roles} roles, {found.shapes[key].description}"
        for setting in _KEY_SETTINGS
        if (key := settings[setting]) is not None
    }
    lengths = sorted(len(history) for history in found.lists)
    columns = list(table.types)
    id_shape = {} if person is None else {"id_column": table.types[person]}
    filled = max(1, sum(row[column] is not None for row in samples))
    coverage = len(found.lists) / filled
    return Proposal(
        source=source_of(table, JsonHistory.model_validate(settings)),
        shapes={
            **id_shape,
            "history_column": f"{table.types[column]}, lists of {lengths[0]} to {lengths[-1]} roles",
            **key_shapes,
        },
        choices={"id_column": columns, "history_column": columns}
        | {setting: list(found.shapes) for setting in _KEY_SETTINGS},
        num_rows=table.num_rows,
        has_ambiguous_dates=any(found.shapes[found.chosen[name]].is_ambiguous for name in ("start", "end")),
        score=name_score(table, found.chosen) + 2.0 * coverage + _meaning((column, *found.path)),
        samples=samples,
    )


def _best_list(column: str, values: Sequence[Any]) -> _RoleList | None:
    """Return the list of objects with a title and dates whose path fits roles best."""
    paths: dict[_Path, int] = defaultdict(int)
    for value in values:
        for path in _paths_of_lists(value, ()):
            paths[path] += 1
    # A key that only one row has may be a value, for example a name, unless it is a known word.
    likely = [
        path for path, number in paths.items() if number > 1 or all(is_history_name(key) for key in path)
    ]
    if len(values) == 1:
        likely = list(paths)
    found = [_role_list(path, values) for path in likely]
    complete = [roles for roles in found if {"title", "start", "end"} <= set(roles.chosen)]
    ordered = sorted(
        complete,
        key=lambda roles: (-_meaning((column, *roles.path)), -paths[roles.path], len(roles.path), roles.path),
    )
    return ordered[0] if ordered else None


def _meaning(path: _Path) -> float:
    """Return 1 for a path that names roles, -2 for one that names something else, for example schools."""
    return names_roles(path) - 2.0 * names_other_list(path)


def _role_list(path: _Path, values: Sequence[Any]) -> _RoleList:
    at_path = [list_at(value, ".".join(path)) if path else value for value in values]
    lists = [
        [role for role in found if isinstance(role, dict)] for found in at_path if isinstance(found, list)
    ]
    lists = [history for history in lists if history]
    roles = [role for history in lists for role in history][:_MAX_ROLES]
    columns = flat_values(roles)
    # A key that only one role has may be a value.
    kept = {
        key: texts
        for key, texts in columns.items()
        if len(roles) == 1 or sum(text is not None for text in texts) > 1 or None not in texts
    }
    shapes = {key: shape_of(texts, "json") for key, texts in kept.items()}
    return _RoleList(path, lists, shapes, role_fields(list(shapes), shapes))


def _paths_of_lists(value: Any, path: _Path) -> set[_Path]:
    """Return the paths of keys to lists of objects, also in other lists."""
    if isinstance(value, list):
        objects = [role for role in value if isinstance(role, dict)]
        inner = {found for role in objects for found in _paths_of_lists(role, path) if found != path}
        return {path, *inner} if objects else set()
    if not isinstance(value, dict) or len(path) == _DEPTH:
        return set()
    # Skip keys with a dot, because `source.layout.history_key` separates keys by dots.
    return {
        found
        for key, inner in value.items()
        if "." not in key
        for found in _paths_of_lists(inner, (*path, key))
    }

"""Read histories one by one, as Python objects. This works for any form, and is slower than columns."""

# N texts, R roles in all texts

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.careers.histories import FIELDS, Histories, keys_by_field, path_of
from trajtune.careers.json_columns import MAX_DEPTH
from trajtune.careers.nested_keys import list_at, value_at
from trajtune.careers.parse.text import is_unicode, value_text
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import RawRoles
from trajtune.careers.sources.column_names import alternatives, id_names
from trajtune.experiment.sources import JsonHistory, RoleRows


class InvalidJson(str):
    """The reason why a text is not JSON; replaces the value."""

    __slots__ = ()


def parsed(text: str | None) -> Any:
    """Return the value of a JSON text, or an `InvalidJson`."""
    if text is None:
        return None
    try:
        value = _loaded(text)
        # Some databases store the text of a list as a JSON string.
        return _loaded(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        return InvalidJson(f"no JSON: {error}")


def _loaded(text: str) -> Any:
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} lists and objects lie within each other")
    return json.loads(text, strict=False)


_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def _depth(text: str) -> int:
    depth = most = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        depth += (match[0] in "[{") - (match[0] in "]}")
        most = max(most, depth)
    return most


def read_objects(values: Sequence[Any], layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read histories that are Python objects."""
    names = keys_by_field(layout)
    owners: list[int] = []
    columns: dict[str, list[str | None]] = {field: [] for field in FIELDS}
    reasons: list[int] = []
    details: list[str | None] = []
    faults: list[str | None] = []
    labels: list[str | None] = []
    absent: list[str | None] = []
    for number, value in enumerate(values):
        labels.append(value_text(value.get(label_key)) if label_key and isinstance(value, dict) else None)
        roles, fault = _list_of_roles(value, layout)
        faults.append(fault)
        absent.append(None if roles or fault else _existing_keys(value, layout))
        for role in roles:
            owners.append(number)
            texts, reason, detail = _role(role, names)
            for field in FIELDS:
                columns[field].append(texts.get(field))
            reasons.append(reason)
            details.append(detail)
    titles, starts, ends, currents = (pa.array(columns[field], pa.string()) for field in FIELDS)
    raw_roles = RawRoles(
        titles, starts, ends, currents, np.array(reasons, np.int8), pa.array(details, pa.string())
    )
    return Histories(
        np.array(owners, np.int64),
        raw_roles,
        _strings(faults),
        _strings(labels),
        pa.nulls(len(faults), pa.string()),
        _strings(absent),
    )


def read_lines_singly(texts: pa.Array, layout: JsonHistory, label: str | None) -> Histories:
    """Read JSON lines with one career each, and the ids and labels beside the histories."""
    lines = [parsed(text) for text in texts.to_pylist()]
    histories = read_objects([history_of(line, layout) for line in lines], layout, label)
    labels = histories.labels
    if label is not None:
        labels = pc.coalesce(_strings([value_text(first_value(line, (label,))) for line in lines]), labels)
    ids = _strings([_id(line, layout) for line in lines])
    return Histories(histories.owners, histories.roles, histories.faults, labels, ids, histories.absent)


def read_role_lines_singly(
    texts: pa.Array, layout: RoleRows, keys: JsonHistory, label: str | None
) -> Histories:
    """Read JSON lines with one role each, as histories of one role."""
    lines = [parsed(text) for text in texts.to_pylist()]
    histories = read_objects([[line] for line in lines], keys)
    labels = [value_text(first_value(line, (label,))) if label else None for line in lines]
    ids = [_id(line, layout) for line in lines]
    return Histories(
        histories.owners,
        histories.roles,
        histories.faults,
        _strings(labels),
        _strings(ids),
        histories.absent,
    )


def history_of(line: Any, layout: JsonHistory) -> Any:
    """Return the history in a line's object."""
    if isinstance(line, dict):
        history = first_value(line, alternatives(layout.history_column))
        if history is None and layout.history_key is not None:
            return line  # `history_key` is a path from the top of the line to the list
        return parsed(history) if isinstance(history, str) else history
    return line if isinstance(line, InvalidJson) else InvalidJson(f"no JSON object: {_short(line)}")


def first_value(value: Any, keys: Sequence[str]) -> Any:
    """Return the value of the first key that has one."""
    if not isinstance(value, dict):
        return None
    return next((found for key in keys if (found := value_at(value, key)) is not None), None)


def first_key_of_list(value: dict[str, Any]) -> str | None:
    """Return the first usual key of a history under which an object has a list."""
    return next((key for key in alternatives("work_history") if isinstance(value.get(key), list)), None)


def _id(line: Any, layout: JsonHistory | RoleRows) -> str | None:
    """Return the id in a line's object; an id with half of a surrogate pair counts as missing."""
    value = first_value(line, id_names(layout))
    return None if isinstance(value, str) and not is_unicode(value) else value_text(value)


def _list_of_roles(value: Any, layout: JsonHistory) -> tuple[list[Any], str | None]:
    if isinstance(value, InvalidJson):
        return [], str(value)
    if layout.history_key is not None:
        value = list_at(value, layout.history_key)
    elif isinstance(value, dict):
        found = first_key_of_list(value)
        value = value if found is None else value[found]
    if value is None:
        return [], None
    if not isinstance(value, list):
        return [], f"no list of roles: {_short(value)}"
    return value, None


def _existing_keys(value: Any, layout: JsonHistory) -> str | None:
    """Return the keys that exist where `history_key` finds nothing; None if it finds something."""
    if layout.history_key is not None and list_at(value, layout.history_key) is not None:
        return None
    for key in path_of(layout.history_key):
        if not isinstance(value, dict):
            break
        if key not in value:
            return ", ".join(sorted(_short(name)[1:-1] for name in value)[:_MAX_KEYS]) or "none"
        value = value[key]
    return None


_MAX_KEYS: Final = 12


def _short(value: Any) -> str:
    return json.dumps(value, default=value_text)[:100]


def _role(role: Any, names: dict[str, tuple[str, ...]]) -> tuple[dict[str, str | None], int, str | None]:
    if isinstance(role, str) and role.lstrip().startswith("{"):  # text[] of JSON texts
        role = parsed(role)
    if not isinstance(role, dict):
        is_broken = isinstance(role, InvalidJson)
        return {}, Reason.NOT_A_ROLE, str(role) if is_broken else json.dumps(role, default=value_text)
    texts = {
        field: next(
            (text for name in names[field] if (text := _filled_text(value_at(role, name))) is not None), None
        )
        for field in FIELDS
    }
    title = first_value(role, [name for name in names["title"] if _filled_text(value_at(role, name))])
    if title is None or (isinstance(title, str) and is_unicode(title)):
        return texts, 0, None
    # Bytes are a title if they are UTF-8.
    if isinstance(title, bytes) and texts["title"] is not None and texts["title"].encode() == title:
        return texts, 0, None
    return texts, Reason.TITLE_NOT_TEXT, texts["title"]


def _filled_text(value: Any) -> str | None:
    text = value_text(value)
    return text if text is not None and text.strip() else None


def _strings(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())

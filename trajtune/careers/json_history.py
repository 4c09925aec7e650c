"""JSON work histories in columns: from one text a career to one row a role.

A block of histories that all have the usual form is parsed by Arrow at once; a block with
anything unusual in it (a number for a title, a text that is no JSON) is read row by row. Both
give the same, and a test holds them to it.
"""

# N careers, R roles of all careers

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from numpy.typing import NDArray

from trajtune.careers.parse.text import as_text, blank_to_null
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import RawRoles
from trajtune.careers.sources.column_names import CURRENT_NAME, alternatives
from trajtune.experiment.sources import JsonHistory, RoleRows

_FIELDS: Final = ("title", "start", "end", "current")


@dataclass(frozen=True)
class Histories:
    """What a block of histories holds.

    Attributes:
        owners: int64 ``[R]``: which career each role belongs to, rising.
        roles: As the source writes them, ``[R]``, in list order within a career.
        faults: string ``[N]``: why a history cannot be read at all, else null.
        labels: string ``[N]``: the value under the label's key beside the roles, null if there is none.
    """

    owners: NDArray[np.int64]
    roles: RawRoles
    faults: pa.Array
    labels: pa.Array


def read_histories(texts: pa.Array, layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read one JSON text a career.

    Args:
        texts: string ``[N]``; null is an empty history.
        layout: The keys, and where the list is if it lies within an object.
        label_key: A key of that object that holds a hireability label.
    """
    histories = _read_columns(texts, layout, label_key)
    if histories is not None:
        return histories
    return read_objects([_load(text) for text in texts.to_pylist()], layout, label_key)


class _Unreadable(str):
    """The reason why a text is no JSON."""

    __slots__ = ()


def _load(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text, strict=False)
        # Somebody stored the text of a list as a JSON string.
        return json.loads(value, strict=False) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        return _Unreadable(f"no JSON: {error}")


def read_objects(values: Sequence[Any], layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read histories that are Python objects already; the way for what has no regular form."""
    names = _names(layout)
    owners: list[int] = []
    columns: dict[str, list[str | None]] = {field: [] for field in _FIELDS}
    reasons: list[int] = []
    details: list[str | None] = []
    faults: list[str | None] = []
    labels: list[str | None] = []
    for number, value in enumerate(values):
        labels.append(_text(value.get(label_key)) if label_key and isinstance(value, dict) else None)
        roles, fault = _list_of_roles(value, layout)
        faults.append(fault)
        for role in roles:
            owners.append(number)
            found, reason, detail = _role(role, names)
            for field in _FIELDS:
                columns[field].append(found.get(field))
            reasons.append(reason)
            details.append(detail)
    titles, starts, ends, currents = (_strings(columns[field]) for field in _FIELDS)
    roles_found = RawRoles(titles, starts, ends, currents, np.array(reasons, np.int8), _strings(details))
    return Histories(np.array(owners, np.int64), roles_found, _strings(faults), _strings(labels))


def read_lines(texts: pa.Array, layout: JsonHistory, label: str | None) -> tuple[pa.Table, Histories]:
    """Read JSON lines that hold a career each.

    Returns:
        ``id``, and ``label`` if there is one, from beside the history or from within it, ``[N]``; and the
        histories.
    """
    objects = [_load(text) for text in texts.to_pylist()]
    ids = [_pick(value, alternatives(layout.id_column)) for value in objects]
    values = [_history_of(value, layout) for value in objects]
    histories = read_objects(values, layout, label)
    columns = {"id": _strings([_text(i) for i in ids])}
    if label is not None:
        # Each row by itself: which rows share a block must change nothing.
        beside = _strings([_text(_pick(value, (label,))) for value in objects])
        columns["label"] = pc.coalesce(beside, histories.labels)
    return pa.table(columns), histories


def _history_of(value: Any, layout: JsonHistory) -> Any:
    if isinstance(value, dict):
        history = _pick(value, alternatives(layout.history_column))
        return _load(history) if isinstance(history, str) else history
    return value if isinstance(value, _Unreadable) else _Unreadable("no JSON object")


def _pick(value: Any, keys: Sequence[str]) -> Any:
    """The first of the keys that holds something."""
    if not isinstance(value, dict):
        return None
    return next((value[key] for key in keys if value.get(key) is not None), None)


def read_role_lines(texts: pa.Array, layout: RoleRows, label: str | None) -> tuple[pa.Table, RawRoles]:
    """Read JSON lines that hold a role each: ``id`` and ``label`` ``[R]``, and the roles."""
    objects = [_load(text) for text in texts.to_pylist()]
    keys = JsonHistory(
        title_key=layout.title_column,
        start_key=layout.start_column,
        end_key=layout.end_column,
        current_key=layout.current_column,
    )
    roles = read_objects([[value] for value in objects], keys).roles
    ids = [_text(_pick(value, alternatives(layout.id_column))) for value in objects]
    labels = [_text(_pick(value, (label,))) if label else None for value in objects]
    return pa.table({"id": _strings(ids), "label": _strings(labels)}), roles


def _list_of_roles(value: Any, layout: JsonHistory) -> tuple[list[Any], str | None]:
    if isinstance(value, _Unreadable):
        return [], str(value)
    if layout.history_key is not None:
        for key in layout.history_key.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    elif isinstance(value, dict):
        lists = (value[key] for key in alternatives("work_history") if isinstance(value.get(key), list))
        value = next(lists, value)
    if value is None:
        return [], None
    if not isinstance(value, list):
        return [], f"no list of roles: {json.dumps(value, default=str)[:100]}"
    return value, None


def _role(role: Any, names: dict[str, tuple[str, ...]]) -> tuple[dict[str, str | None], int, str | None]:
    if not isinstance(role, dict):
        return {}, Reason.NOT_A_ROLE, json.dumps(role, default=str)
    found = {
        field: next((text for name in names[field] if (text := _filled(role.get(name))) is not None), None)
        for field in _FIELDS
    }
    title = next((role[name] for name in names["title"] if _filled(role.get(name)) is not None), None)
    if title is not None and not isinstance(title, str):
        return found, Reason.TITLE_NOT_TEXT, found["title"]
    return found, 0, None


def _filled(value: Any) -> str | None:
    text = _text(value)
    return text if text is not None and text.strip() else None


def _text(value: Any) -> str | None:
    """A JSON value as text; whole numbers without a fraction, so that 2020.0 is the year 2020."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):  # from Parquet
        return value.isoformat()
    return json.dumps(value, default=str)


def _strings(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON allows and UTF-8 does not
        whole = [None if v is None else v.encode("utf-8", "replace").decode() for v in values]
        return pa.array(whole, pa.string())


def _names(layout: JsonHistory) -> dict[str, tuple[str, ...]]:
    keys = (layout.title_key, layout.start_key, layout.end_key, layout.current_key or CURRENT_NAME)
    return {field: alternatives(key) for field, key in zip(_FIELDS, keys, strict=True)}


def _read_columns(texts: pa.Array, layout: JsonHistory, label_key: str | None = None) -> Histories | None:
    """All histories at once, or None if they have not all the form that the first one has."""
    filled = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
    num_careers, texts = len(texts), texts.drop_null()
    nesting = _nesting(texts[0].as_py(), layout) if len(texts) else None
    if nesting is None:
        return None
    content, longest = _lines(texts)
    names = _present(texts, _names(layout))
    keys = [name for field in _FIELDS for name in names[field]]
    if len(keys) != len(set(keys)) or set(keys) & set(nesting) or label_key in nesting[:1]:
        return None
    kind: pa.DataType = pa.list_(pa.struct([pa.field(key, pa.string()) for key in keys]))
    for key in reversed(nesting):
        kind = pa.struct([pa.field(key, kind)])
    # A list has nothing beside it.
    has_label = label_key is not None and bool(nesting)
    if has_label:
        label_kind = _label_kind(texts, label_key)
        if label_kind is None:
            return None
        kind = pa.struct([*kind, pa.field(label_key, label_kind)])
    try:
        table = pj.read_json(
            pa.BufferReader(content),
            pj.ReadOptions(use_threads=False, block_size=max(1 << 20, longest + 1)),
            pj.ParseOptions(pa.schema([pa.field("h", kind)]), unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != len(texts):
        return None
    whole = column = table["h"].combine_chunks()
    labels = pa.nulls(num_careers, pa.string())
    if has_label:
        places = np.full(num_careers, -1)
        places[filled] = np.arange(len(filled))
        labels = as_text(pc.struct_field(whole, label_key)).take(pa.array(places, mask=places < 0))
    for key in nesting:
        column = pc.struct_field(column, key)
    if layout.history_key is None and column.null_count > whole.null_count:
        return None  # an object without that list may hold it under another key, or is no history
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return Histories(
        owners=np.repeat(filled, lengths),
        roles=_of_structs(column.flatten(), names),
        faults=pa.nulls(num_careers, pa.string()),
        labels=labels,
    )


_LABEL_KINDS: Final = {bool: pa.bool_(), int: pa.int64(), str: pa.string()}
_LABELS_LOOKED_AT: Final = 100


def _label_kind(texts: pa.Array, label_key: str | None) -> pa.DataType | None:
    """The type of the first label; None if it is none whose text is the same in columns."""
    objects = (_load(text) for text in texts.slice(0, _LABELS_LOOKED_AT).to_pylist())
    labels = (value.get(label_key) for value in objects if isinstance(value, dict))
    return _LABEL_KINDS.get(next((type(label) for label in labels if label is not None), str))


def _nesting(text: str, layout: JsonHistory) -> list[str] | None:
    """The keys that lead to the list; None if the first history has no usual form."""
    if layout.history_key is not None:
        return layout.history_key.split(".")
    first = _load(text)
    if isinstance(first, dict):
        keys = [key for key in alternatives("work_history") if isinstance(first.get(key), list)]
        # Another key that leads to a list in some other row would be overlooked.
        return keys[:1] if keys[:1] == list(alternatives("work_history")[:1]) else None
    return [] if isinstance(first, list) else None


def _lines(texts: pa.Array) -> tuple[pa.Buffer, int]:
    """The texts as JSON objects, one a line, and the longest line's length in bytes."""
    # A line break in JSON is white space between values, so a blank in its place changes nothing.
    lines = pc.binary_join_element_wise('{"h":', pc.replace_substring(texts, "\n", " "), "}\n", "")
    _, offsets_buffer, content = lines.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return content.slice(int(offsets[0]), int(offsets[-1] - offsets[0])), int(np.diff(offsets).max())


def _present(texts: pa.Array, names: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The keys that may occur, and the first of each field in any case: fewer columns to parse."""
    others = [key for keys in names.values() for key in keys[1:]]
    # A key may also be written with escapes.
    anything = "|".join([r"\\u", *(f'"{re.escape(key)}"' for key in others)])
    if others and pc.any(pc.match_substring_regex(texts, anything)).as_py():
        return names
    return {field: keys[:1] for field, keys in names.items()}


def read_nested(lists: pa.Array, layout: JsonHistory) -> Histories:
    """Read histories that are lists of structs, as Parquet has them, of whatever types.

    Args:
        lists: list ``[N]``.
        layout: The structs' fields.
    """
    structs = lists.flatten()
    keys = _names(layout)
    there = [field.name for field in structs.type] if pa.types.is_struct(structs.type) else []
    titles = [structs.type.field(key).type for key in keys["title"] if key in there]
    if not there or not all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in titles):
        return read_objects(lists.to_pylist(), layout)
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    names = {field: tuple(key for key in keys[field] if key in there) for field in _FIELDS}
    nothing = pa.nulls(len(lists), pa.string())
    return Histories(np.repeat(np.arange(len(lists)), lengths), _of_structs(structs, names), nothing, nothing)


def _of_structs(structs: pa.Array, names: dict[str, tuple[str, ...]]) -> RawRoles:
    nothing = pa.nulls(len(structs), pa.string())
    columns = []
    for field in _FIELDS:
        filled = [blank_to_null(as_text(pc.struct_field(structs, name))) for name in names[field]]
        columns.append(pc.coalesce(*filled) if len(filled) > 1 else (filled or [nothing])[0])
    titles, starts, ends, currents = columns
    is_null = structs.is_null().to_numpy(zero_copy_only=False)
    details = pc.if_else(structs.is_null(), pa.scalar("null"), nothing) if is_null.any() else nothing
    faults = np.where(is_null, Reason.NOT_A_ROLE, 0).astype(np.int8)
    return RawRoles(titles, starts, ends, currents, faults, details)

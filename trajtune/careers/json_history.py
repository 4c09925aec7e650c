"""JSON work histories to columns: from one text for each career to one row for each role.

A block whose histories all have the usual form is parsed by Arrow at once. A block with anything unusual
in it (a number for a title, a text that is no JSON) is read row by row. Both give the same result, and a
test compares them.
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

from trajtune.careers.nested_keys import list_at, value_at
from trajtune.careers.parse.text import as_text, blank_to_null
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import RawRoles
from trajtune.careers.sources.column_names import CURRENT_NAME, alternatives, id_names
from trajtune.experiment.sources import JsonHistory, RoleRows

_FIELDS: Final = ("title", "start", "end", "current")


@dataclass(frozen=True)
class Histories:
    """The histories of a block.

    Attributes:
        owners: int64 ``[R]``: the career of each role, ascending.
        roles: As they are in the source, ``[R]``, in list order within a career.
        faults: string ``[N]``: why a history cannot be read at all, else null.
        labels: string ``[N]``: the value under the label's key beside the roles, null if there is none.
    """

    owners: NDArray[np.int64]
    roles: RawRoles
    faults: pa.Array
    labels: pa.Array


def read_histories(texts: pa.Array, layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read one JSON text for each career.

    Args:
        texts: string ``[N]``; null is an empty history.
        layout: The keys, and where the list is if it is inside an object.
        label_key: A key of that object that holds a hireability label.
    """
    histories = _read_columns(texts, layout, label_key)
    if histories is not None:
        return histories
    return read_objects([_parse(text) for text in texts.to_pylist()], layout, label_key)


class _InvalidJson(str):
    """Takes the place of a value: the reason why its text is no JSON."""

    __slots__ = ()


def _parse(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text, strict=False)
        # Some databases hold the text of a list as a JSON string.
        return json.loads(value, strict=False) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        return _InvalidJson(f"no JSON: {error}")


def read_objects(values: Sequence[Any], layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read histories that are Python objects; works for any form, and is slower than columns."""
    names = _keys_by_field(layout)
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
            texts, reason, detail = _role(role, names)
            for field in _FIELDS:
                columns[field].append(texts.get(field))
            reasons.append(reason)
            details.append(detail)
    titles, starts, ends, currents = (_strings(columns[field]) for field in _FIELDS)
    raw_roles = RawRoles(titles, starts, ends, currents, np.array(reasons, np.int8), _strings(details))
    return Histories(np.array(owners, np.int64), raw_roles, _strings(faults), _strings(labels))


def read_lines(texts: pa.Array, layout: JsonHistory, label: str | None) -> tuple[pa.Table, Histories]:
    """Read JSON lines that hold a career each.

    Returns:
        ``id``, and ``label`` if ``label`` is given, ``[N]``; and the histories. The label is next to the
        history or inside it.
    """
    objects = [_parse(text) for text in texts.to_pylist()]
    ids = [_first_value(value, id_names(layout)) for value in objects]
    values = [_history_of(value, layout) for value in objects]
    histories = read_objects(values, layout, label)
    columns = {"id": _strings([_text(i) for i in ids])}
    if label is not None:
        # Row by row, so that a result does not depend on which rows share a block.
        beside = _strings([_text(_first_value(value, (label,))) for value in objects])
        columns["label"] = pc.coalesce(beside, histories.labels)
    return pa.table(columns), histories


def _history_of(value: Any, layout: JsonHistory) -> Any:
    if isinstance(value, dict):
        history = _first_value(value, alternatives(layout.history_column))
        if history is None and layout.history_key is not None:
            return value  # `history_key` leads to the list from the top of the line
        return _parse(history) if isinstance(history, str) else history
    return value if isinstance(value, _InvalidJson) else _InvalidJson("no JSON object")


def _first_value(value: Any, keys: Sequence[str]) -> Any:
    """The value of the first key that has one."""
    if not isinstance(value, dict):
        return None
    return next((found for key in keys if (found := value_at(value, key)) is not None), None)


def read_role_lines(texts: pa.Array, layout: RoleRows, label: str | None) -> tuple[pa.Table, RawRoles]:
    """Read JSON lines that hold a role each: ``id`` and ``label`` ``[R]``, and the roles."""
    objects = [_parse(text) for text in texts.to_pylist()]
    keys = JsonHistory(
        title_key=layout.title_column,
        start_key=layout.start_column,
        end_key=layout.end_column,
        current_key=layout.current_column,
        end=layout.end,
    )
    roles = read_objects([[value] for value in objects], keys).roles
    ids = [_text(_first_value(value, id_names(layout))) for value in objects]
    labels = [_text(_first_value(value, (label,))) if label else None for value in objects]
    return pa.table({"id": _strings(ids), "label": _strings(labels)}), roles


def _list_of_roles(value: Any, layout: JsonHistory) -> tuple[list[Any], str | None]:
    if isinstance(value, _InvalidJson):
        return [], str(value)
    if layout.history_key is not None:
        value = list_at(value, layout.history_key)
    elif isinstance(value, dict):
        lists = (value[key] for key in alternatives("work_history") if isinstance(value.get(key), list))
        value = next(lists, value)
    if value is None:
        return [], None
    if not isinstance(value, list):
        return [], f"no list of roles: {json.dumps(value, default=str)[:100]}"
    return value, None


def _role(role: Any, names: dict[str, tuple[str, ...]]) -> tuple[dict[str, str | None], int, str | None]:
    if isinstance(role, str) and role.lstrip().startswith("{"):  # text[] of JSON texts
        role = _parse(role)
    if not isinstance(role, dict):
        return {}, Reason.NOT_A_ROLE, json.dumps(role, default=str)
    texts = {
        field: next(
            (text for name in names[field] if (text := _filled_text(value_at(role, name))) is not None), None
        )
        for field in _FIELDS
    }
    title = _first_value(role, [name for name in names["title"] if _filled_text(value_at(role, name))])
    if title is not None and not isinstance(title, str):
        return texts, Reason.TITLE_NOT_TEXT, texts["title"]
    return texts, 0, None


def _filled_text(value: Any) -> str | None:
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
        replaced = [None if v is None else v.encode("utf-8", "replace").decode() for v in values]
        return pa.array(replaced, pa.string())


def _keys_by_field(layout: JsonHistory) -> dict[str, tuple[str, ...]]:
    keys = (layout.title_key, layout.start_key, layout.end_key, layout.current_key or CURRENT_NAME)
    return {field: alternatives(key) if key else () for field, key in zip(_FIELDS, keys, strict=True)}


def _read_columns(texts: pa.Array, layout: JsonHistory, label_key: str | None = None) -> Histories | None:
    """Read all histories at once; None if they do not all have the form of the first one."""
    filled = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
    num_careers, texts = len(texts), texts.drop_null()
    path = _path_to_list(texts[0].as_py(), layout) if len(texts) else None
    if path is None:
        return None
    content, longest = _as_json_lines(texts)
    names = _occurring_keys(texts, _keys_by_field(layout))
    keys = [name for field in _FIELDS for name in names[field]]
    has_path = any("." in key for key in keys)
    if has_path or len(keys) != len(set(keys)) or set(keys) & set(path) or label_key in path[:1]:
        return None
    kind: pa.DataType = pa.list_(pa.struct([pa.field(key, pa.string()) for key in keys]))
    for key in reversed(path):
        kind = pa.struct([pa.field(key, kind)])
    # Only an object can hold a label next to the list.
    has_label = label_key is not None and bool(path)
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
    histories = column = table["h"].combine_chunks()
    labels = pa.nulls(num_careers, pa.string())
    if has_label:
        index = np.full(num_careers, -1)
        index[filled] = np.arange(len(filled))
        labels = as_text(pc.struct_field(histories, label_key)).take(pa.array(index, mask=index < 0))
    for key in path:
        column = pc.struct_field(column, key)
    if layout.history_key is None and column.null_count > histories.null_count:
        return None  # an object without that list may hold it under another key, or be no history
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return Histories(
        owners=np.repeat(filled, lengths),
        roles=_roles_of_structs(column.flatten(), names),
        faults=pa.nulls(num_careers, pa.string()),
        labels=labels,
    )


_LABEL_KINDS: Final = {bool: pa.bool_(), int: pa.int64(), str: pa.string()}
_LABELS_SAMPLED: Final = 100


def _label_kind(texts: pa.Array, label_key: str | None) -> pa.DataType | None:
    """The type of the first label; None if its text could differ when read in columns."""
    objects = (_parse(text) for text in texts.slice(0, _LABELS_SAMPLED).to_pylist())
    labels = (value.get(label_key) for value in objects if isinstance(value, dict))
    return _LABEL_KINDS.get(next((type(label) for label in labels if label is not None), str))


def _path_to_list(text: str, layout: JsonHistory) -> list[str] | None:
    """The keys that lead to the list; None if the first history does not have the usual form."""
    if layout.history_key is not None:
        return layout.history_key.split(".")
    first = _parse(text)
    if isinstance(first, dict):
        keys = [key for key in alternatives("work_history") if isinstance(first.get(key), list)]
        # A list under another key in some other row would be missed.
        return keys[:1] if keys[:1] == list(alternatives("work_history")[:1]) else None
    return [] if isinstance(first, list) else None


def _as_json_lines(texts: pa.Array) -> tuple[pa.Buffer, int]:
    """The texts as JSON objects, one on each line, and the longest line's length in bytes."""
    # A line break in JSON is white space between values, so a space can replace it.
    lines = pc.binary_join_element_wise('{"h":', pc.replace_substring(texts, "\n", " "), "}\n", "")
    _, offsets_buffer, content = lines.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return content.slice(int(offsets[0]), int(offsets[-1] - offsets[0])), int(np.diff(offsets).max())


def _occurring_keys(texts: pa.Array, names: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The keys that occur, and always the first of each field: fewer columns to parse."""
    others = [key for keys in names.values() for key in keys[1:]]
    # A key may also be written with escapes.
    pattern = "|".join([r"\\u", *(f'"{re.escape(key)}"' for key in others)])
    if others and pc.any(pc.match_substring_regex(texts, pattern)).as_py():
        return names
    return {field: keys[:1] for field, keys in names.items()}


def read_nested(lists: pa.Array, layout: JsonHistory) -> Histories:
    """Read histories that are lists of structs, as in Parquet, of any types.

    Args:
        lists: list ``[N]``.
        layout: The structs' fields.
    """
    structs = lists.flatten()
    keys = _keys_by_field(layout)
    struct_names = [field.name for field in structs.type] if pa.types.is_struct(structs.type) else []
    titles = [structs.type.field(key).type for key in keys["title"] if key in struct_names]
    has_path = any("." in key for names in keys.values() for key in names)
    if (
        has_path
        or not struct_names
        or not all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in titles)
    ):
        return read_objects(lists.to_pylist(), layout)
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    names = {field: tuple(key for key in keys[field] if key in struct_names) for field in _FIELDS}
    nulls = pa.nulls(len(lists), pa.string())
    return Histories(
        np.repeat(np.arange(len(lists)), lengths), _roles_of_structs(structs, names), nulls, nulls
    )


def _roles_of_structs(structs: pa.Array, names: dict[str, tuple[str, ...]]) -> RawRoles:
    nulls = pa.nulls(len(structs), pa.string())
    columns = []
    for field in _FIELDS:
        filled = [blank_to_null(as_text(pc.struct_field(structs, name))) for name in names[field]]
        columns.append(pc.coalesce(*filled) if len(filled) > 1 else (filled or [nulls])[0])
    titles, starts, ends, currents = columns
    is_null = structs.is_null().to_numpy(zero_copy_only=False)
    details = pc.if_else(structs.is_null(), pa.scalar("null"), nulls) if is_null.any() else nulls
    faults = np.where(is_null, Reason.NOT_A_ROLE, 0).astype(np.int8)
    return RawRoles(titles, starts, ends, currents, faults, details)

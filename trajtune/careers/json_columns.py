"""Read histories with Arrow: JSON texts that all have the same form, and lists of structs.

Arrow cannot read some texts, and could read others differently from `json_objects`. The caller reads these
with `json_objects`, so that an odd text affects only its own row.
"""

# N texts, R roles in all texts

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from numpy.typing import NDArray

from trajtune.careers.histories import FIELDS, Histories, has_paths, keys_by_field
from trajtune.careers.parse.text import as_text, blank_to_null, is_bytes_or_text, is_not_text, plain
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import RawRoles
from trajtune.experiment.sources import JsonHistory

MAX_DEPTH: Final = 200
"""Maximum nesting of lists and objects. Deeper JSON is refused, because Python's stack is limited."""


@dataclass(frozen=True)
class Form:
    """The keys at which the values are in each text.

    Attributes:
        path: Path of keys to the list of roles; empty: the text is the list.
        names: Possible keys of each field of a role.
        is_role: The text is a single role, not a list.
        beside: Keys at the top level, by ``id`` or ``label``; the first that is not null counts.
        label_key: Key in the object that contains the list, if ``path`` has two keys or more.
        preferred: Keys that would take precedence over one in ``path``.
        may_be_absent: If ``path`` finds nothing, there are no roles; else the text is read by `json_objects`.
    """

    path: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    is_role: bool = False
    beside: dict[str, tuple[str, ...]] = field(default_factory=dict)
    label_key: str | None = None
    preferred: tuple[str, ...] = ()
    may_be_absent: bool = False

    def keys(self, *fields: str) -> set[str]:
        """Return all keys of some fields."""
        return {key for name in fields for key in self.names[name]}

    def keys_beside(self) -> set[str]:
        """Return all keys whose values are read outside of the roles."""
        inner = {self.label_key} if self.label_key is not None else set[str]()
        return inner.union(*self.beside.values())


def is_regular(texts: pa.Array, form: Form) -> NDArray[np.bool_]:
    """Return bool ``[N]``: texts that `read_columns` can probably read, by a cheap check."""
    begins = r"^[ \t\r\n]*\{" if form.path or form.is_role else r"^[ \t\r\n]*\["
    regular = pc.match_substring_regex(texts, begins)
    if form.preferred:
        # A key may also be written with escapes.
        pattern = "|".join([_ESCAPED_ASCII, *(f'"{re.escape(key)}"' for key in form.preferred)])
        regular = pc.and_not(regular, pc.match_substring_regex(texts, pattern))
    return np.asarray(regular.to_numpy(zero_copy_only=False)) & (_num_brackets(texts) <= MAX_DEPTH)


def _num_brackets(texts: pa.Array) -> NDArray[np.int64]:
    """Return int64 ``[N]``: the number of opening brackets of each text, an upper bound of its depth."""
    content, offsets = _bytes_of(texts)
    at = np.flatnonzero((content == ord("[")) | (content == ord("{")))
    return np.diff(np.searchsorted(at, offsets))


_ESCAPED_ASCII: Final = r"\\u00[2-7]"


def with_quotes(texts: pa.Array, form: Form) -> pa.Array:
    """Put numbers and booleans into quotes where they are read as strings anyway."""
    # A quote inside a string follows a backslash, so a quoted key inside a string does not match.
    keys = (form.keys("start", "end", "current") | form.keys_beside()) - form.keys("title")
    start, end = rf'("(?:{_any_of(keys)})"\s*:\s*)', r"(\s*[,}\]])"
    texts = pc.replace_substring_regex(texts, rf"{start}(true|false|0|-?[1-9]\d{{0,14}}){end}", r'\1"\2"\3')
    whole_float = rf"{start}(-?[1-9]\d{{0,14}})\.0+{end}"
    if pc.any(pc.match_substring_regex(texts, whole_float)).as_py():
        texts = pc.replace_substring_regex(texts, whole_float, r'\1"\2"\3')
    return texts


def _any_of(keys: Iterable[str]) -> str:
    return "|".join(re.escape(key) for key in sorted(keys))


class OddTextError(ValueError):
    """Arrow cannot read one of the texts.

    Attributes:
        row: Index of that text, or None if it is not known.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        match = re.search(r"in row (\d+)$", message)
        self.row = int(match[1]) if match else None


def read_columns(texts: pa.Array, form: Form) -> tuple[Histories, NDArray[np.bool_]]:
    """Read all texts in one call of Arrow.

    Args:
        texts: string ``[N]``, no nulls, at least one.
        form: The form of the texts.

    Returns:
        The histories; and bool ``[N]``: texts whose list may be at another key.

    Raises:
        OddTextError: If one of the texts does not have that form.
    """
    form = _with_occurring_keys(texts, form)
    content, offsets = _as_lines(texts)
    values, count = _values(content, offsets, _kind(form)), len(texts)
    nulls = pa.nulls(count, pa.string())
    column, labels, is_doubtful = values, nulls, np.zeros(count, bool)
    for depth, key in enumerate(form.path):
        if depth and form.label_key is not None:
            labels = pc.struct_field(column, form.label_key)
        column = pc.struct_field(column, key)
    if form.path and not form.may_be_absent:
        is_doubtful = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
    ids, label = (_first_of(values, form.beside.get(name, ())) for name in ("id", "label"))
    lengths = (
        np.ones(count, np.int64)
        if form.is_role
        else pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    )
    histories = Histories(
        owners=np.repeat(np.arange(count), lengths),
        roles=roles_of_structs(column if form.is_role else column.flatten(), form.names),
        faults=nulls,
        labels=pc.coalesce(label, labels),
        ids=ids,
        absent=nulls,
    )
    return histories, is_doubtful


def _with_occurring_keys(texts: pa.Array, form: Form) -> Form:
    """Reduce the form to the first key of each field if no other key occurs, to parse fewer columns."""
    others = [key for keys in form.names.values() for key in keys[1:]]
    pattern = "|".join([_ESCAPED_ASCII, *(f'"{re.escape(key)}"' for key in others)])
    if others and pc.any(pc.match_substring_regex(texts, pattern)).as_py():
        return form
    names = {name: keys[:1] for name, keys in form.names.items()}
    return Form(
        form.path, names, form.is_role, form.beside, form.label_key, form.preferred, form.may_be_absent
    )


def _kind(form: Form) -> pa.DataType:
    """Return the Arrow type of a text, with strings for all values that are read."""
    beside = set().union(*form.beside.values())
    if form.is_role:
        return _struct(form.keys(*FIELDS) | beside)
    kind: pa.DataType = pa.list_(_struct(form.keys(*FIELDS)))
    for depth in reversed(range(len(form.path))):
        keys = beside if depth == 0 else {form.label_key} if depth == 1 and form.label_key else set()
        kind = _struct(keys - {form.path[depth]}, pa.field(form.path[depth], kind))
    return kind


def _struct(keys: Iterable[str], *fields: pa.Field) -> pa.DataType:
    return pa.struct([*fields, *(pa.field(key, pa.string()) for key in sorted(keys))])


def odd_texts(texts: pa.Array, form: Form) -> NDArray[np.bool_]:
    """Return bool ``[N]``: texts that `read_columns` cannot read.

    For each such text, a few others are read again.
    """
    # A text with a second value would shift the numbers of the rows after it.
    odd = np.array(pc.match_substring_regex(texts, _SECOND_VALUE).to_numpy(zero_copy_only=False))
    at, kind = np.flatnonzero(~odd), _kind(form)
    content, offsets = _as_lines(texts.take(pa.array(at)))
    for begin, end in _chunks(offsets):
        while begin < end:
            try:
                _values(content, offsets[begin : end + 1], kind)
                break
            except OddTextError as error:
                if error.row is None:
                    odd[at[begin:end]] = True
                    break
                odd[at[begin + error.row]] = True
                begin += error.row + 1
    return odd


_SECOND_VALUE: Final = r"[\]}]\s*\}\s*\{"
_CHUNK_BYTES: Final = 1 << 20


def _chunks(offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the first and last index of runs of lines with about `_CHUNK_BYTES` each."""
    count = len(offsets) - 1
    steps = np.arange(offsets[0], offsets[-1] + _CHUNK_BYTES, _CHUNK_BYTES)
    bounds = np.unique(np.append(np.minimum(np.searchsorted(offsets, steps), count), count))
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))


def _as_lines(texts: pa.Array) -> tuple[pa.Buffer, NDArray[np.int64]]:
    """Return the texts as JSON objects, one per line, and the offset of each line and of the end."""
    # A line break between JSON values is white space, and a tab can replace it. Arrow refuses both in
    # strings. The brackets make text after a value an error instead of a part of the next line.
    flat = pc.replace_substring(pc.replace_substring(texts, "\n", "\t"), "\r", "\t")
    lines = pc.binary_join_element_wise('{"h":[', flat, "]}\n", "")
    content, offsets = _bytes_of(lines)
    return pa.py_buffer(content), offsets - offsets[0]


def _bytes_of(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the bytes of strings, uint8, and the offsets of each string and of the end, ``[N + 1]``."""
    _, offsets, content = texts.buffers()
    if not len(texts) or content is None:
        return np.empty(0, np.uint8), np.zeros(len(texts) + 1, np.int64)
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0]


def _values(content: pa.Buffer, offsets: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    """Return one value for each of the lines at ``offsets``.

    Raises:
        OddTextError: If a line is not a single value of that type.
    """
    begin, size = int(offsets[0]), int(offsets[-1] - offsets[0])
    try:
        table = pj.read_json(
            pa.BufferReader(content.slice(begin, size)),
            pj.ReadOptions(use_threads=False, block_size=max(1 << 20, int(np.diff(offsets).max()) + 1)),
            pj.ParseOptions(pa.schema([pa.field("h", pa.list_(kind))]), unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid as error:
        raise OddTextError(str(error)) from None
    lists = table["h"].combine_chunks()
    if len(lists) != len(offsets) - 1:
        raise OddTextError("a line holds two values")
    if not pc.all(is_single := pc.equal(pc.list_value_length(lists), 1).fill_null(False)).as_py():
        raise OddTextError(f"not one value in row {int(np.argmin(is_single.to_numpy(zero_copy_only=False)))}")
    return lists.flatten()


def _first_of(values: pa.Array, keys: Iterable[str]) -> pa.Array:
    columns = [pc.struct_field(values, key) for key in keys]
    nulls = pa.nulls(len(values), pa.string())
    return pc.coalesce(*columns, nulls)


def read_nested(lists: pa.Array, layout: JsonHistory) -> Histories | None:
    """Read histories that are lists of structs, as in Parquet; None for lists of other types.

    Args:
        lists: Arrow lists of any type ``[N]``.
        layout: Names of the structs' fields.
    """
    if not pa.types.is_struct(lists.type.value_type) or has_paths(keys_by_field(layout)):
        return None
    if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
        lists = lists.cast(pa.large_list(lists.type.value_type))
    structs = lists.flatten()
    present = {structs.type.field(at).name for at in range(structs.type.num_fields)}
    names = {
        name: tuple(key for key in keys if key in present) for name, keys in keys_by_field(layout).items()
    }
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    nulls = pa.nulls(len(lists), pa.string())
    owners = np.repeat(np.arange(len(lists)), lengths)
    return Histories(owners, roles_of_structs(structs, names), nulls, nulls, nulls, nulls)


def roles_of_structs(structs: pa.Array, names: dict[str, tuple[str, ...]]) -> RawRoles:
    """Return the roles of structs ``[R]`` with fields of any types."""
    nulls = pa.nulls(len(structs), pa.string())
    texts = {}
    for name in FIELDS:
        filled = [blank_to_null(as_text(pc.struct_field(structs, key))) for key in names[name]]
        texts[name] = pc.coalesce(*filled) if len(filled) > 1 else (filled or [nulls])[0]
    is_null = structs.is_null().to_numpy(zero_copy_only=False)
    not_text = _titles_that_are_not_text(structs, names["title"]) & ~is_null
    details = pc.if_else(pa.array(not_text), texts["title"], nulls) if not_text.any() else nulls
    details = pc.if_else(structs.is_null(), pa.scalar("null"), details) if is_null.any() else details
    faults = np.where(is_null, Reason.NOT_A_ROLE, np.where(not_text, Reason.TITLE_NOT_TEXT, 0))
    titles, starts, ends, currents = texts.values()
    return RawRoles(titles, starts, ends, currents, faults.astype(np.int8), details)


def _titles_that_are_not_text(structs: pa.Array, keys: Iterable[str]) -> NDArray[np.bool_]:
    """Return bool ``[R]``: whether the first title with a value is a number, list or struct, or broken."""
    is_decided, broken = np.zeros(len(structs), bool), np.zeros(len(structs), bool)
    for key in keys:
        column = plain(pc.struct_field(structs, key))
        if pa.types.is_string(column.type) and not is_not_text(column).any():
            wrong = np.zeros(len(structs), bool)
        elif is_bytes_or_text(column.type):
            wrong = is_not_text(column)
        else:
            wrong = np.ones(len(structs), bool)
        is_filled = blank_to_null(as_text(column)).is_valid().to_numpy(zero_copy_only=False)
        broken |= is_filled & wrong & ~is_decided
        is_decided |= is_filled
    return broken

"""Convert JSON work histories to columns: from one text per career to one row per role.

Arrow parses all texts of the usual form in one call. A text with anything unusual in it (a number for a
title, invalid JSON) is read separately. Both ways give the same result, and a test compares them.
"""

# N texts, R roles in all texts

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.histories import Histories, Parts, has_paths, joined, keys_by_field, path_of
from trajtune.careers.json_columns import Form, OddTextError, is_regular, odd_texts, read_columns, with_quotes
from trajtune.careers.json_objects import (
    first_key_of_list,
    history_of,
    parsed,
    read_lines_singly,
    read_objects,
    read_role_lines_singly,
)
from trajtune.careers.role_validation import RawRoles
from trajtune.careers.sources.column_names import alternatives, id_names
from trajtune.experiment.sources import JsonHistory, RoleRows

_Read = Callable[[pa.Array], Histories]
_LOOKED_AT: Final = 20
"""Number of texts at the beginning of a block that determine the usual form."""


def read_histories(texts: pa.Array, layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read one JSON text per career.

    Args:
        texts: string ``[N]``; null is an empty history.
        layout: The keys, and the path to the list if it is in an object.
        label_key: Key of the hireability label in that object.
    """

    def read_singly(some: pa.Array) -> Histories:
        return read_objects([parsed(text) for text in some.to_pylist()], layout, label_key)

    return _read(texts, partial(_form_of_history, layout=layout, label_key=label_key), read_singly)


def read_lines(texts: pa.Array, layout: JsonHistory, label: str | None) -> tuple[pa.Table, Histories]:
    """Read JSON lines with one career each.

    Returns:
        ``id``, and ``label`` if ``label`` is given, ``[N]``; and the histories. The label may be beside the
        history or in it.
    """
    histories = _read(
        texts,
        partial(_form_of_line, layout=layout, label=label),
        lambda some: read_lines_singly(some, layout, label),
    )
    columns = {"id": histories.ids} | ({} if label is None else {"label": histories.labels})
    return pa.table(columns), histories


def read_role_lines(texts: pa.Array, layout: RoleRows, label: str | None) -> tuple[pa.Table, RawRoles]:
    """Read JSON lines with one role each; return ``id`` and ``label`` ``[R]``, and the roles."""
    keys = JsonHistory(
        title_key=layout.title_column,
        start_key=layout.start_column,
        end_key=layout.end_column,
        current_key=layout.current_column,
        end=layout.end,
    )
    beside = {"id": id_names(layout)} | ({} if label is None else {"label": (label,)})
    form = Form((), keys_by_field(keys), is_role=True, beside=beside)
    form_if_regular = None if has_paths(form.names, form.beside) else form
    histories = _read(
        texts, lambda text: form_if_regular, lambda some: read_role_lines_singly(some, layout, keys, label)
    )
    return pa.table({"id": histories.ids, "label": histories.labels}), histories.roles


def _read(texts: pa.Array, form_of: Callable[[str], Form | None], read_singly: _Read) -> Histories:
    """Read texts of the usual form together, and the others one by one.

    The first texts determine the usual form.
    """
    first = texts.slice(0, _LOOKED_AT).to_pylist()
    form = next((form for text in first if text is not None and (form := form_of(text)) is not None), None)
    if form is None:
        return read_singly(texts)
    regular = is_regular(texts.fill_null(""), form)
    at, others = np.flatnonzero(regular), np.flatnonzero(~regular)
    parts: Parts = [(others, read_singly(texts.take(pa.array(others))))] if len(others) else []
    if len(at):
        parts += _read_regular(texts if not len(others) else texts.take(pa.array(at)), at, form, read_singly)
    return joined(parts)


def _read_regular(texts: pa.Array, at: NDArray[np.int64], form: Form, read_singly: _Read) -> Parts:
    """Read texts with the indices ``at`` that have the form according to a cheap check."""
    try:
        return _read_together(texts, texts, at, form, read_singly)
    except OddTextError:
        quoted = with_quotes(texts, form)
    try:
        return _read_together(texts, quoted, at, form, read_singly)
    except OddTextError:
        odd = odd_texts(quoted, form)
    parts = [(at[odd], read_singly(texts.filter(pa.array(odd))))] if odd.any() else []
    even = pa.array(~odd)
    if odd.all():
        return parts
    try:
        return parts + _read_together(texts.filter(even), quoted.filter(even), at[~odd], form, read_singly)
    except OddTextError:  # only together the texts are invalid
        return [*parts, (at[~odd], read_singly(texts.filter(even)))]


def _read_together(
    texts: pa.Array, quoted: pa.Array, at: NDArray[np.int64], form: Form, read_singly: _Read
) -> Parts:
    """Read texts together, and separately those whose list may be at another key.

    Raises:
        OddTextError: If Arrow cannot read one of them.
    """
    histories, is_doubtful = read_columns(quoted, form)
    if not is_doubtful.any():
        return [(at, histories)]
    doubtful = texts.filter(pa.array(is_doubtful))
    return [
        (at[~is_doubtful], histories.only(~is_doubtful)),
        (at[is_doubtful], read_singly(doubtful)),
    ]


def _form_of_history(text: str, layout: JsonHistory, label_key: str | None) -> Form | None:
    """Return the form of a history; None if Arrow cannot read it."""
    names = keys_by_field(layout)
    value = parsed(text)
    path = _path_to_list(value, layout)
    if path is None or label_key in path[:1] or has_paths(names, {"label": (label_key or "",)}):
        return None
    if not path:
        return Form((), names)
    # Only an object can have a label beside the list.
    beside: dict[str, tuple[str, ...]] = {} if label_key is None else {"label": (label_key,)}
    return Form(tuple(path), names, beside=beside, preferred=_preferred(path[0], layout, "work_history"))


def _form_of_line(text: str, layout: JsonHistory, label: str | None) -> Form | None:
    """Return the form of a line with a career; None if Arrow cannot read it."""
    line = parsed(text)
    history = history_of(line, layout)
    keys = alternatives(layout.history_column)
    key = next((key for key in keys if isinstance(line, dict) and line.get(key) is history), None)
    path = _path_to_list(history, layout)
    names = keys_by_field(layout)
    beside = {"id": id_names(layout)} | ({} if label is None else {"label": (label,)})
    if key is None or path is None or isinstance(line[key], str) or has_paths(names, beside):
        return None
    if key in {name for names in beside.values() for name in names} or (path and label == path[0]):
        return None
    preferred = keys[: keys.index(key)]
    if path:
        preferred += _preferred(path[0], layout, "work_history")
    return Form(
        (key, *path),
        names,
        beside=beside,
        label_key=label if path else None,
        preferred=preferred,
    )


def _preferred(key: str, layout: JsonHistory, name: str) -> tuple[str, ...]:
    """Return the keys whose lists would take precedence over the list under ``key``."""
    keys = alternatives(name)
    return () if layout.history_key is not None else keys[: keys.index(key)]


def _path_to_list(value: Any, layout: JsonHistory) -> Sequence[str] | None:
    """Return the path of keys to the list of a history; None if there is no list."""
    if layout.history_key is not None:
        path = path_of(layout.history_key)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return path if isinstance(value, list) else None
    if isinstance(value, dict):
        found = first_key_of_list(value)
        return None if found is None else [found]
    return [] if isinstance(value, list) else None

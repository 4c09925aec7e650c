"""JSON work histories to columns: from one text for each career to one row for each role.

Texts of the usual form are parsed by Arrow at once. One with anything unusual in it (a number for a title,
a text that is no JSON) is read by itself. Both ways give the same result, and a test compares them.
"""

# N texts, R roles of all of them

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
    read_lines_by_themselves,
    read_objects,
    read_role_lines_by_themselves,
)
from trajtune.careers.role_validation import RawRoles
from trajtune.careers.sources.column_names import alternatives, id_names
from trajtune.experiment.sources import JsonHistory, RoleRows

_ByThemselves = Callable[[pa.Array], Histories]
_LOOKED_AT: Final = 20
"""Texts at the beginning of a block among which the usual form is looked for."""


def read_histories(texts: pa.Array, layout: JsonHistory, label_key: str | None = None) -> Histories:
    """Read one JSON text for each career.

    Args:
        texts: string ``[N]``; null is an empty history.
        layout: The keys, and where the list is if it is inside an object.
        label_key: A key of that object that holds a hireability label.
    """

    def by_themselves(some: pa.Array) -> Histories:
        return read_objects([parsed(text) for text in some.to_pylist()], layout, label_key)

    return _read(texts, partial(_form_of_history, layout=layout, label_key=label_key), by_themselves)


def read_lines(texts: pa.Array, layout: JsonHistory, label: str | None) -> tuple[pa.Table, Histories]:
    """Read JSON lines that hold a career each.

    Returns:
        ``id``, and ``label`` if ``label`` is given, ``[N]``; and the histories. The label is next to the
        history or inside it.
    """
    histories = _read(
        texts,
        partial(_form_of_line, layout=layout, label=label),
        lambda some: read_lines_by_themselves(some, layout, label),
    )
    columns = {"id": histories.ids} | ({} if label is None else {"label": histories.labels})
    return pa.table(columns), histories


def read_role_lines(texts: pa.Array, layout: RoleRows, label: str | None) -> tuple[pa.Table, RawRoles]:
    """Read JSON lines that hold a role each: ``id`` and ``label`` ``[R]``, and the roles."""
    keys = JsonHistory(
        title_key=layout.title_column,
        start_key=layout.start_column,
        end_key=layout.end_column,
        current_key=layout.current_column,
        end=layout.end,
    )
    beside = {"id": id_names(layout)} | ({} if label is None else {"label": (label,)})
    form = Form((), keys_by_field(keys), is_role=True, beside=beside)
    at_once = None if has_paths(form.names, form.beside) else form
    histories = _read(
        texts, lambda text: at_once, lambda some: read_role_lines_by_themselves(some, layout, keys, label)
    )
    return pa.table({"id": histories.ids, "label": histories.labels}), histories.roles


def _read(texts: pa.Array, form_of: Callable[[str], Form | None], by_themselves: _ByThemselves) -> Histories:
    """Read the texts of the form that one of the first has at once, and the others by themselves."""
    first = texts.slice(0, _LOOKED_AT).to_pylist()
    form = next((form for text in first if text is not None and (form := form_of(text)) is not None), None)
    if form is None:
        return by_themselves(texts)
    regular = is_regular(texts.fill_null(""), form)
    at, others = np.flatnonzero(regular), np.flatnonzero(~regular)
    parts: Parts = [(others, by_themselves(texts.take(pa.array(others))))] if len(others) else []
    if len(at):
        parts += _read_regular(
            texts if not len(others) else texts.take(pa.array(at)), at, form, by_themselves
        )
    return joined(parts)


def _read_regular(texts: pa.Array, at: NDArray[np.int64], form: Form, by_themselves: _ByThemselves) -> Parts:
    """Read texts, whose places are ``at``, that have the form as far as can be seen cheaply."""
    try:
        return _at_once(texts, texts, at, form, by_themselves)
    except OddTextError:
        quoted = with_quotes(texts, form)
    try:
        return _at_once(texts, quoted, at, form, by_themselves)
    except OddTextError:
        odd = odd_texts(quoted, form)
    parts = [(at[odd], by_themselves(texts.filter(pa.array(odd))))] if odd.any() else []
    even = pa.array(~odd)
    if odd.all():
        return parts
    try:
        return parts + _at_once(texts.filter(even), quoted.filter(even), at[~odd], form, by_themselves)
    except OddTextError:  # found together what was not found alone
        return [*parts, (at[~odd], by_themselves(texts.filter(even)))]


def _at_once(
    texts: pa.Array, quoted: pa.Array, at: NDArray[np.int64], form: Form, by_themselves: _ByThemselves
) -> Parts:
    """Read texts at once, but those by themselves whose list may be somewhere else.

    Raises:
        OddTextError: If one of them cannot be read at once.
    """
    histories, is_doubtful = read_columns(quoted, form)
    if not is_doubtful.any():
        return [(at, histories)]
    doubtful = texts.filter(pa.array(is_doubtful))
    return [
        (at[~is_doubtful], histories.only(~is_doubtful)),
        (at[is_doubtful], by_themselves(doubtful)),
    ]


def _form_of_history(text: str, layout: JsonHistory, label_key: str | None) -> Form | None:
    """The form of a history; None if it is not one that Arrow reads."""
    names = keys_by_field(layout)
    value = parsed(text)
    path = _path_to_list(value, layout)
    if path is None or label_key in path[:1] or has_paths(names, {"label": (label_key or "",)}):
        return None
    if not path:
        return Form((), names)
    # Only an object can hold a label next to the list.
    beside: dict[str, tuple[str, ...]] = {} if label_key is None else {"label": (label_key,)}
    return Form(tuple(path), names, beside=beside, preferred=_preferred(path[0], layout, "work_history"))


def _form_of_line(text: str, layout: JsonHistory, label: str | None) -> Form | None:
    """The form of a line with a career; None if it is not one that Arrow reads."""
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
    """The keys under which a list would be taken rather than under ``key``."""
    keys = alternatives(name)
    return () if layout.history_key is not None else keys[: keys.index(key)]


def _path_to_list(value: Any, layout: JsonHistory) -> Sequence[str] | None:
    """The keys that lead to the list of a history; None if there is no list."""
    if layout.history_key is not None:
        path = path_of(layout.history_key)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return path if isinstance(value, list) else None
    if isinstance(value, dict):
        found = first_key_of_list(value)
        return None if found is None else [found]
    return [] if isinstance(value, list) else None

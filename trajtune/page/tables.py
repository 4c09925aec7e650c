"""Tables of a page: they sort, filter and download as CSV, and on a phone each row is a card.

``tables.js`` does that in the browser.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from trajtune.page.format import NOT_KNOWN, number
from trajtune.page.units import Quantity

ENOUGH_TO_FILTER: Final = 10
"""Fewest rows for which a table has a filter."""

MOST_AT_ONCE: Final = 20
"""Most rows that a table shows without scrolling in itself."""

MOST_CELLS: Final = 100
"""Most cells that a table shows on a phone without scrolling in itself."""

_SHORT: Final = 12
"""Longest text that is never broken, for example a date."""


@dataclass(frozen=True)
class Opens:
    """A table's cell that opens a record.

    Attributes:
        record: Key of the record, see `Page.record`.
        text: Text of the cell.
        order: Sort key of the cell.
    """

    record: str
    text: str
    order: float


@dataclass(frozen=True)
class Mark:
    """A cell that says whether something is good, with a sign beside its colour.

    Attributes:
        text: Text of the cell.
        tone: ``good``, ``bad`` or ``open``.
    """

    text: str
    tone: str


def table_html(header: Sequence[str], rows: Sequence[Sequence[object]], about: str) -> str:
    """A table with its tools.

    Args:
        header: The columns' names.
        rows: Cells; numbers are aligned right, None is shown as not known and sorts last.
        about: What the table is about, for screen readers and for the name of the CSV file.
    """
    numeric = [
        bool(column) and all(cell is None or isinstance(cell, int | float | Quantity) for cell in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(header)
    head = "".join(
        f'<th scope="col"{_NUMBER if is_number else ""}>'
        f'<button type="button"{"" if name else _NAMELESS}>{escape(name)}</button></th>'
        for name, is_number in zip(header, numeric, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(cell, first=column == 0) for column, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    label = escape(about, quote=True)
    search = (
        f'<input type="search" placeholder="Filter rows" aria-label="Filter the rows of: {label}">'
        if len(rows) >= ENOUGH_TO_FILTER
        else ""
    )
    tall = " tall" if len(rows) > MOST_AT_ONCE else ""
    tall += " large" if len(rows) * len(header) > MOST_CELLS else ""
    return (
        f'<div class="table"><div class="wide{tall}" role="region" tabindex="0" '
        f'aria-label="Table: {label}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<div class="tools">{search}<button type="button" class="csv" data-name="{label}" '
        f'aria-label="Download as CSV: {label}">Download CSV</button></div></div>'
    )


_NUMBER: Final = ' class="number"'
_NAMELESS: Final = ' aria-label="name"'


def _cell(value: object, *, first: bool) -> str:
    if isinstance(value, Opens):
        return (
            f'<th scope="row" data-order="{value.order}"><button type="button" class="opens" '
            f'data-record="{escape(value.record)}">{escape(value.text)}</button></th>'
        )
    if isinstance(value, Mark):
        return f'<td><span class="mark {value.tone}">{escape(value.text)}</span></td>'
    if isinstance(value, Quantity):
        if value.value is None and value.text != NOT_KNOWN:
            return f'<td class="number text">{escape(value.text)}</td>'
        order = "" if value.value is None else f' data-order="{value.value}"'
        return f"<td{_NUMBER}{order}>{escape(value.text)}</td>"
    if value is None:
        return f"<td{_NUMBER}>{NOT_KNOWN}</td>"
    if isinstance(value, bool):
        return f"<td>{value}</td>"
    if isinstance(value, int | float):
        plain = f"{value:,}"
        text = number(value) if "e" in plain else plain
        return f'<td{_NUMBER} data-order="{value}">{text}</td>'
    text = escape(str(value))
    if first:
        return f'<th scope="row">{text}</th>'
    return f'<td class="short">{text}</td>' if len(text) <= _SHORT else f"<td>{text}</td>"

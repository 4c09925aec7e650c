"""One self-contained HTML page of figures and tables: opens offline and requests nothing from the network.

Knows nothing about careers or models. Figures are plotly's, whose library is in the page once. ``style.css``
and ``script.js`` in this folder become part of the page: figures follow the colour scheme and are light in
print, tables sort, and records open in a dialog.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any, Final

from trajtune.page.format import NOT_KNOWN, significant
from trajtune.storage.files import write_file
from trajtune.storage.path import StoredPath

# Okabe and Ito's colours, which colour-blind people can distinguish.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

_DARK_COLOURS: Final = (
    "#56B4E9",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#0072B2",
    "#D55E00",
    "#F0E442",
    "#FFFFFF",
)
_DIGITS: Final = 6
"""Significant digits of numbers in figures: more than can be seen, and the page stays small."""


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


@dataclass
class Page:
    """Sections from top to bottom; `write` makes the file.

    Attributes:
        title: Title of the page.
        lead: A sentence or two under the title.
    """

    title: str
    lead: str
    _parts: list[str] = field(default_factory=list)
    _headings: list[str] = field(default_factory=list)
    _figures: list[str] = field(default_factory=list)
    _records: dict[str, Any] = field(default_factory=dict)

    def warning(self, text: str) -> None:
        """A sentence in a coloured box, which must not be overlooked."""
        self._parts.append(f'<p class="warning" role="note">{escape(text)}</p>')

    def text(self, text: str) -> None:
        """A paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def note(self, text: str) -> None:
        """A sentence in small print: how to read what follows, or why there is no figure."""
        self._parts.append(f'<p class="note">{escape(text)}</p>')

    def section(self, heading: str, note: str = "") -> None:
        """A heading that is in the contents, and a note on how to read what follows."""
        self._headings.append(heading)
        self._parts.append(f'<h2 id="section-{len(self._headings)}">{escape(heading)}</h2>')
        if note:
            self.note(note)

    def subsection(self, heading: str) -> None:
        """A heading within a section."""
        self._parts.append(f"<h3>{escape(heading)}</h3>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table that sorts by the column whose header is pressed.

        Args:
            header: The columns' names.
            rows: Cells; numbers are aligned right, None is shown as not known and sorts last, `Opens` opens a
                record.
        """
        of_numbers = [
            bool(column) and all(cell is None or isinstance(cell, int | float) for cell in column)
            for column in zip(*rows, strict=True)
        ] or [False] * len(header)
        head = "".join(
            f'<th scope="col"{_NUMBER if is_number else ""}>'
            f'<button type="button"{"" if name else _NAMELESS}>{escape(name)}</button></th>'
            for name, is_number in zip(header, of_numbers, strict=True)
        )
        body = "".join(
            "<tr>" + "".join(_cell(cell, first=column == 0) for column, cell in enumerate(row)) + "</tr>"
            for row in rows
        )
        about = escape(self._headings[-1] if self._headings else self.title, quote=True)
        self._parts.append(
            f'<div class="wide" role="region" tabindex="0" aria-label="Table: {about}"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def figure(self, figure: Any, summary: str, *, caption: str = "", min_width_px: int = 0) -> None:
        """A plotly figure, and what it shows in words for those who cannot see it.

        Args:
            figure: A point opens the record that its trace's ``meta`` or its own ``customdata`` names, if
                there is one.
            summary: Text for screen readers.
            caption: Text below the figure.
            min_width_px: On a narrower screen the figure scrolls sideways; 0: it fits any screen.
        """
        figure.update_layout(
            template=None,
            margin={"l": 60, "r": 20, "t": 40, "b": 50},
            legend={"orientation": "h", "y": 1.12},
        )
        content = json.loads(
            figure.to_json(engine="json"), parse_float=lambda text: significant(float(text), _DIGITS)
        )
        content["layout"].pop("template", None)
        self._figures.append(_script_json({"data": content["data"], "layout": content["layout"]}))
        height = figure.layout.height
        style = f"min-width:{min_width_px}px;" if min_width_px else ""
        style += f"min-height:{height}px" if height else ""
        below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        # plotly's own ids are random, and pages must be reproducible
        self._parts.append(
            f'<figure><div class="wide"><div class="figure" id="figure-{len(self._figures)}" role="img" '
            f'aria-label="{escape(summary)}" style="{style}"></div></div>{below}</figure>'
        )

    def record(self, key: str, title: str, parts: Mapping[str, Mapping[str, str]]) -> None:
        """A record that a cell or a point opens: values by name, by heading."""
        self._records[key] = {"title": title, "parts": parts}

    def write(self, path: StoredPath) -> None:
        """Write the page atomically; the same parts give the same bytes."""
        write_file(path, self.html().encode(), unique=True)

    def html(self) -> str:
        """The page's text."""
        from plotly.offline import get_plotlyjs

        own = files(__package__)
        style, script = ((own / name).read_text("utf-8") for name in ("style.css", "script.js"))
        data = (
            f"const FIGURES=[{','.join(self._figures)}],TEMPLATES={_script_json(_templates())},"
            f"RECORDS={_script_json(self._records)};"
        )
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(self.title)}</title><link rel="icon" href="data:,"><style>{style}</style>'
            f"<script>{get_plotlyjs()}</script></head><body><main><h1>{escape(self.title)}</h1>"
            f'<p class="lead">{escape(self.lead)}</p>{self._contents()}{"".join(self._parts)}</main>'
            f"{_DIALOG}<script>{data}</script><script>{script}</script></body></html>\n"
        )

    def _contents(self) -> str:
        entries = "".join(
            f'<li><a href="#section-{number}">{escape(heading)}</a></li>'
            for number, heading in enumerate(self._headings, start=1)
        )
        return (
            '<nav aria-label="Contents"><details><summary>Contents</summary>'
            f"<ol>{entries}</ol></details></nav>"
        )


_NUMBER: Final = ' class="number"'
_NAMELESS: Final = ' aria-label="name"'
_DIALOG: Final = (
    '<dialog aria-labelledby="record-title"><form method="dialog"><button>Close</button></form>'
    '<h2 id="record-title"></h2><div></div></dialog>'
)


def _templates() -> dict[str, Any]:
    """plotly's light and dark templates, on the page's background and in colours that all can distinguish."""
    import plotly.io

    templates = {}
    for name, base, colours in (("light", "plotly_white", COLOURS), ("dark", "plotly_dark", _DARK_COLOURS)):
        content = json.loads(json.dumps(plotly.io.templates[base].to_plotly_json()))
        content["layout"] |= {
            "colorway": list(colours),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        }
        templates[name] = content
    return templates


def _script_json(content: Any) -> str:
    """JSON without a character that could end the script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _cell(value: object, *, first: bool) -> str:
    if isinstance(value, Opens):
        return (
            f'<th scope="row" data-order="{value.order}"><button type="button" class="opens" '
            f'data-record="{escape(value.record)}">{escape(value.text)}</button></th>'
        )
    if value is None:
        return f"<td{_NUMBER}>{NOT_KNOWN}</td>"
    if isinstance(value, int | float):
        return f'<td{_NUMBER} data-order="{value}">{value:,}</td>'
    return f'<th scope="row">{escape(str(value))}</th>' if first else f"<td>{escape(str(value))}</td>"

"""One self-contained HTML page of figures and tables: opens offline and requests nothing from the network.

Knows nothing about careers or models. Figures are plotly's, whose library is in the page once. The style and
the scripts in this folder become part of the page: figures follow the colour scheme and are light in print,
tables sort, filter and download, and records open in a dialog.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any, Final

from trajtune.page.colours import CYCLE
from trajtune.page.figures import content_of, figure_html, library, templates
from trajtune.page.first_screen import FirstScreen, badge_html, first_screen_html, prose
from trajtune.page.tables import Mark, Opens, table_html
from trajtune.storage.files import write_file
from trajtune.storage.path import StoredPath

__all__ = ["COLOURS", "Mark", "Opens", "Page"]

COLOURS: Final = CYCLE
_SCRIPTS: Final = ("figures.js", "tables.js", "page.js")


@dataclass
class _Section:
    """A heading that is in the side bar, and what follows it."""

    heading: str
    group: str
    parts: list[str] = field(default_factory=list)


@dataclass
class Page:
    """Sections from top to bottom; `write` makes the file.

    Attributes:
        title: Title of the page.
        lead: A sentence or two under the title.
        first_screen: Badge, large numbers and next steps, if the page has a result.
    """

    title: str
    lead: str
    first_screen: FirstScreen | None = None
    _top: list[str] = field(default_factory=list)
    _sections: list[_Section] = field(default_factory=list)
    _group: str = ""
    _figures: list[str] = field(default_factory=list)
    _records: dict[str, Any] = field(default_factory=dict)
    _scripts: list[str] = field(default_factory=list)

    def warning(self, text: str) -> None:
        """A sentence in a coloured box, which must not be overlooked."""
        self._add(f'<p class="warning" role="note">{prose(text)}</p>')

    def text(self, text: str) -> None:
        """A paragraph."""
        self._add(f"<p>{prose(text)}</p>")

    def note(self, text: str) -> None:
        """A sentence in small print: how to read what follows, or why there is no figure."""
        self._add(f'<p class="note">{prose(text)}</p>')

    def group(self, name: str) -> None:
        """A heading of the side bar for the sections that follow."""
        self._group = name

    def section(self, heading: str, note: str = "") -> None:
        """A card with a heading that is in the side bar, and a note on how to read what follows."""
        self._sections.append(_Section(heading, self._group))
        if note:
            self.note(note)

    def subsection(self, heading: str) -> None:
        """A heading within a section."""
        self._add(f"<h3>{escape(heading)}</h3>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table that sorts, filters and downloads as CSV.

        Args:
            header: The columns' names.
            rows: Cells: text, numbers, `Quantity`, `Mark`, or `Opens`, which opens a record. Numbers are
                aligned right; None is shown as not known and sorts last.
        """
        about = self._sections[-1].heading if self._sections else self.title
        self._add(table_html(header, rows, about))

    def figure(
        self, figure: Any, summary: str, *, caption: str = "", min_width_px: int = 0, half: bool = False
    ) -> None:
        """A plotly figure, and what it shows in words for those who cannot see it.

        Args:
            figure: A point opens the record that its trace's ``meta`` or its own ``customdata`` names, if
                there is one.
            summary: Text for screen readers.
            caption: Text below the figure.
            min_width_px: On a narrower screen the figure scrolls sideways; 0: it fits any screen.
            half: On a wide screen two such figures are beside each other.
        """
        self._figures.append(_script_json(content_of(figure)))
        self._add(figure_html(len(self._figures), figure, summary, caption, min_width_px, half))

    def record(self, key: str, title: str, parts: Mapping[str, Mapping[str, str]]) -> None:
        """A record that a cell or a point opens: values by name, by heading."""
        self._records[key] = {"title": title, "parts": parts}

    def widget(self, html: str, name: str, data: Any, script: str) -> None:
        """A part with a script of its own.

        Args:
            html: Its markup.
            name: The script's constant that holds ``data``.
            data: JSON values.
            script: Runs at the end of the page.
        """
        self._add(html)
        self._scripts.append(f"const {name}={_script_json(data)};\n{script}")

    def write(self, path: StoredPath) -> None:
        """Write the page atomically; the same parts give the same bytes."""
        write_file(path, self.html().encode(), unique=True)

    def html(self) -> str:
        """The page's text."""
        own = files(__package__)
        data = (
            f"const FIGURES=[{','.join(self._figures)}],TEMPLATES={_script_json(templates())},"
            f"RECORDS={_script_json(self._records)};"
        )
        scripts = [*((own / name).read_text("utf-8") for name in _SCRIPTS), *self._scripts]
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(self.title)}</title><link rel="icon" href="data:,">'
            f"<style>{(own / 'style.css').read_text('utf-8')}</style>"
            f"<script>{library()}</script></head><body>"
            '<a class="skip" href="#content">Skip to the content</a>'
            f'<div class="frame">{self._side_bar()}<main id="content">{self._first_card()}'
            f"{''.join(self._cards())}</main></div>"
            f"{_DIALOG}<script>{data}</script>"
            f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>\n"
        )

    def _add(self, part: str) -> None:
        (self._sections[-1].parts if self._sections else self._top).append(part)

    def _first_card(self) -> str:
        screen = self.first_screen
        badge, rest = (badge_html(screen), first_screen_html(screen)) if screen else ("", "")
        return (
            f'<header class="card" id="top"><div class="title"><h1>{escape(self.title)}</h1>{badge}</div>'
            f'<p class="lead">{prose(self.lead)}</p>{rest}{"".join(self._top)}</header>'
        )

    def _cards(self) -> list[str]:
        return [
            f'<section class="card" id="section-{number}" aria-labelledby="heading-{number}">'
            f'<h2 id="heading-{number}">{escape(section.heading)}</h2>{"".join(section.parts)}</section>'
            for number, section in enumerate(self._sections, start=1)
        ]

    def _side_bar(self) -> str:
        entries, group = ['<li><a href="#top">Overview</a></li>'], ""
        for number, section in enumerate(self._sections, start=1):
            if section.group != group:
                group = section.group
                entries.append(f'<li class="group">{escape(group)}</li>')
            entries.append(f'<li><a href="#section-{number}">{escape(section.heading)}</a></li>')
        return (
            '<nav class="side" aria-label="Contents"><details><summary>Contents</summary>'
            f"<ul>{''.join(entries)}</ul></details></nav>"
        )


_DIALOG: Final = (
    '<dialog aria-labelledby="record-title"><form method="dialog"><button>Close</button></form>'
    '<h2 id="record-title"></h2><div></div></dialog>'
)


def _script_json(content: Any) -> str:
    """JSON without a character that could end the script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")

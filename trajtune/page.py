"""One self-contained HTML page of figures and tables: opens offline, asks the network for nothing.

Knows nothing of careers or models; plotly draws, and its library is in the page once.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final

# Okabe and Ito's colours, told apart by colour-blind people too.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --line: #d5dae0; --quiet: #57606a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #14171a; --line: #3a4149; --quiet: #a1a9b3; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.note { color: var(--quiet); } .warning { border-left: 4px solid #D55E00; padding-left: .8rem; }
table { border-collapse: collapse; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
th { text-align: left; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; margin: 1rem 0; }
.figure { min-height: 22rem; background: #ffffff; border-radius: 6px; }
@media print { .figure { break-inside: avoid; } }
"""


@dataclass
class Page:
    """Sections from top to bottom; `write` makes the file.

    Attributes:
        title: Of the page.
        lead: A sentence or two under it.
    """

    title: str
    lead: str
    _parts: list[str] = field(default_factory=list)
    _num_figures: int = 0

    def warning(self, text: str) -> None:
        """A sentence that must not be overlooked."""
        self._parts.append(f'<p class="warning" role="note">{escape(text)}</p>')

    def section(self, heading: str, note: str = "") -> None:
        """A heading, and a note on how to read what follows."""
        self._parts.append(f"<h2>{escape(heading)}</h2>")
        if note:
            self._parts.append(f'<p class="note">{escape(note)}</p>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; numbers are set to the right."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
        body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
        self._parts.append(
            f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def figure(self, figure: Any, summary: str) -> None:
        """A plotly figure, and what it shows in words for those who cannot see it."""
        self._num_figures += 1
        name = f"figure-{self._num_figures}"  # plotly's own is random, and pages shall be reproducible
        figure.update_layout(
            template="plotly_white",
            colorway=list(COLOURS),
            margin={"l": 60, "r": 20, "t": 40, "b": 50},
            legend={"orientation": "h", "y": 1.12},
        )
        drawn = figure.to_html(
            full_html=False,
            include_plotlyjs=False,
            div_id=name,
            config={"displaylogo": False, "responsive": True},
        )
        self._parts.append(f'<div class="figure" role="img" aria-label="{escape(summary)}">{drawn}</div>')

    def write(self, path: Path) -> None:
        """Write the page beside ``path`` and rename it; the same parts give the same bytes."""
        from plotly.offline import get_plotlyjs

        content = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(self.title)}</title><link rel="icon" href="data:,"><style>{_STYLE}</style>'
            f"<script>{get_plotlyjs()}</script></head><body><main><h1>{escape(self.title)}</h1>"
            f"<p>{escape(self.lead)}</p>{''.join(self._parts)}</main></body></html>\n"
        )
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(content, encoding="utf-8")
        os.replace(beside, path)


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"

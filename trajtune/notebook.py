"""What a notebook shows: small HTML tables, and a display that changes while a cell runs.

Knows nothing about careers, searches or models. IPython is used if a notebook has imported it.
"""

import logging
import sys
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from importlib import import_module
from typing import Any


def is_notebook() -> bool:
    """Whether this code runs in a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def silence_missing_widgets() -> None:
    """Keep Ray and tqdm from asking in red for ipywidgets, which nothing here uses.

    Both do so when they are imported in a notebook. Elsewhere this function does nothing.
    """
    if is_notebook() and "tqdm.auto" not in sys.modules:
        logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module("tqdm.auto")


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A caption in bold and a table below it; without rows the caption alone.

    Examples:
        >>> html_table("a < b", ["x"], [[1]])
        '<b>a &lt; b</b><table><tr><th>x</th></tr><tr><td>1</td></tr></table>'
    """
    body = "".join(f"<tr>{''.join(_cell('td', cell) for cell in row)}</tr>" for row in rows)
    head = f"<tr>{''.join(_cell('th', name) for name in header)}</tr>" if any(header) else ""
    return f"<b>{escape(caption)}</b>" + (f"<table>{head}{body}</table>" if body else "")


def _cell(tag: str, content: object) -> str:
    return f"<{tag}>{escape(str(content))}</{tag}>"


def html_bar(done: float, total: float | None, *lines: str) -> str:
    """A progress bar with lines of text; without a total it has no end."""
    share = f' value="{done}" max="{total}"' if total else ""
    return f'<progress{share} style="width:20em"></progress> ' + "<br>".join(escape(line) for line in lines)


class LiveDisplay:
    """A part of a cell's output that is replaced each time."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str) -> None:
        """Show this HTML in place of what was shown before."""
        ipython: Any = import_module("IPython.display")
        if self._handle is None:
            self._handle = ipython.display(ipython.HTML(html), display_id=True)
        else:
            self._handle.update(ipython.HTML(html))

"""plotly figures as JSON for the page, with one colour for each thing and labels that never collide."""

import json
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from trajtune.page.colours import CYCLE, DARK_CYCLE, NAMED
from trajtune.page.format import significant

TRACES: Final = ("scatter", "bar", "funnel", "histogram", "pie", "waterfall")
"""The kinds of traces that the page's plotly.js draws; it is a build without the others."""

_DIGITS: Final = 6
"""Significant digits of numbers in figures: more than can be seen, and the page stays small."""

_LIBRARY: Final = "vendor/plotly-finance.min.js"


@cache
def library() -> str:
    """plotly.js, to be in a page once."""
    return (files(__package__) / _LIBRARY).read_text("utf-8")


def content_of(figure: Any) -> dict[str, Any]:
    """A figure's data and layout as JSON values.

    Args:
        figure: The plotly figure; its traces are painted by their names, see `colours.NAMED`.

    Raises:
        ValueError: If the page's plotly.js cannot draw a trace.
    """
    for trace in figure.data:
        if trace.type not in TRACES:
            raise ValueError(
                f"A figure of a page must have traces of {', '.join(TRACES)}, but has {trace.type}. Draw it "
                f"with one of these, or exchange trajtune/page/{_LIBRARY} for a larger build."
            )
        _paint(trace)
    figure.update_layout(
        template=None,
        margin={"l": 56, "r": 28, "t": 16, "b": 48},
        # Above the plot, where the margin grows with the rows of the legend.
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"namelength": -1},
    )
    _stagger(figure.layout.annotations)
    # Invisible ticks keep the labels of both axes apart where the axes meet.
    figure.update_xaxes(automargin=True, ticks="outside", ticklen=5, tickcolor="rgba(0,0,0,0)")
    figure.update_yaxes(automargin=True, ticks="outside", ticklen=5, tickcolor="rgba(0,0,0,0)")
    content = json.loads(
        figure.to_json(engine="json"), parse_float=lambda text: significant(float(text), _DIGITS)
    )
    content["layout"].pop("template", None)
    return {"data": content["data"], "layout": content["layout"]}


def figure_html(number: int, figure: Any, summary: str, caption: str, min_width_px: int, half: bool) -> str:
    """The place of the figure with this number, and what it shows in words."""
    height = figure.layout.height
    style = f"min-width:{min_width_px}px;" if min_width_px else ""
    style += f"height:{height}px" if height else ""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    # plotly's own ids are random, and pages must be reproducible
    return (
        f'<figure{_HALF if half else ""}><div class="wide"><div class="figure" id="figure-{number}" '
        f'role="img" aria-label="{escape(summary)}" style="{style}"></div></div>{below}</figure>'
    )


def templates() -> dict[str, Any]:
    """plotly's light and dark templates, on the page's background and in colours that all can distinguish."""
    import plotly.io

    found = {}
    for name, base, colours in (("light", "plotly_white", CYCLE), ("dark", "plotly_dark", DARK_CYCLE)):
        content = json.loads(json.dumps(plotly.io.templates[base].to_plotly_json()))
        content["layout"] |= {
            "colorway": list(colours),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        }
        content["data"] = {kind: content["data"][kind] for kind in TRACES if kind in content["data"]}
        found[name] = content
    return found


_LINE_PX: Final = 18
_HALF: Final = ' class="half"'


def _stagger(annotations: Sequence[Any]) -> None:
    """Put the texts of vertical lines one below the other, so that lines that are close do not hide them."""
    on_lines = [note for note in annotations if str(note.yref).endswith("domain")]
    for place, note in enumerate(on_lines):
        note.yshift = -_LINE_PX * place


def _paint(trace: Any) -> None:
    """Give a trace the colour of the thing that its name begins with, if it is one."""
    name = str(trace.name or "").split(" (")[0].split(",")[0]
    if name not in NAMED:
        return
    if trace.type == "scatter":
        trace.line.color = NAMED[name]
    if trace.marker.color is None or trace.type != "scatter":
        trace.marker.color = NAMED[name]

"""Two runs or two bundles side by side: on the terminal, in a notebook, and as an HTML page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal, TextIO

from trajtune.notebook import html_table
from trajtune.page.colours import MODEL
from trajtune.page.format import number, significant
from trajtune.page.units import metric, points, tick_format

_UNCHANGED = "the same"
_ON_VAL = "On val"
_ON_TEST = "On test"
_POINTS = "percentage points"


@dataclass(frozen=True)
class Row:
    """One value of both.

    Attributes:
        name: What it is.
        first, second: The values; None where unknown.
        gain: How much better the second is, with ``gain``, ``low`` and ``high`` (95 %); None without an
            interval.
    """

    name: str
    first: Any
    second: Any
    gain: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """What `finalizing.compare.compare` found.

    Attributes:
        kind: What was compared: ``run`` or ``bundle``.
        names: Of both.
        snapshots: Ids of both snapshots.
        params: Params of the best trials, or of the bundles, that differ.
        settings: Other settings that differ, and how each was made.
        val: Metrics on val.
        test: Metrics on test; empty for runs.
        reason: Why the metrics cannot be compared, or have no intervals; None if they can.
    """

    kind: Literal["run", "bundle"]
    names: tuple[str, str]
    snapshots: tuple[str, str]
    params: Sequence[Row] = ()
    settings: Sequence[Row] = ()
    val: Sequence[Row] = ()
    test: Sequence[Row] = ()
    reason: str | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON values.

        Returns:
            The attributes by name; a row has ``name``, ``first``, ``second`` and ``gain``.
        """
        return asdict(self)

    def __repr__(self) -> str:
        first, second = self.names
        return f"<Comparison of the {self.kind}s {first} and {second}: {len(self.params)} params differ>"

    def _repr_html_(self) -> str:
        shown = "".join(html_table(heading, header, rows) for heading, header, rows in self.tables())
        return shown + (f"<p>{escape(self.reason)}</p>" if self.reason else "")

    def tables(self) -> Iterator[tuple[str, list[str], list[list[str]]]]:
        """Heading, header and cells of each table that has a row."""
        for heading, rows in self.parts():
            with_gains = any(row.gain for row in rows)
            cells = [
                [row.name, _text(row.first), _text(row.second), *([_gain(row.gain)] if with_gains else [])]
                for row in rows
            ]
            yield heading, self.header(rows), cells

    def parts(self) -> Iterator[tuple[str, Sequence[Row]]]:
        """Heading and rows of each part that has a row."""
        for heading, rows in (
            ("Params that differ", self.params),
            ("Settings that differ", self.settings),
            (_ON_VAL, self.val),
            (_ON_TEST, self.test),
        ):
            if rows:
                yield heading, rows

    def header(self, rows: Sequence[Row]) -> list[str]:
        """The columns of a table of these rows; a column of gains only if one has a gain."""
        return ["", *self.names, *(["gain of the second (95 %)"] if any(row.gain for row in rows) else [])]


def print_comparison(comparison: Comparison, file: TextIO) -> None:
    """Print the comparison as tables."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console(file=file, highlight=False, width=None if file.isatty() else 200)
    if not comparison.params:
        console.print(f"Params: {_UNCHANGED}")
    for heading, header, rows in comparison.tables():
        table = Table(*(Column(Text(name)) for name in header), box=None, title=heading, title_justify="left")
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    if comparison.reason:
        console.print(comparison.reason, markup=False)


def comparison_page(comparison: Comparison) -> str:
    """The comparison as one HTML page, with a figure of the gains and their intervals."""
    from trajtune.page.page import Page

    first, second = comparison.names
    page = Page(f"{first} and {second}", f"Two {comparison.kind}s side by side.")
    if comparison.reason:
        page.warning(comparison.reason)
    measured = [row for row in comparison.test if row.gain]
    if measured:
        page.section(
            "Gain of the second", "Right of 0 the second is better. Bars are 95 % intervals by person."
        )
        for unit in dict.fromkeys(_unit(row.name) for row in measured):
            alike = [row for row in measured if _unit(row.name) == unit]
            summary = "; ".join(f"{row.name}: {_gain_in_units(row)}" for row in alike)
            page.figure(_figure(alike, unit), summary, half=True)
    for heading, rows in comparison.parts():
        page.section(heading)
        cell = _measured if heading in (_ON_VAL, _ON_TEST) else _set
        header = comparison.header(rows)
        page.table(header, [(row.name, *cell(row), _gain_in_units(row))[: len(header)] for row in rows])
    return page.html()


def _measured(row: Row) -> tuple[object, object]:
    """Both values of a metric in its unit."""
    return metric(row.name, row.first), metric(row.name, row.second)


def _set(row: Row) -> tuple[object, object]:
    """Both values of a param or a setting."""
    return _text(row.first), _text(row.second)


def _unit(name: str) -> str:
    """The unit of a metric's gain."""
    if tick_format(name) is not None:
        return _POINTS
    return "nats" if name.endswith("nll") else "mean reciprocal rank" if name.endswith("mrr") else name


def _figure(rows: Sequence[Row], unit: str) -> Any:
    """The gains of metrics that have the same unit."""
    import plotly.graph_objects as go

    scale = 100 if unit == _POINTS else 1

    gains = [row.gain for row in rows if row.gain]
    figure = go.Figure(
        go.Scatter(
            x=[scale * gain["gain"] for gain in gains],
            y=[row.name for row in rows],
            mode="markers",
            marker={"color": MODEL},
            error_x={
                "type": "data",
                "array": [scale * (gain["high"] - gain["gain"]) for gain in gains],
                "arrayminus": [scale * (gain["gain"] - gain["low"]) for gain in gains],
            },
        )
    )
    figure.add_vline(x=0, line_dash="dot")
    figure.update_layout(
        xaxis={"title": f"gain of the second, {unit}", "nticks": 6},
        yaxis={"automargin": True, "autorange": "reversed"},
        height=120 + 40 * len(rows),
    )
    return figure


def _text(value: Any) -> str:
    if isinstance(value, list | dict | str) or value is None:
        return "" if value is None else str(value)
    return number(significant(value))


def _gain(gain: Mapping[str, float] | None) -> str:
    if gain is None:
        return ""
    return f"{gain['gain']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"


def _gain_in_units(row: Row) -> str:
    """A gain of a share in percentage points, any other as on the terminal."""
    if row.gain is None or tick_format(row.name) is None:
        return _gain(row.gain)
    low, high = (f"{100 * row.gain[end]:+.1f}" for end in ("low", "high"))
    return f"{points(row.gain['gain']).text} ({low} to {high})"

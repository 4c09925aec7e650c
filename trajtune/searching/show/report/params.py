"""The report's sections on params: which matter, each against the value, and all together.

They show every trial that the sampler sees and that has a value, also those that were stopped early; see
`searching.study.sampled_study`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go

from trajtune.experiment.objective import label
from trajtune.experiment.space import Choice, Space
from trajtune.page.colours import MODEL
from trajtune.page.format import number
from trajtune.page.page import Page
from trajtune.page.units import metric as in_units
from trajtune.page.units import tick_format
from trajtune.searching.show.importance import param_importances
from trajtune.searching.show.report.history import IN_WORDS, SYMBOLS
from trajtune.searching.study.trial_records import TrialRecord, best_trial

if TYPE_CHECKING:
    import optuna

MOST_LINES: Final = 200
"""Most trials in the figure of all params together: the best ones."""

_WORST_TO_BEST: Final = ["#E69F00", "#56B4E9", "#004B7A"]
"""Colours that are distinct to colour-blind readers."""

_FEW: Final = 10
"""Widest range of whole numbers that has a tick at each."""

_NOTHING: Final = "No trial that the sampler sees has a value yet: nothing to draw."


def importances(page: Page, study: "optuna.Study", metrics: Sequence[str]) -> None:
    """How much each searched param decides whether a trial is among the best tenth."""
    page.section(
        "Which parameters matter",
        "How much each parameter decides whether a trial is among the best tenth (PED-ANOVA, which is "
        "deterministic; Watanabe et al. 2023). All trials count: one that was stopped early has the value "
        "that it would probably have reached. Importances describe the trials of this search only.",
    )
    found = param_importances(study, metrics)
    if isinstance(found, str):
        page.note(found)
        return
    for metric, values in found.items():
        names = list(values)
        figure = go.Figure(go.Bar(orientation="h", x=list(values.values()), y=names, marker={"color": MODEL}))
        figure.update_layout(
            xaxis={"title": f"importance for {label(metric)}", "tickformat": ".0%", "rangemode": "tozero"},
            yaxis_autorange="reversed",
            height=110 + 30 * len(names),
        )
        summary = "; ".join(f"{name}: {100 * value:.0f} %" for name, value in values.items())
        page.figure(figure, f"Importance for {label(metric)}. {summary}")


def one_by_one(page: Page, trials: Sequence[TrialRecord], metric: str, space: Space) -> None:
    """The value of every trial against each param."""
    page.section(
        "Parameters one by one",
        "The value of every trial that the sampler sees against each parameter, by its best epoch. Open "
        "circles were stopped early, so their values may be too bad. The large diamond is the best trial.",
    )
    shown = _with_value(trials)
    names = _varied(shown, space)
    if not shown or not names:
        page.note("Every trial has the same parameters." if shown else _NOTHING)
        return
    best = best_trial(shown)
    for name in names:
        figure = go.Figure()
        is_category = _axis(name, space) == "category"
        for state, symbol in SYMBOLS.items():
            of_state = [trial for trial in shown if trial.state == state]
            _add_slice(figure, IN_WORDS[state], of_state, name, symbol, 8, is_category=is_category)
        if best is not None:
            _add_slice(figure, "best so far", [best], name, "diamond", 14, is_category=is_category)
        figure.update_layout(
            xaxis=_axis_of(name, shown, space),
            yaxis={"title": label(metric), "tickformat": tick_format(metric)},
            height=280,
            showlegend=False,
        )
        page.figure(figure, f"{label(metric)} of {len(shown)} trials by {name}.", half=True)


def together(page: Page, trials: Sequence[TrialRecord], metric: str, space: Space) -> None:
    """A line for each trial through all its params; each axis goes from the lowest value to the highest."""
    page.section(
        "Parameters together",
        "A line is a trial; dark blue lines are the best ones, and dotted ones were stopped early. Each axis "
        "goes from the lowest value at the bottom to the highest at the top.",
    )
    shown = sorted(_with_value(trials), key=lambda trial: (trial.costs[0], trial.number))[:MOST_LINES]
    names = _varied(shown, space)
    if not shown or not names:
        page.note("Every trial has the same parameters." if shown else _NOTHING)
        return
    from plotly.colors import sample_colorscale

    scales = {
        name: _Scale([trial.params[name] for trial in shown if name in trial.params], _axis(name, space))
        for name in names
    }
    ranks = [1 - place / max(1, len(shown) - 1) for place in range(len(shown))]
    figure = go.Figure()
    for trial, colour in reversed(list(zip(shown, sample_colorscale(_WORST_TO_BEST, ranks), strict=True))):
        own = [name for name in names if name in trial.params]
        figure.add_scatter(
            mode="lines",
            x=[names.index(name) for name in own],
            y=[scales[name].place(trial.params[name]) for name in own],
            meta=trial.number,
            line={
                "color": colour,
                "width": 3 if trial is shown[0] else 1.3,
                "dash": "dot" if trial.state == "PRUNED" else "solid",
            },
            hovertemplate=f"trial {trial.number}: {in_units(metric, trial.value).text}<extra></extra>",
            showlegend=False,
        )
    for place, name in enumerate(names):
        for end, anchor, text in ((0, "top", scales[name].low), (1, "bottom", scales[name].high)):
            figure.add_annotation(x=place, y=end, text=text, showarrow=False, yanchor=anchor)
    figure.update_layout(
        xaxis={
            "tickvals": list(range(len(names))),
            "ticktext": [name.replace("_", "<br>") for name in names],
            "tickangle": 0,
            "range": [-0.5, len(names) - 0.5],
        },
        yaxis={"visible": False, "range": [-0.1, 1.1]},
        height=460,
    )
    page.figure(
        figure,
        f"{len(shown)} trials, one line each, through {', '.join(names)}, coloured by {label(metric)}.",
        min_width_px=90 * len(names),
    )


class _Scale:
    """Where each value of a param is on its axis, from 0 to 1."""

    def __init__(self, values: Sequence[Any], axis: str) -> None:
        self._is_category = axis == "category"
        self._ordered = _ordered(values)
        self._scaled = math.log if axis == "log" else float
        self.low, self.high = (_short(self._ordered[end]) for end in (0, -1))

    def place(self, value: Any) -> float:
        """0 for the lowest value, 1 for the highest, 0.5 if there is only one."""
        if len(self._ordered) == 1:
            return 0.5
        if self._is_category:
            return self._ordered.index(value) / (len(self._ordered) - 1)
        low, high = (self._scaled(self._ordered[end]) for end in (0, -1))
        return (self._scaled(value) - low) / (high - low)


def _with_value(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that the sampler sees and that have a value."""
    return [trial for trial in trials if trial.is_sampled and trial.value is not None and trial.costs]


def _varied(trials: Sequence[TrialRecord], space: Space) -> list[str]:
    """Searched params with more than one value among the trials."""
    return [name for name in space.searched if len({trial.params.get(name) for trial in trials}) > 1]


def _axis_of(name: str, trials: Sequence[TrialRecord], space: Space) -> dict[str, Any]:
    """The x axis of a param; categories are in order, not as they occur."""
    axis: dict[str, Any] = {"title": name, "type": _axis(name, space)}
    values = _ordered([trial.params[name] for trial in trials if name in trial.params])
    if axis["type"] != "category":
        is_short = isinstance(values[0], int) and values[-1] - values[0] <= _FEW
        if axis["type"] == "log":
            return {**axis, "dtick": "D2"}  # ticks at 1, 2 and 5, whose labels have room
        return {**axis, **({"dtick": 1} if is_short else {})}
    return {**axis, "categoryorder": "array", "categoryarray": [str(value) for value in values]}


def _axis(name: str, space: Space) -> str:
    entry = space.searched[name]
    if isinstance(entry, Choice):
        return "category"
    return "log" if entry.log else "linear"


def _ordered(values: Sequence[Any]) -> list[Any]:
    """The different values, numbers before texts."""
    return sorted(set(values), key=lambda value: (isinstance(value, str), value))


def _add_slice(
    figure: Any,
    state: str,
    trials: Sequence[TrialRecord],
    name: str,
    symbol: str,
    size: int,
    *,
    is_category: bool,
) -> None:
    chosen = [trial for trial in trials if name in trial.params]
    if not chosen:
        return
    values = [trial.params[name] for trial in chosen]
    figure.add_scatter(
        name=state,
        mode="markers",
        x=[str(value) for value in values] if is_category else values,
        y=[trial.value for trial in chosen],
        customdata=[trial.number for trial in chosen],
        marker={"symbol": symbol, "size": size},
        hovertemplate="trial %{customdata}: %{y:.4g}<extra></extra>",
    )


def _short(value: Any) -> str:
    return number(value, 2) if isinstance(value, float) else str(value)

"""The page's sections on trials: a table that opens each, learning curves, and who was busy when."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.experiment.objective import label
from trajtune.page.format import number, percent, significant, words
from trajtune.page.page import Opens, Page
from trajtune.search.show.timeline import spans, workers
from trajtune.search.study.study import REFERENCES
from trajtune.search.study.trial_records import TrialRecord, pareto_front, ranked, research_default

IN_WORDS: Final = {
    "COMPLETE": "complete",
    "PRUNED": "stopped early",
    "FAIL": "failed",
    "RUNNING": "not ended",
    "WAITING": "waiting",
}
_LOOK: Final = {
    "COMPLETE": ("#0072B2", ""),
    "PRUNED": ("#E69F00", "/"),
    "FAIL": ("#D55E00", "x"),
    "RUNNING": ("#009E73", "."),
}
"""A state's colour, and its pattern for those who do not see colours, and for print."""

_EVERY_EPOCH: Final = 20
"""Up to so many epochs have a number each below their figure."""


def table(page: Page, trials: Sequence[TrialRecord], metrics: Sequence[str], searched: Sequence[str]) -> None:
    """Every trial, best first; its number opens everything that is known of it."""
    page.section(
        "Trials",
        "Best first: those that may win, then the others. A number, or a trial's point in a figure, opens "
        "its parameters. Values are those of a trial's best epoch by the first objective.",
    )
    best_first = ranked(trials)
    rest = [trial for trial in trials if trial not in best_first]
    rest.sort(key=lambda trial: (not trial.costs, trial.costs[:1], trial.number))
    front = {trial.number for trial in pareto_front(trials)} if len(metrics) > 1 else set()
    for trial in trials:
        page.record(str(trial.number), f"Trial {trial.number}", _record(trial, searched))
    page.table(
        ["trial", "state", *map(label, metrics), "best epoch", "epochs", "seconds", *searched],
        [
            (
                Opens(str(trial.number), str(trial.number), trial.number),
                _state(trial) + (", on the Pareto front" if trial.number in front else ""),
                *(_rounded(trial.metrics.get(metric)) for metric in metrics),
                "" if trial.best_epoch is None else trial.best_epoch,
                len(trial.epochs),
                round(trial.seconds, 1),
                *(_rounded(trial.params.get(name)) for name in searched),
            )
            for trial in [*best_first, *rest]
        ],
    )


def curves(page: Page, trials: Sequence[TrialRecord], metrics: Sequence[str]) -> None:
    """Each objective by epoch, of all trials."""
    page.section(
        "Learning curves",
        "Each line is a trial. A cross is where the search stopped one early; the research default is never "
        "stopped.",
    )
    with_epochs = [trial for trial in trials if trial.epochs]
    if not with_epochs:
        page.note("No trial has ended an epoch yet: nothing to draw.")
        return
    shown = {"best": next(iter(ranked(trials)), None), "research default": research_default(trials)}
    for metric in metrics:
        figure = go.Figure()
        for state, (colour, _) in _LOOK.items():
            of_state = [trial for trial in with_epochs if trial.state == state]
            if of_state:
                line = {"color": colour, "width": 1}
                _add_lines(figure, IN_WORDS[state], of_state, metric, line=line, opacity=0.6)
        stopped = [trial for trial in with_epochs if trial.state == "PRUNED"]
        if stopped:
            figure.add_scatter(
                name="stopped here",
                mode="markers",
                x=[trial.epochs[-1]["epoch"] for trial in stopped],
                y=[trial.epochs[-1].get(metric) for trial in stopped],
                customdata=[trial.number for trial in stopped],
                marker={"symbol": "x", "color": _LOOK["PRUNED"][0], "size": 8},
                hovertemplate="trial %{customdata}: %{y:.4g}<extra></extra>",
            )
        for (name, trial), (colour, dash) in zip(
            shown.items(), (("#CC79A7", "solid"), ("#56B4E9", "dash")), strict=True
        ):
            if trial and trial.epochs:
                line = {"color": colour, "width": 4, "dash": dash}
                _add_lines(figure, f"{name} (trial {trial.number})", [trial], metric, line=line)
        longest = max(len(trial.epochs) for trial in with_epochs)
        figure.update_layout(
            xaxis={"title": "epoch", "dtick": 1 if longest <= _EVERY_EPOCH else None},
            yaxis_title=label(metric),
            height=480,
        )
        page.figure(
            figure,
            f"{label(metric)} by epoch of {len(with_epochs)} trials, {len(stopped)} of them stopped early.",
        )


def timeline(page: Page, trials: Sequence[TrialRecord]) -> None:
    """Which trial ran where and when; what is blank was idle."""
    page.section(
        "Workers",
        "A bar is a trial from its start to its end, in local time; a gap is idle time. "
        "Trials of one node that overlap are on numbered places of it. A trial that was interrupted "
        "and resumed spans the pause.",
    )
    found = spans(trials)
    if not found:
        page.note("No trial has begun yet: nothing to draw.")
        return
    places = workers(found)
    figure = go.Figure()
    for state, (colour, pattern) in _LOOK.items():
        bars = [(place.name, span) for place in places for span in place.spans if span.trial.state == state]
        if bars:
            figure.add_bar(
                name=IN_WORDS[state],
                orientation="h",
                y=[name for name, _ in bars],
                x=[1000 * span.seconds for _, span in bars],
                base=[span.start.isoformat(timespec="milliseconds") for _, span in bars],
                customdata=[span.trial.number for _, span in bars],
                text=[f"{span.trial.number}" for _, span in bars],
                textposition="inside",
                insidetextanchor="middle",
                hovertext=[
                    f"trial {span.trial.number}, {IN_WORDS[state]}, {span.seconds:.0f} s" for _, span in bars
                ],
                hoverinfo="text",
                marker={
                    "color": colour,
                    "pattern": {"shape": pattern},
                    "line": {"width": 1, "color": "#888"},
                },
            )
    figure.update_layout(
        barmode="overlay",
        showlegend=True,
        xaxis={"type": "date"},
        yaxis={
            "automargin": True,
            "categoryorder": "array",
            "categoryarray": [place.name for place in reversed(places)],
        },
        height=180 + 36 * len(places),
    )
    began, ended = min(span.start for span in found), max(span.end for span in found)
    whole = max((ended - began).total_seconds(), 1e-9)
    page.figure(
        figure,
        f"{len(found)} trials on {len(places)} places; busy "
        + "; ".join(f"{place.name}: {percent(place.busy_s / whole, 0)}" for place in places),
    )
    page.table(
        ["place", "trials", "busy, seconds", "idle, seconds", "busy, share of the whole"],
        [
            (
                place.name,
                len(place.spans),
                round(place.busy_s, 1),
                round(whole - place.busy_s, 1),
                round(place.busy_s / whole, 3),
            )
            for place in places
        ],
    )


def _add_lines(figure: Any, name: str, trials: Sequence[TrialRecord], metric: str, **look: Any) -> None:
    """One trace for all the trials, with a gap between each and the next."""
    x, y, numbers = [], [], []
    for trial in trials:
        x += [*(epoch["epoch"] for epoch in trial.epochs), None]
        y += [*(epoch.get(metric) for epoch in trial.epochs), None]
        numbers += [trial.number] * (len(trial.epochs) + 1)
    figure.add_scatter(
        name=name,
        mode="lines+markers",
        marker={"size": 3},
        x=x,
        y=y,
        customdata=numbers,
        hovertemplate="trial %{customdata}, epoch %{x}: %{y:.4g}<extra></extra>",
        **look,
    )


def _record(trial: TrialRecord, searched: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    about = {
        "state": _state(trial),
        "came from": words(trial.origin or "not asked yet"),
        "epochs": str(len(trial.epochs)),
        "best epoch": "none" if trial.best_epoch is None else str(trial.best_epoch),
        "seconds in epochs": f"{trial.seconds:.1f}",
    }
    if trial.duplicate_of is not None:
        about["same params as"] = f"trial {trial.duplicate_of}, whose results these are"
    about |= {name: text for name, text in (("error", trial.error), ("damage", trial.damage)) if text}
    for constraint, violation in trial.violations.items():
        about[constraint] = "kept" if violation <= 0 else f"broken by {number(violation)}"
    others = sorted(set(trial.params) - set(searched))
    parts = {
        "About": about,
        "Searched": {name: number(trial.params[name], 6) for name in searched if name in trial.params},
        "Best epoch": {name: number(value, 6) for name, value in trial.metrics.items() if name != "epoch"},
        "Not searched": {name: number(trial.params[name], 6) for name in others},
    }
    return {heading: entries for heading, entries in parts.items() if entries}


def _state(trial: TrialRecord) -> str:
    said = [IN_WORDS[trial.state]]
    if trial.origin in REFERENCES:
        said.append(f"the {REFERENCES[trial.origin]}")
    if not trial.is_feasible:
        said.append("breaks a constraint")
    if trial.duplicate_of is not None:
        said.append(f"as trial {trial.duplicate_of}")
    return ", ".join(said)


def _rounded(value: Any) -> Any:
    return "" if value is None else str(value) if isinstance(value, bool) else significant(value)

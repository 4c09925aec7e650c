"""The report's sections on trials: a table that opens each trial, learning curves, and each worker's time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.experiment.objective import label
from trajtune.page.format import number, percent, significant, words
from trajtune.page.page import Opens, Page
from trajtune.searching.show.timeline import spans, workers
from trajtune.searching.study.origins import REFERENCE_ORIGINS
from trajtune.searching.study.trial_records import (
    TrialRecord,
    best_trial,
    pareto_front,
    ranked,
    research_default,
)

IN_WORDS: Final = {
    "COMPLETE": "complete",
    "PRUNED": "stopped early",
    "FAIL": "failed",
    "RUNNING": "not ended",
    "WAITING": "waiting",
}
_STYLE: Final = {
    "COMPLETE": ("#0072B2", ""),
    "PRUNED": ("#E69F00", "/"),
    "FAIL": ("#D55E00", "x"),
    "RUNNING": ("#009E73", "."),
}
"""A state's colour, and its pattern for print and for readers who do not see colours."""

_EVERY_EPOCH: Final = 20
"""Most epochs for which each has a tick on the axis."""


def table(page: Page, trials: Sequence[TrialRecord], metrics: Sequence[str], searched: Sequence[str]) -> None:
    """Every trial, best first; its number opens all that the study records of it."""
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
    """Each objective by epoch, for all trials."""
    page.section(
        "Learning curves",
        "Each line is a trial. A cross is where the search stopped one early; the research default, the "
        "experiment's training, repeats and points with other settings are never stopped.",
    )
    with_epochs = [trial for trial in trials if trial.epochs]
    if not with_epochs:
        page.note("No trial has ended an epoch yet: nothing to draw.")
        return
    highlighted = {"best": best_trial(trials), "research default": research_default(trials)}
    for metric in metrics:
        figure = go.Figure()
        for state, (colour, _) in _STYLE.items():
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
                marker={"symbol": "x", "color": _STYLE["PRUNED"][0], "size": 8},
                hovertemplate="trial %{customdata}: %{y:.4g}<extra></extra>",
            )
        for (name, trial), (colour, dash) in zip(
            highlighted.items(), (("#CC79A7", "solid"), ("#56B4E9", "dash")), strict=True
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
    """Which trial each worker trained and when; gaps are idle time."""
    page.section(
        "Workers",
        "A bar is a trial from its start to its end, in local time; a gap is idle time. "
        "Trials of one node that overlap are on numbered workers. The bar of a trial that was interrupted "
        "and resumed includes the pause.",
    )
    all_spans = spans(trials)
    if not all_spans:
        page.note("No trial has begun yet: nothing to draw.")
        return
    all_workers = workers(all_spans)
    figure = go.Figure()
    for state, (colour, pattern) in _STYLE.items():
        bars = [
            (worker.name, span)
            for worker in all_workers
            for span in worker.spans
            if span.trial.state == state
        ]
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
            "categoryarray": [worker.name for worker in reversed(all_workers)],
        },
        height=180 + 36 * len(all_workers),
    )
    start, end = min(span.start for span in all_spans), max(span.end for span in all_spans)
    total_s = max((end - start).total_seconds(), 1e-9)
    page.figure(
        figure,
        f"{len(all_spans)} trials on {len(all_workers)} workers; busy "
        + "; ".join(f"{worker.name}: {percent(worker.busy_s / total_s, 0)}" for worker in all_workers),
    )
    page.table(
        ["worker", "trials", "busy, seconds", "idle, seconds", "busy, share of the time"],
        [
            (
                worker.name,
                len(worker.spans),
                round(worker.busy_s, 1),
                round(total_s - worker.busy_s, 1),
                round(worker.busy_s / total_s, 3),
            )
            for worker in all_workers
        ],
    )


def _add_lines(figure: Any, name: str, trials: Sequence[TrialRecord], metric: str, **style: Any) -> None:
    """One trace for all the trials, with a gap after each."""
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
        **style,
    )


def _record(trial: TrialRecord, searched: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    about = {
        "state": _state(trial),
        "came from": words(trial.origin or "not asked yet"),
        "epochs": str(len(trial.epochs)),
        "best epoch": "none" if trial.best_epoch is None else str(trial.best_epoch),
        "seconds in epochs": f"{trial.seconds:.1f}",
    }
    if trial.differs_in:
        about["not searched, and different"] = ", ".join(trial.differs_in)
    if trial.repeat_of is not None:
        about["repeats"] = f"trial {trial.repeat_of}, with seed {trial.seed}"
    if trial.seeds > 1:
        about["mean over seeds"] = f"{number(trial.mean_value, 6)} of {trial.seeds} seeds"
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
    words = [IN_WORDS[trial.state]]
    if trial.repeat_of is not None:
        words.append(f"trial {trial.repeat_of} with another seed")
    elif trial.origin in REFERENCE_ORIGINS:
        words.append(f"the {REFERENCE_ORIGINS[trial.origin]}")
    if not trial.is_feasible:
        words.append("breaks a constraint")
    if trial.duplicate_of is not None:
        words.append(f"as trial {trial.duplicate_of}")
    return ", ".join(words)


def _rounded(value: Any) -> Any:
    return "" if value is None else str(value) if isinstance(value, bool) else significant(value)

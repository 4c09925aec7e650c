"""The report's sections on the values of all trials: learning curves, history, and the Pareto front."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.experiment.objective import cost, label
from trajtune.page.colours import MODEL, STOPPED
from trajtune.page.format import words
from trajtune.page.page import Page
from trajtune.page.units import metric as in_units
from trajtune.page.units import tick_format
from trajtune.searching.study.trial_records import (
    TrialRecord,
    best_trial,
    pareto_front,
    ranked,
    research_default,
)
from trajtune.searching.val_baselines import Baselines, best_baseline

IN_WORDS: Final = {
    "COMPLETE": "complete",
    "PRUNED": "stopped early",
    "FAIL": "failed",
    "RUNNING": "not ended",
    "WAITING": "waiting",
}
SYMBOLS: Final = {"COMPLETE": "circle", "PRUNED": "circle-open", "FAIL": "x", "RUNNING": "diamond-open"}
"""A state's symbol, for print and for readers who do not see colours."""

NO_EPOCH: Final = "No trial has ended an epoch yet: nothing to draw."
_EVERY_EPOCH: Final = 20
"""Most epochs, or trials, for which each has a tick on the axis."""


def curves(page: Page, trials: Sequence[TrialRecord], metrics: Sequence[str]) -> None:
    """Each objective by epoch, for all trials."""
    page.section(
        "Learning curves",
        "Each line is a trial. A cross is where the search stopped one early; the research default, the "
        "experiment's training, repeats and points with other settings are never stopped. Press a point to "
        "open its trial, and an entry of the legend to hide it.",
    )
    with_epochs = [trial for trial in trials if trial.epochs]
    if not with_epochs:
        page.note(NO_EPOCH)
        return
    highlighted = {"best so far": best_trial(trials), "research default": research_default(trials)}
    for metric in metrics:
        figure = go.Figure()
        for state in SYMBOLS:
            of_state = [trial for trial in with_epochs if trial.state == state]
            if of_state:
                _add_lines(figure, IN_WORDS[state], of_state, metric, line={"width": 1}, opacity=0.6)
        stopped = [trial for trial in with_epochs if trial.state == "PRUNED"]
        if stopped:
            figure.add_scatter(
                name="stopped here",
                mode="markers",
                x=[trial.epochs[-1]["epoch"] for trial in stopped],
                y=[trial.epochs[-1].get(metric) for trial in stopped],
                customdata=[trial.number for trial in stopped],
                marker={"symbol": "x", "color": STOPPED, "size": 8},
                hovertemplate="trial %{customdata}: %{y:.4g}<extra></extra>",
            )
        for (name, trial), dash in zip(highlighted.items(), ("solid", "dash"), strict=True):
            if trial and trial.epochs:
                line = {"width": 4, "dash": dash}
                _add_lines(figure, f"{name} (trial {trial.number})", [trial], metric, line=line)
        longest = max(len(trial.epochs) for trial in with_epochs)
        figure.update_layout(
            xaxis={"title": "epoch", "dtick": 1 if longest <= _EVERY_EPOCH else None},
            yaxis={"title": f"{label(metric)} on val", "tickformat": tick_format(metric)},
            height=460,
        )
        page.figure(
            figure,
            f"{label(metric)} by epoch of {len(with_epochs)} trials, {len(stopped)} of them stopped early.",
        )


def history(page: Page, trials: Sequence[TrialRecord], metric: str, baselines: Baselines) -> None:
    """The value of every trial by number, with the best so far and what it is compared with."""
    failed = sum(trial.state == "FAIL" and trial.value is None for trial in trials)
    page.section(
        "The search: history",
        "Every trial by number, with the value of its best epoch. A trial that was stopped early (open "
        "circle) has the best value that it reached before."
        + (
            f" {failed} failed without a value and {'is' if failed == 1 else 'are'} not shown."
            if failed
            else ""
        ),
    )
    shown = [trial for trial in trials if trial.value is not None]
    if not shown:
        page.note(NO_EPOCH)
        return
    figure = go.Figure()
    for state, symbol in SYMBOLS.items():
        _add_points(figure, IN_WORDS[state], [t for t in shown if t.state == state and t.is_feasible], symbol)
    _add_points(figure, "breaks a constraint", [t for t in shown if not t.is_feasible], "cross-thin-open")
    numbers, values = _best_so_far(trials, metric)
    if numbers:
        figure.add_scatter(
            name="best so far", mode="lines", x=numbers, y=values, line={"shape": "hv", "width": 2}
        )
    for name, (value, dash) in _references(trials, metric, baselines).items():
        ends = [-0.5, len(trials) - 0.5]
        figure.add_scatter(name=name, mode="lines", x=ends, y=[value] * 2, line={"dash": dash, "width": 2})
    figure.update_layout(
        xaxis={"title": "trial", "dtick": 1 if len(trials) <= _EVERY_EPOCH else None},
        yaxis={"title": f"{label(metric)} on val", "tickformat": tick_format(metric)},
    )
    best = best_trial(trials)
    result = (
        f"the best is {in_units(metric, best.value).text}, of trial {best.number}"
        if best
        else "none may win yet"
    )
    page.figure(figure, f"Value of each of {len(shown)} trials; {result}.")


def pareto(page: Page, trials: Sequence[TrialRecord], metrics: Sequence[str]) -> None:
    """The first objective against each other one, for all trials."""
    page.section(
        "The search: Pareto front",
        "Every trial with a value in both objectives. A trial of the front can be beaten in one objective "
        "only by a trial that is worse in another.",
    )
    front = pareto_front(trials)
    shown = [trial for trial in trials if len(trial.costs) == len(metrics)]
    if not shown:
        page.note(NO_EPOCH)
        return
    for index in range(1, len(metrics)):
        figure = go.Figure()
        for name, chosen, colour in (
            ("dominated", [trial for trial in shown if trial not in front], STOPPED),
            ("Pareto front", front, MODEL),
        ):
            figure.add_scatter(
                name=name,
                mode="markers",
                x=[trial.metrics[metrics[0]] for trial in chosen],
                y=[trial.metrics[metrics[index]] for trial in chosen],
                customdata=[trial.number for trial in chosen],
                marker={"color": colour, "size": 9},
                hovertemplate="trial %{customdata}<extra></extra>",
            )
        figure.update_layout(
            xaxis={"title": label(metrics[0]), "tickformat": tick_format(metrics[0])},
            yaxis={"title": label(metrics[index]), "tickformat": tick_format(metrics[index])},
        )
        numbers = ", ".join(str(trial.number) for trial in front)
        page.figure(
            figure,
            f"{label(metrics[0])} against {label(metrics[index])}; the Pareto front is trials {numbers}.",
        )


def _best_so_far(trials: Sequence[TrialRecord], metric: str) -> tuple[list[int], list[float]]:
    """Trials that may win and were better than all before them, with their values, to the last trial."""
    may_win = {trial.number for trial in ranked(trials)}
    numbers: list[int] = []
    values: list[float] = []
    for trial in trials:
        if trial.number not in may_win or trial.value is None:
            continue
        if not values or cost(metric, trial.value) < cost(metric, values[-1]):
            numbers.append(trial.number)
            values.append(trial.value)
    return ([*numbers, trials[-1].number], [*values, values[-1]]) if values else ([], [])


def _references(
    trials: Sequence[TrialRecord], metric: str, baselines: Baselines
) -> Mapping[str, tuple[float, str]]:
    """Values to compare the trials with, and the dash of each line."""
    found: dict[str, tuple[float, str]] = {}
    default = research_default(trials)
    if default is not None and default.value is not None:
        found["research default"] = (default.value, "dash")
    if baseline := best_baseline(baselines, metric):
        found[f"best baseline ({words(baseline[0])})"] = (baseline[1], "dot")
    return found


def _add_points(figure: Any, name: str, trials: Sequence[TrialRecord], symbol: str) -> None:
    if not trials:
        return
    figure.add_scatter(
        name=name,
        mode="markers",
        x=[trial.number for trial in trials],
        y=[trial.value for trial in trials],
        customdata=[trial.number for trial in trials],
        marker={"symbol": symbol, "size": 9},
        hovertemplate="trial %{x}: %{y:.4g}<extra></extra>",
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

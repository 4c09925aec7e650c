"""The report's sections on trials: a table that opens each trial, and each worker's time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.experiment.objective import label
from trajtune.page.format import number, percent, significant, words
from trajtune.page.page import Opens, Page
from trajtune.page.units import decimal, share
from trajtune.page.units import metric as in_units
from trajtune.searching.show.report.history import IN_WORDS
from trajtune.searching.show.timeline import spans, workers
from trajtune.searching.study.origins import REFERENCE_ORIGINS
from trajtune.searching.study.trial_records import (
    TrialRecord,
    pareto_front,
    ranked,
)

_PATTERNS: Final = {"COMPLETE": "", "PRUNED": "/", "FAIL": "x", "RUNNING": "."}
"""A state's pattern, for print and for readers who do not see colours."""


def table(page: Page, trials: Sequence[TrialRecord], metrics: Sequence[str], searched: Sequence[str]) -> None:
    """Every trial, best first; its number opens all that the study records of it."""
    page.section(
        "Trials",
        "Best first: the trials that may win, then the others. Press a trial's number, or its point in a "
        "figure, to see its parameters. Values are those of the trial's best epoch by the first objective.",
    )
    best_first = ranked(trials)
    rest = [trial for trial in trials if trial not in best_first]
    rest.sort(key=lambda trial: (not trial.costs, trial.costs[:1], trial.number))
    front = {trial.number for trial in pareto_front(trials)} if len(metrics) > 1 else set()
    for trial in trials:
        page.record(str(trial.number), f"Trial {trial.number}", _record(trial, searched))
    page.table(
        ["trial", "state", *map(label, metrics), "best epoch", "epochs", "time (s)", *searched],
        [
            (
                Opens(str(trial.number), str(trial.number), trial.number),
                _state(trial) + (", on the Pareto front" if trial.number in front else ""),
                *(in_units(metric, trial.metrics.get(metric)) for metric in metrics),
                trial.best_epoch,
                len(trial.epochs),
                decimal(trial.seconds, 1),
                *(_rounded(trial.params.get(name)) for name in searched),
            )
            for trial in [*best_first, *rest]
        ],
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
    for state, pattern in _PATTERNS.items():
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
                marker={"pattern": {"shape": pattern}, "line": {"width": 1, "color": "#888"}},
            )
    figure.update_layout(
        barmode="overlay",
        showlegend=True,
        # Labels for parts of a second, and labels that Plotly rotates, are cut off on a phone.
        xaxis={
            "type": "date",
            "nticks": 4,
            "tickangle": 0,
            "tickformatstops": [{"dtickrange": [None, 1000], "value": "%S.%L s"}],
        },
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
        ["worker", "trials", "busy (s)", "idle (s)", "busy, share of the time"],
        [
            (
                worker.name,
                len(worker.spans),
                decimal(worker.busy_s, 1),
                decimal(total_s - worker.busy_s, 1),
                share(worker.busy_s / total_s),
            )
            for worker in all_workers
        ],
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
    parts = [IN_WORDS[trial.state]]
    if trial.repeat_of is not None:
        parts.append(f"trial {trial.repeat_of} with another seed")
    elif trial.origin in REFERENCE_ORIGINS:
        parts.append(f"the {REFERENCE_ORIGINS[trial.origin]}")
    if not trial.is_feasible:
        parts.append("breaks a constraint")
    if trial.duplicate_of is not None:
        parts.append(f"as trial {trial.duplicate_of}")
    return ", ".join(parts)


def _rounded(value: Any) -> Any:
    return "" if value is None else str(value) if isinstance(value, bool) else significant(value)

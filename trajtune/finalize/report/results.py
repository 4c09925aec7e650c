"""The page's sections on how good the model is: next role, gains, career changers, parts of the people."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trajtune.finalize.report.cells import OURS, cell, others_of
from trajtune.finalize.report.markdown import words
from trajtune.finalize.report.text_results import (
    BASELINES_IN_WORDS,
    SEGMENTS,
    best_baseline,
    lag_of_the_limit,
)
from trajtune.page import Page


def next_role(page: Page, m: Mapping[str, Any]) -> None:
    """Accuracy beside the research default, the baselines and the limit."""
    test = m["test"]
    page.section(
        "Next role",
        f"Share of {test['num_examples']:,} people whose next title is the first guess, or among the "
        f"first five, with 95 % bootstrap intervals by person. {test['num_unseen_targets']:,} moved to a "
        f"title that training never saw; they count as misses. {BASELINES_IN_WORDS}",
    )
    ours = {name: test[f"next_role_{name}"] for name in ("top1", "top5", "mrr", "nll")}
    ours |= {f"{name}_interval": test[f"next_role_{name}_interval"] for name in ("top1", "top5")}
    rows = {OURS: ours, **others_of(m)}
    if m["bayes_limit"]:
        rows["best possible"] = m["bayes_limit"]
    names = list(rows)
    figure = go.Figure()
    for key, label in (("top1", "first guess"), ("top5", "among five")):
        values = [row[key] for row in rows.values()]
        figure.add_bar(
            name=label,
            x=names,
            y=values,
            error_y=_error_bars(values, [r.get(f"{key}_interval") for r in rows.values()]),
        )
    figure.update_layout(yaxis_title="share of people", yaxis_rangemode="tozero")
    page.figure(figure, "; ".join(f"{name}: first guess {cell(row['top1'])}" for name, row in rows.items()))
    page.table(
        ["", "top 1", "top 5", "reciprocal rank", "NLL (nats)"],
        [(name, *(cell(row[key]) for key in ("top1", "top5", "mrr", "nll"))) for name, row in rows.items()],
    )


def gains(page: Page, m: Mapping[str, Any]) -> None:
    """Paired gains and their intervals."""
    page.section(
        "Gain over others",
        "Paired, on the same people, with 95 % bootstrap intervals by person. Right of 0 is better; an "
        "interval that holds 0 may be luck.",
    )
    for key, label in (("top1", "gain in top 1, share of people"), ("nll", "gain in NLL, nats")):
        found = {words(name): gains[key] for name, gains in m["gains"].items() if gains[key]}
        if not found:
            continue
        values = [gain["gain"] for gain in found.values()]
        limits = [(gain["low"], gain["high"]) for gain in found.values()]
        scatter = go.Scatter(x=values, y=list(found), mode="markers", error_x=_error_bars(values, limits))
        figure = go.Figure(scatter)
        figure.add_vline(x=0, line_dash="dash")
        figure.update_layout(xaxis_title=label, yaxis={"automargin": True, "autorange": "reversed"})
        page.figure(figure, "; ".join(f"{name}: {cell(gain['gain'])}" for name, gain in found.items()))


def changers(page: Page, m: Mapping[str, Any]) -> None:
    """People who change career."""
    found = m["career_changers"]
    page.section(
        "Career changers",
        f"{found['num']:,} of {found['everybody']['num']:,} people move to a title that shares under half of "
        "its core words with their current one. A model that only repeats the current title is wrong there."
        + lag_of_the_limit(m),
    )
    others = {**others_of(m), **({"best possible": m["bayes_limit"]} if m["bayes_limit"] else {})}
    rows = {OURS: found, **{name: row["career_changers"] for name, row in others.items()}}
    keys = ("top1", "top5", "nll", "same_title_rate")
    page.table(
        ["career changers", "top 1", "top 5", "NLL", "predicted = current", "everybody: predicted = current"],
        [
            (name, *(cell(row[key]) for key in keys), cell(row["everybody"]["same_title_rate"]))
            for name, row in rows.items()
        ],
    )


def segments(page: Page, m: Mapping[str, Any]) -> None:
    """Parts of the people, beside the best baseline."""
    page.section("For whom", "Top-1 accuracy in parts of the people; small groups say little.")
    for way, rows in m["segments"].items():
        names = [f"{row['segment']} ({row['num']:,})" for row in rows]
        figure = go.Figure()
        figure.add_bar(name=OURS, x=names, y=[row["top1"] for row in rows])
        figure.add_bar(name="best baseline", x=names, y=[best_baseline(m, row) for row in rows])
        figure.update_layout(xaxis_title=f"{SEGMENTS[way]} (people)", yaxis_title="top 1")
        page.figure(
            figure, "; ".join(f"{name}: {row['top1']:.1%}" for name, row in zip(names, rows, strict=True))
        )
        header = ["By " + SEGMENTS[way], "people", "top 1", "top 5", "NLL", "ECE"]
        page.table(
            header,
            [
                (r["segment"], r["num"], *(cell(r[key]) for key in ("top1", "top5", "nll", "ece")))
                for r in rows
            ],
        )


def _error_bars(values: Sequence[float], limits: Sequence[Any]) -> dict[str, Any]:
    """Error bars from intervals; none where an interval is None."""
    pairs = [limit or (value, value) for value, limit in zip(values, limits, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, (_, high) in zip(values, pairs, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, pairs, strict=True)],
    }

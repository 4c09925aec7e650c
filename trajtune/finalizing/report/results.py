"""The page's sections on how good the model is: next role, gains, career changers, segments."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.finalizing.report.predictors import (
    THIS_MODEL,
    baselines_in_words,
    next_role_rows,
    with_best_possible,
)
from trajtune.finalizing.report.verdict import freshness
from trajtune.model.metrics import NEXT_ROLE
from trajtune.page.format import NOT_KNOWN, number, percent, significant, words
from trajtune.page.page import Page

_HEADER: Final = ("top 1", "top 5", "reciprocal rank", "NLL (nats)")
"""Names of the `NEXT_ROLE` metrics."""

_SEGMENTS: Final = {
    "history_length": "length of history",
    "level": "level of the current title",
    "last_title": "current title in the vocabulary",
    "quarter": "quarter of the last known date",
}
"""The ways to divide the people, in words."""


def next_role(page: Page, m: Mapping[str, Any]) -> None:
    """Accuracy of the model, the research default, the baselines and the best possible predictor."""
    test, rows = m["test"], next_role_rows(m)
    page.section(
        "Next role",
        f"Share of {test['num_examples']:,} people whose next title is the first guess, or among the "
        f"first five, with 95 % bootstrap intervals by person. {test['num_unseen_targets']:,} moved to a "
        "title that training never saw; they count as misses, and are left out of the NLL. "
        f"{baselines_in_words(m)}",
    )
    names = list(rows)
    figure = go.Figure()
    for key, label in (("top1", "first guess"), ("top5", "among five")):
        values = [row[key] for row in rows.values()]
        intervals = [row.get(f"{key}_interval") for row in rows.values()]
        figure.add_bar(name=label, x=names, y=values, error_y=_error_bars(values, intervals))
    figure.update_layout(yaxis_title="share of people", yaxis_rangemode="tozero")
    summary = "; ".join(f"{name}: first guess {number(row['top1'])}" for name, row in rows.items())
    page.figure(figure, summary)
    page.table(
        ["", *_HEADER],
        [(name, *(significant(row[key]) for key in NEXT_ROLE)) for name, row in rows.items()],
    )
    own = rows[THIS_MODEL]
    named = zip(_HEADER, NEXT_ROLE, strict=True)
    own_intervals = "; ".join(f"{label} {_interval(own[f'{key}_interval'])}" for label, key in named)
    page.note(f"95 % intervals of this model: {own_intervals}.")
    if sentences := freshness(m):
        page.text(sentences)


def gains(page: Page, m: Mapping[str, Any]) -> None:
    """Paired gains and their intervals."""
    page.section(
        "Gain over others",
        "Paired, on the same people, with 95 % bootstrap intervals by person. Right of 0 is better; an "
        "interval that holds 0 may be luck. The research default is the mean over its seeds, which are "
        "resampled with the people.",
    )
    for key, label in (("top1", "gain in top 1, share of people"), ("nll", "gain in NLL, nats")):
        by_name = {words(name): gain[key] for name, gain in m["gains"].items() if gain[key]}
        if not by_name:
            continue
        values = [gain["gain"] for gain in by_name.values()]
        limits = [(gain["low"], gain["high"]) for gain in by_name.values()]
        scatter = go.Scatter(x=values, y=list(by_name), mode="markers", error_x=_error_bars(values, limits))
        figure = go.Figure(scatter)
        figure.add_vline(x=0, line_dash="dash")
        figure.update_layout(xaxis_title=label, yaxis={"automargin": True, "autorange": "reversed"})
        summary = "; ".join(f"{name}: {number(gain['gain'])}" for name, gain in by_name.items())
        page.figure(figure, summary)
    page.table(
        ["this model against", *_HEADER],
        [(words(name), *(_gain(gain[key]) for key in NEXT_ROLE)) for name, gain in m["gains"].items()],
    )


def changers(page: Page, m: Mapping[str, Any]) -> None:
    """People who change career, whether the model lags one step behind, and where people who moved go."""
    own = m["career_changers"]
    page.section(
        "Career changers",
        f"{own['num']:,} of {own['everybody']['num']:,} people move to a title that shares under half of "
        "its core words with their current one. A model that only repeats the current title is wrong there. "
        "How often it predicts the current title for them decides nothing: where the history does not tell "
        "who changes, the best possible prediction does so too.",
    )
    others = {name: row["career_changers"] for name, row in with_best_possible(m).items()}
    rows = {THIS_MODEL: own, **others}
    page.table(
        [
            *("career changers", "top 1", "top 5", "NLL", "predicted = current"),
            *("everybody: top 1", "everybody: predicted = current"),
        ],
        [
            (
                name,
                *(significant(row[key]) for key in ("top1", "top5", "nll", "same_title_rate")),
                *(significant(row["everybody"][key]) for key in ("top1", "same_title_rate")),
            )
            for name, row in rows.items()
        ],
    )
    page.subsection("One step behind")
    page.text(_lag(m))
    page.table(
        [
            *("", "staying: predicted", "observed", "J", "people who moved"),
            *("where they go: top 1", "top 5", "gain of this model in top 5"),
        ],
        [
            (
                name,
                *(significant(row["staying"][key]) for key in ("predicted", "observed")),
                _with_interval(row["staying"], "j"),
                *(significant(row["movers"][key]) for key in ("num", "top1", "top5")),
                _gain(gain) if (gain := own["movers_gains"].get(name.replace(" ", "_"))) else "",
            )
            for name, row in rows.items()
        ],
    )
    page.note(
        "Where they go is measured among people whose next title is another one, with their current title "
        "left out of the ranking. J is P(predicted = current | stayed) minus P(predicted = current | moved), "
        "with its 95 % interval. It decides nothing either: where staying is a coin toss, the truth has a J "
        "of 0."
    )


def segments(page: Page, m: Mapping[str, Any]) -> None:
    """Parts of the people, with the best baseline next to the model."""
    page.section("For whom", "Top-1 accuracy in parts of the people; small groups say little.")
    header = [
        "people",
        "top 1",
        "top 5",
        "best baseline's top 1",
        "NLL",
        "ECE",
        "tenure inside",
        "months wide",
    ]
    for way, rows in m["segments"].items():
        best = [max(row["others"][name]["top1"] for name in m["baselines"]) for row in rows]
        names = [f"{row['segment']} ({row['num']:,})" for row in rows]
        figure = go.Figure()
        figure.add_bar(name=THIS_MODEL, x=names, y=[row["top1"] for row in rows])
        figure.add_bar(name="best baseline", x=names, y=best)
        figure.update_layout(xaxis_title=f"{_SEGMENTS[way]} (people)", yaxis_title="top 1")
        summary = (f"{name}: {percent(row['top1'])}" for name, row in zip(names, rows, strict=True))
        page.figure(figure, "; ".join(summary))
        keys = ("nll", "ece", "tenure_coverage", "tenure_width_months")
        cells = [
            (row["segment"], row["num"], row["top1"], row["top5"], baseline, *(row[key] for key in keys))
            for row, baseline in zip(rows, best, strict=True)
        ]
        page.table(
            [f"By {_SEGMENTS[way]}", *header], [tuple(significant(cell) for cell in row) for row in cells]
        )


def _lag(m: Mapping[str, Any]) -> str:
    """Whether the model lags one step behind, and by which sign."""
    found, gate = m["career_changers"]["staying"], m["gates"]["one_step_lag"]
    if not found["num"]:
        return "No current title is in the vocabulary, so that nobody can tell whether the model lags."
    sentence = (
        f"Staying has a mean probability of {percent(found['predicted'])}, and {percent(found['observed'])} "
        f"of {found['num']:,} people stayed: a difference of {100 * found['excess']:+.1f} points "
        f"({100 * found['low']:+.1f} to {100 * found['high']:+.1f}, 95 %)."
    )
    if not m["career_changers"]["one_step_lag_detected"]:
        return f"No one-step lag detected. {sentence}"
    finding = f" {gate['finding'].capitalize()}." if gate["finding"] else ""
    return f"One-step lag detected: the model says the title that people have. {sentence}{finding}"


def _with_interval(found: Mapping[str, float | None], key: str) -> str:
    value, low, high = (found[name] for name in (key, f"{key}_low", f"{key}_high"))
    return NOT_KNOWN if value is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _gain(gain: Mapping[str, float] | None) -> str:
    if gain is None:
        return NOT_KNOWN
    return f"{gain['gain']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"


def _interval(interval: Sequence[float] | None) -> str:
    return f"{number(interval[0])} to {number(interval[1])}" if interval else NOT_KNOWN


def _error_bars(values: Sequence[float], limits: Sequence[Any]) -> dict[str, Any]:
    """Error bars from intervals; none where an interval is None."""
    pairs = [limit or (value, value) for value, limit in zip(values, limits, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, (_, high) in zip(values, pairs, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, pairs, strict=True)],
    }

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
from trajtune.page.colours import MODEL, colour_of
from trajtune.page.format import NOT_KNOWN, number, percent, words
from trajtune.page.page import Page
from trajtune.page.units import decimal, metric, share

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
        f"Share of {test['num_examples']:,} people whose next title is the first guess (top 1) or among the "
        f"first five (top 5), with 95 % bootstrap intervals by person. {test['num_unseen_targets']:,} people "
        "moved to a title that training never saw; they count as misses and are left out of the NLL. "
        f"{baselines_in_words(m)}",
    )
    for key, label in (("top1", "first guess"), ("top5", "among five guesses")):
        _bars(page, label, {name: row[key] for name, row in rows.items()}, rows, f"{key}_interval")
    page.table(
        ["predictor", *_HEADER],
        [(name, *(_cell(key, row[key]) for key in NEXT_ROLE)) for name, row in rows.items()],
    )
    own = rows[THIS_MODEL]
    named = zip(_HEADER, NEXT_ROLE, strict=True)
    own_intervals = "; ".join(f"{label} {_interval(key, own[f'{key}_interval'])}" for label, key in named)
    page.note(f"95 % intervals of this model: {own_intervals}.")
    if sentences := freshness(m):
        page.text(sentences)


def gains(page: Page, m: Mapping[str, Any]) -> None:
    """Paired gains and their intervals."""
    page.section(
        "Gain over others",
        "Differences on the same people, with 95 % bootstrap intervals by person. More than 0 is better for "
        "this model; if an interval includes 0, the difference may be chance. The research default is the "
        "mean over its seeds, which are resampled with the people.",
    )
    for key, label, scale in (("top1", "gain in top 1, points", 100), ("nll", "gain in NLL, nats", 1)):
        by_name = {words(name): gain[key] for name, gain in m["gains"].items() if gain[key]}
        if not by_name:
            continue
        values = [scale * gain["gain"] for gain in by_name.values()]
        limits = [(scale * gain["low"], scale * gain["high"]) for gain in by_name.values()]
        figure = go.Figure(
            go.Scatter(
                x=values,
                y=list(by_name),
                mode="markers",
                marker={"color": [colour_of(name) for name in by_name], "size": 10},
                error_x={**_error_bars(values, limits), "color": MODEL},
            )
        )
        figure.add_vline(x=0, line_dash="dash", line_color="#888888")
        figure.update_layout(xaxis_title=label, yaxis_autorange="reversed", height=120 + 34 * len(by_name))
        summary = "; ".join(f"{name}: {number(scale * gain['gain'])}" for name, gain in by_name.items())
        page.figure(figure, f"{label}. {summary}", half=True)
    page.table(
        ["this model against", *_HEADER],
        [(words(name), *(_gain(key, gain[key]) for key in NEXT_ROLE)) for name, gain in m["gains"].items()],
    )


def changers(page: Page, m: Mapping[str, Any]) -> None:
    """People who change career, whether the model lags one step behind, and where people who moved go."""
    own = m["career_changers"]
    page.section(
        "Career changers",
        f"{own['num']:,} of {own['everybody']['num']:,} people move to a title that shares fewer than half "
        "of its core words with their current title. A model that only repeats the current title is wrong "
        "for all of them. How often the model predicts their current title is no gate: if the history does "
        "not show who changes, the best possible predictor does the same.",
    )
    others = {name: row["career_changers"] for name, row in with_best_possible(m).items()}
    rows = {THIS_MODEL: own, **others}
    page.table(
        [
            *("career changers", "top 1", "top 5", "NLL (nats)", "predicted = current"),
            *("everybody: top 1", "everybody: predicted = current"),
        ],
        [
            (
                name,
                *(_cell(key, row[key]) for key in ("top1", "top5", "nll", "same_title_rate")),
                *(share(row["everybody"][key]) for key in ("top1", "same_title_rate")),
            )
            for name, row in rows.items()
        ],
    )
    page.subsection("One step behind")
    page.text(_lag(m))
    page.table(
        [
            *("predictor", "staying: predicted", "staying: observed", "J", "people who moved"),
            *("of those who moved: top 1", "of those who moved: top 5", "gain of this model in top 5"),
        ],
        [
            (
                name,
                *(share(row["staying"][key]) for key in ("predicted", "observed")),
                _with_interval(row["staying"], "j"),
                row["movers"]["num"],
                *(share(row["movers"][key]) for key in ("top1", "top5")),
                _gain("top5", gain) if (gain := own["movers_gains"].get(name.replace(" ", "_"))) else "",
            )
            for name, row in rows.items()
        ],
    )
    page.note(
        "People who moved have a next title that differs from their current one; their current title is left "
        "out of the ranking. J is P(predicted = current | stayed) minus P(predicted = current | moved), with "
        "its 95 % interval. J is no gate: if staying is a coin toss, a perfect model has a J of 0."
    )


def segments(page: Page, m: Mapping[str, Any]) -> None:
    """Parts of the people, with the best baseline next to the model."""
    page.section(
        "Segments",
        "Share of people whose next title is the first guess, in parts of test. ECE is the expected "
        "calibration error. Small groups have wide intervals.",
    )
    header = [
        "people",
        "top 1",
        "top 5",
        "best baseline's top 1",
        "NLL (nats)",
        "ECE",
        "tenure inside the interval",
        "width of the interval (months)",
    ]
    for way, rows in m["segments"].items():
        best = [max(row["others"][name]["top1"] for name in m["baselines"]) for row in rows]
        page.subsection(f"By {_SEGMENTS[way]}")
        names = [f"{row['segment']} ({row['num']:,})" for row in rows]
        figure = go.Figure()
        figure.add_bar(name=THIS_MODEL, x=names, y=[row["top1"] for row in rows])
        figure.add_bar(name="best baseline", x=names, y=best)
        figure.update_layout(
            xaxis_title=f"{_SEGMENTS[way]} (people)",
            xaxis_type="category",
            yaxis={"title": "top 1", "tickformat": ".0%"},
            height=320,
        )
        summary = (f"{name}: {percent(row['top1'])}" for name, row in zip(names, rows, strict=True))
        page.figure(figure, "; ".join(summary))
        page.table(
            [_SEGMENTS[way], *header],
            [
                (
                    *(row["segment"], row["num"], share(row["top1"]), share(row["top5"]), share(baseline)),
                    *(decimal(row["nll"]), share(row["ece"]), share(row["tenure_coverage"])),
                    decimal(row["tenure_width_months"], 1),
                )
                for row, baseline in zip(rows, best, strict=True)
            ],
        )


def _bars(
    page: Page, label: str, values: Mapping[str, float], rows: Mapping[str, Mapping[str, Any]], interval: str
) -> None:
    """One bar for each predictor, in its colour, the first on top."""
    names, shares = list(values), list(values.values())
    figure = go.Figure(
        go.Bar(
            name=label,
            orientation="h",
            x=shares,
            y=names,
            marker={"color": [colour_of(name) for name in names]},
            error_x=_error_bars(shares, [row.get(interval) for row in rows.values()]),
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": label, "tickformat": ".0%", "rangemode": "tozero"},
        yaxis_autorange="reversed",
        height=110 + 34 * len(names),
    )
    summary = "; ".join(f"{name}: {percent(value)}" for name, value in values.items())
    page.figure(figure, f"{label}. {summary}", half=True)


def _cell(key: str, value: float | None) -> Any:
    """A metric in a column whose heading says its unit."""
    return decimal(value) if key in ("nll", "mrr") else share(value)


def _lag(m: Mapping[str, Any]) -> str:
    """Whether the model lags one step behind, and by which sign."""
    found, gate = m["career_changers"]["staying"], m["gates"]["one_step_lag"]
    if not found["num"]:
        return "No current title is in the vocabulary, so whether the model lags is not known."
    sentence = (
        f"Staying has a mean probability of {percent(found['predicted'])}, and {percent(found['observed'])} "
        f"of {found['num']:,} people stayed: a difference of {100 * found['excess']:+.1f} points "
        f"({100 * found['low']:+.1f} to {100 * found['high']:+.1f}, 95 %)."
    )
    if not m["career_changers"]["one_step_lag_detected"]:
        return f"No one-step lag detected. {sentence}"
    finding = f" {gate['finding'].capitalize()}." if gate["finding"] else ""
    return f"One-step lag detected: the model repeats the title that people already have. {sentence}{finding}"


def _with_interval(found: Mapping[str, float | None], key: str) -> str:
    value, low, high = (found[name] for name in (key, f"{key}_low", f"{key}_high"))
    return NOT_KNOWN if value is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _gain(key: str, gain: Mapping[str, float] | None) -> str:
    if gain is None:
        return NOT_KNOWN
    scale, unit, form = (1, "", "+.3f") if key in ("nll", "mrr") else (100, " points", "+.1f")
    value, low, high = (format(scale * gain[name], form) for name in ("gain", "low", "high"))
    return f"{value}{unit} ({low} to {high})"


def _interval(key: str, interval: Sequence[float] | None) -> str:
    return f"{metric(key, interval[0]).text} to {metric(key, interval[1]).text}" if interval else NOT_KNOWN


def _error_bars(values: Sequence[float], limits: Sequence[Any]) -> dict[str, Any]:
    """Error bars from intervals; none where an interval is None."""
    pairs = [limit or (value, value) for value, limit in zip(values, limits, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, (_, high) in zip(values, pairs, strict=True)],
        "arrayminus": [value - low for value, (low, _) in zip(values, pairs, strict=True)],
    }

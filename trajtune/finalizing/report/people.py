"""The page's section on a few people of test: what the model predicted, and which roles contributed."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trajtune.bundle.bundle import rounded
from trajtune.bundle.outcomes import hireability_name
from trajtune.page.colours import FAILED, MODEL
from trajtune.page.format import percent
from trajtune.page.page import Page


def people(page: Page, m: Mapping[str, Any]) -> None:
    """A paragraph and a figure for each person."""
    page.section(
        "A few people",
        "The first person of each kind on test: what the model predicted, and what happened. A bar shows by "
        "how many points a role raises (or lowers) the probability of the predicted title, before "
        "calibration: the probability for the whole career minus the probability without that role. The bars "
        "need not add up.",
    )
    for person in m["examples"]:
        page.subsection(person["why"].capitalize())
        page.text(_in_words(person, hireability_name(m["hireability_label"])))
        _contributions(page, person["contributions"])


def _contributions(page: Page, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows[0]["contribution"] is None:
        page.note("This career has a single role; without it there is nothing to predict from.")
        return
    # The number distinguishes two roles with the same title.
    names = [f"{number}. {row['title']}" for number, row in enumerate(rows, start=1)]
    values = [100 * row["contribution"] for row in rows]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            marker={"color": [MODEL if value >= 0 else FAILED for value in values]},
        )
    )
    figure.update_layout(
        xaxis={"title": "contribution in points", "zeroline": True},
        yaxis_autorange="reversed",
        height=110 + 32 * len(rows),
    )
    summary = "; ".join(f"{name}: {value:+.1f} points" for name, value in zip(names, values, strict=True))
    page.figure(figure, summary)


def _in_words(person: Mapping[str, Any], hireability: str) -> str:
    low, high = (rounded(limit) for limit in person["tenure_months"])
    months, rank = person["happened_months"], person["happened_rank"]
    guess = (
        "a title that training never saw"
        if rank == 0
        else "its first guess"
        if rank == 1
        else f"its guess number {rank:,}"
    )
    lasted = "for an unknown time" if months is None else f"for {rounded(months)} months"
    return (
        f"Predicted: {person['predicted']}, with {percent(person['confidence'], 0)} confidence, for "
        f"{max(1, low)} to {max(1, high)} months; {hireability}: {percent(person['hireability'], 0)}. "
        f"Happened: {person['happened']} ({guess}), {lasted}."
    )

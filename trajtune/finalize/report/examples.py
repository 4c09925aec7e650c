"""The page's section on a few people of test: what the model would have said, and which roles it rests on."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from trajtune.bundle.bundle import rounded
from trajtune.page import COLOURS, Page


def examples(page: Page, m: Mapping[str, Any]) -> None:
    """A paragraph and a figure a person."""
    page.section(
        "A few people",
        "The first of each kind on test: what the model would have said, and what happened. A bar is by how "
        "much a role raises (or lowers) the probability of the predicted title, before calibration: the "
        "prediction for the career less the one for the career without that role. The bars need not add up.",
    )
    for found in m["examples"]:
        page.subsection(found["why"].capitalize())
        page.text(_said(found))
        rows = found["contributions"]
        if rows[0]["contribution"] is None:
            page.note("A single role: without it there is nothing to predict from.")
            continue
        # The number tells two roles of one title apart.
        names = [f"{place}. {row['title']}" for place, row in enumerate(rows, start=1)]
        values = [row["contribution"] for row in rows]
        figure = go.Figure(
            go.Bar(
                x=values,
                y=names,
                orientation="h",
                marker={"color": [COLOURS[0] if value >= 0 else COLOURS[5] for value in values]},
            )
        )
        figure.update_layout(
            xaxis={"title": "contribution to the probability", "zeroline": True},
            yaxis={"automargin": True, "autorange": "reversed"},
            height=140 + 32 * len(rows),
        )
        summary = "; ".join(f"{name}: {value:+.3f}" for name, value in zip(names, values, strict=True))
        page.figure(figure, summary)


def _said(found: Mapping[str, Any]) -> str:
    low, high = (rounded(limit) for limit in found["tenure_months"])
    months, rank = found["happened_months"], found["happened_rank"]
    place = (
        "a title that training never saw"
        if rank == 0
        else "its first guess"
        if rank == 1
        else f"its guess number {rank:,}"
    )
    lasted = "how long is not known" if months is None else f"for {rounded(months)} months"
    return (
        f"Said: {found['predicted']}, with {found['confidence']:.0%} confidence, for {max(1, low)} to "
        f"{max(1, high)} months, hireability {rounded(100 * found['hireability'])} of 100. "
        f"Happened: {found['happened']} ({place}), {lasted}."
    )

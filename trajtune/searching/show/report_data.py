"""The reports' sections on data: the funnel in careers and roles, what was left out, drift, the service."""

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.dataset.report_sections import drift, served
from trajtune.page.colours import BASELINE, colour_of
from trajtune.page.page import Page
from trajtune.page.units import share


def data_sections(page: Page, manifest: Mapping[str, Any]) -> None:
    """The funnel, what was left out and why, how the splits differ, and what the service sees.

    Args:
        page: The page that gets these sections.
        manifest: At least the keys `RECORDED` of a snapshot's manifest, and ``titles`` if it has them.
    """
    _funnel(page, manifest)
    drift(page, manifest)
    served(page, manifest)


def _funnel(page: Page, manifest: Mapping[str, Any]) -> None:
    counts, splits = manifest["counts"], manifest["splits"]
    page.section(
        "From rows to careers",
        "Every row of the source is kept, in quarantine with a reason, or a duplicate of another. With "
        "`split.by: move` a career may be in several splits, with its earlier roles in each.",
    )
    careers = {
        "rows read": counts["rows_in"],
        "rows understood": counts["rows_kept"],
        "careers found": counts["careers_in"],
        "careers kept": counts["careers"],
        **{name: split["careers"] for name, split in splits.items()},
    }
    _bars(page, "careers", careers)
    roles = _roles(counts, splits)
    if roles:
        _bars(page, "roles", roles)
    page.table(
        ["step", "careers", "roles"],
        [(name, careers.get(name), roles.get(name)) for name in {**careers, **roles}],
    )
    total = sum(manifest["quarantine"].values())
    reasons = sorted(manifest["quarantine"].items(), key=lambda item: (-item[1], item[0]))
    page.table(
        ["left out because", "entries", "share of what was left out"],
        [(reason, number, share(number / total)) for reason, number in reasons]
        or [("nothing was left out", 0, share(None))],
    )


def _roles(counts: Mapping[str, int], splits: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Roles by step, as far as the snapshot counted them; snapshots of earlier versions may not have."""
    steps = {"roles found": "roles_in", "roles kept": "roles"}
    found = {name: counts[key] for name, key in steps.items() if key in counts}
    return {**found, **{name: split["roles"] for name, split in splits.items() if "roles" in split}}


def _bars(page: Page, what: str, steps: Mapping[str, int]) -> None:
    names = list(steps)
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=list(steps.values()),
            y=names,
            text=[f"{value:,}" for value in steps.values()],
            textposition="auto",
            cliponaxis=False,
            marker={"color": [colour_of(name) if name in _SPLITS else BASELINE for name in names]},
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": what, "rangemode": "tozero", "nticks": 5},
        yaxis_autorange="reversed",
        height=110 + 34 * len(names),
    )
    page.figure(figure, "; ".join(f"{name}: {value:,}" for name, value in steps.items()), half=True)


_SPLITS: Final = ("train", "val", "test")

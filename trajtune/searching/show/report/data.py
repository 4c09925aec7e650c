"""The reports' sections on data: the funnel in careers and roles, what was left out, drift, the service."""

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.dataset.report_sections import served
from trajtune.page.colours import BASELINE, colour_of
from trajtune.page.format import number, percent
from trajtune.page.page import Page
from trajtune.page.units import decimal, share


def data_sections(page: Page, manifest: Mapping[str, Any]) -> None:
    """The funnel, what was left out and why, how the splits differ, and what the service sees.

    Args:
        page: The page that gets these sections.
        manifest: At least the keys `RECORDED` of a snapshot's manifest, and ``titles`` if it has them.
    """
    _funnel(page, manifest)
    _drift(page, manifest["splits"])
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
        ["step", "rows", "careers", "roles"],
        [
            ("read", counts["rows_in"], "", ""),
            ("understood", counts["rows_kept"], "", ""),
            ("found", "", counts["careers_in"], counts.get("roles_in", "")),
            ("kept", "", counts["careers"], counts.get("roles", "")),
            *((name, "", split["careers"], split.get("roles", "")) for name, split in splits.items()),
        ],
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


def _drift(page: Page, splits: Mapping[str, Mapping[str, Any]]) -> None:
    """Sizes, dates and drift of each split against train."""
    page.section(
        "The splits, and drift",
        "Still held: last roles whose end is unknown. Unseen: titles that no career of train has. Unknown: "
        "unseen titles, and titles that are too rare for the vocabulary. Before the cutoff: next roles that "
        "began before the train cutoff. Same day: next roles that began on the same day as the role before "
        "them. PSI: population stability index of the titles against those of train; more than 0.25 above "
        "what chance alone gives at this size is a major shift.",
    )
    page.table(
        ["split", "careers", "first date", "last date", *_SHARES.values(), "PSI", "PSI by chance"],
        [
            (
                *(name, split["careers"], split.get("first", ""), split.get("last", "")),
                *(share(split.get(key)) for key in _SHARES),
                *(decimal(split.get(key)) for key in ("psi", "psi_by_chance")),
            )
            for name, split in splits.items()
        ],
    )
    figure = go.Figure()
    shown = {key: _SHARES[key] for key in ("unseen_titles", "unseen_targets", "unknown_targets")}
    for name, split in splits.items():
        figure.add_bar(name=name, x=list(shown.values()), y=[split.get(key) for key in shown])
    figure.update_layout(yaxis={"title": "share", "tickformat": ".1%", "rangemode": "tozero"})
    page.figure(
        figure,
        "; ".join(
            f"{name}: {percent(split.get('unseen_targets'))} of next titles unseen"
            for name, split in splits.items()
        ),
        half=True,
    )
    psi = go.Figure()
    psi.add_bar(
        name="measured",
        x=list(splits),
        y=[split.get("psi") for split in splits.values()],
        marker={"color": [colour_of(name) for name in splits]},
    )
    by_chance = [split.get("psi_by_chance") for split in splits.values()]
    psi.add_bar(name="by chance", x=list(splits), y=by_chance, marker={"color": BASELINE})
    psi.update_layout(yaxis={"title": "PSI against train", "rangemode": "tozero"}, showlegend=False)
    page.figure(
        psi,
        "; ".join(f"{name}: PSI {number(split.get('psi'), 2)}" for name, split in splits.items()),
        caption="PSI in the split's colour; in grey what chance alone gives.",
        half=True,
    )


def _bars(page: Page, what: str, steps: Mapping[str, int]) -> None:
    names = list(steps)
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=list(steps.values()),
            y=names,
            text=[f"{value:,}" for value in steps.values()],
            textposition="outside",
            textangle=0,
            cliponaxis=False,
            marker={"color": [colour_of(name) if name in _SPLITS else BASELINE for name in names]},
            hovertemplate="%{y}: %{x:,}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": what, "range": [0, 1.2 * max(1, *steps.values())], "nticks": 5},
        yaxis_autorange="reversed",
        height=110 + 34 * len(names),
    )
    page.figure(figure, "; ".join(f"{name}: {value:,}" for name, value in steps.items()), half=True)


_SHARES: Final = {
    "still_held": "still held",
    "unseen_titles": "titles unseen",
    "unseen_targets": "next titles unseen",
    "unknown_titles": "titles unknown",
    "unknown_targets": "next titles unknown",
    "targets_before_train_cutoff": "before the cutoff",
    "targets_on_input_day": "same day",
}
_SPLITS: Final = ("train", "val", "test")

"""Report sections about a snapshot's data: the funnel, what was left out, drift, and the service's titles.

The data report and the reports of searches, bundles and backtests share these sections. They need only the
manifest, which contains counts and dates.
"""

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.page.colours import BASELINE, colour_of
from trajtune.page.format import number, percent
from trajtune.page.page import Page
from trajtune.page.units import Quantity, decimal, part, share

RECORDED: Final = ("counts", "quarantine", "splits", "warnings")
"""Keys of a manifest that these sections show."""

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


def data_sections(page: Page, manifest: Mapping[str, Any]) -> None:
    """The funnel, what was left out and why, how the splits differ, and what the service sees.

    Args:
        page: The page that gets these sections.
        manifest: At least the keys `RECORDED` of a snapshot's manifest, and ``titles`` if it has them.
    """
    _funnel(page, manifest)
    _drift(page, manifest["splits"])
    _served(page, manifest)


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
        xaxis={"title": what, "range": [0, 1.2 * max(1, *steps.values())], "nticks": 5, "tickformat": ",d"},
        yaxis_autorange="reversed",
        height=110 + 34 * len(names),
    )
    page.figure(figure, "; ".join(f"{name}: {value:,}" for name, value in steps.items()), half=True)


def _served(page: Page, manifest: Mapping[str, Any]) -> None:
    """The titles that the service confuses or does not find, if the manifest counts them."""
    titles = manifest.get("titles", {"as_served": {}})
    if not titles["as_served"]:
        return
    rule = {
        "unicode": "Titles are distinguished by the letters and digits of every script.",
        "service": "Titles are distinguished by the service's rule.",
    }[titles["identity"]]
    page.section(
        "Titles as the service sees them",
        f"{rule} The service reads the letters A to Z and digits alone. Where these are the same in several "
        "titles, it sees the commonest. It does not find a title that has none of them, or those of no title "
        "of train.",
    )
    columns = {
        "roles": "roles",
        "another_roles": "seen as another title",
        "missing_roles": "not found",
        "targets": "last roles",
        "another_targets": "seen as another title, of last roles",
        "missing_targets": "not found, of last roles",
    }
    page.table(
        ["split", *columns.values()],
        [(name, *(_of_all(counts, key) for key in columns)) for name, counts in titles["as_served"].items()],
    )


def _of_all(counts: Mapping[str, int], key: str) -> int | Quantity:
    """A count; if it is a part of all roles or targets, also in percent of them."""
    whole = counts[key.rpartition("_")[2]]
    if key == key.rpartition("_")[2] or not whole:
        return counts[key]
    return part(counts[key], whole)

"""Report sections about a snapshot's data: from rows to splits, drift, and titles as the service sees them.

The data report and the reports of runs and bundles share these sections. They need only the manifest, which
contains counts and dates.
"""

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from trajtune.page.format import number, percent
from trajtune.page.page import COLOURS, Page

RECORDED: Final = ("counts", "quarantine", "splits", "warnings")
"""Keys of a manifest that these sections show."""


def data_sections(page: Page, manifest: Mapping[str, Any]) -> None:
    """Add all sections: the funnel, what was left out and why, the drift, and the titles of the service.

    Args:
        page: The page that gets the sections.
        manifest: At least the keys `RECORDED` of a snapshot's manifest, and ``titles`` if it has that key.
    """
    funnel(page, manifest)
    drift(page, manifest)
    served(page, manifest)


def funnel(page: Page, manifest: Mapping[str, Any]) -> None:
    """Add the section that shows how rows become careers of each split, and why rows were left out."""
    counts = manifest["counts"]
    page.section(
        "From rows to careers",
        "Every row of the source is kept, in quarantine with its reason, or a duplicate of another.",
    )
    steps = {
        "rows read": counts["rows_in"],
        "rows understood": counts["rows_kept"],
        "careers found": counts["careers_in"],
        "careers kept": counts["careers"],
    }
    figure = go.Figure(
        go.Funnel(
            name="all", y=list(steps), x=list(steps.values()), texttemplate="%{value:,}", showlegend=False
        )
    )
    careers = {name: split["careers"] for name, split in manifest["splits"].items()}
    for (name, num_careers), colour in zip(careers.items(), COLOURS[1:], strict=False):
        figure.add_funnel(
            name=name,
            y=["in train, val, test"],
            x=[num_careers],
            texttemplate="%{value:,}",
            marker={"color": colour},
        )
    figure.update_layout(yaxis={"automargin": True})
    shown = {**steps, **{f"in {name}": number for name, number in careers.items()}}
    page.figure(figure, "; ".join(f"{name}: {value:,}" for name, value in shown.items()))
    reasons = sorted(manifest["quarantine"].items(), key=lambda item: (-item[1], item[0]))
    page.table(["Left out because", "entries"], reasons or [("nothing was left out", 0)])


def drift(page: Page, manifest: Mapping[str, Any]) -> None:
    """Add the section with the size, the dates and the drift of each split relative to train."""
    page.section(
        "The splits, and drift",
        "Still held: last roles whose end is unknown. Unseen: titles that no career of train has. Unknown: "
        "titles that the vocabulary, fitted on train alone, does not hold, which are the unseen and those it "
        "left out as too rare. Before the cutoff: next roles that began before the train cutoff, so train "
        "may know of later moves. On the same day: next roles that began on the day on which the role "
        "before them began. PSI: population stability index of the titles against train's; more than 0.25 "
        "above what chance alone gives at this size is a major shift.",
    )
    described = manifest["splits"]
    columns = {
        "careers": "careers",
        "first": "first date",
        "last": "last date",
        "still_held": "still held",
        "unseen_titles": "titles unseen",
        "unseen_targets": "next titles unseen",
        "unknown_titles": "titles unknown",
        "unknown_targets": "next titles unknown",
        "targets_before_train_cutoff": "next roles before the cutoff",
        "targets_on_input_day": "next roles on the same day",
        "psi": "PSI",
        "psi_by_chance": "PSI by chance",
    }
    page.table(
        ["Split", *columns.values()],
        [(name, *(split.get(key) for key in columns)) for name, split in described.items()],
    )
    figure = go.Figure()
    for key in ("unseen_titles", "unseen_targets", "unknown_targets", "psi"):
        figure.add_bar(name=columns[key], x=list(described), y=[split[key] for split in described.values()])
    page.figure(
        figure,
        "; ".join(
            f"{name}: {percent(split['unseen_targets'])} of next titles unseen, PSI {number(split['psi'], 2)}"
            for name, split in described.items()
        ),
    )


def served(page: Page, manifest: Mapping[str, Any]) -> None:
    """Add the section on titles that the service confuses or does not find, if the manifest has it."""
    titles = manifest.get("titles", {"as_served": {}})
    if not titles["as_served"]:
        return
    rule = {
        "unicode": "Titles are told apart by the letters and digits of every script.",
        "service": "Titles are told apart as the service does it.",
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
        ["Split", *columns.values()],
        [(name, *(counts[key] for key in columns)) for name, counts in titles["as_served"].items()],
    )

"""The data report: one HTML page that shows how rows become examples and what each split contains."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from trajtune.dataset.profiling.facts import (
    HISTORY_LIMITS,
    LONGEST_CAREER,
    LONGEST_TENURE_MONTHS,
    TENURE_EDGES,
    SplitFacts,
)
from trajtune.dataset.profiling.summary import describe_source
from trajtune.dataset.report_sections import data_sections
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.titles import TitleEncoder
from trajtune.page.colours import BASELINE, MODEL, TEST, TRAIN, colour_of
from trajtune.page.first_screen import FirstScreen, Headline, Other
from trajtune.page.format import percent, words
from trajtune.page.page import Page
from trajtune.page.units import part
from trajtune.storage.path import StoredPath

DATA_REPORT: Final = "data_report.html"
_COMMONEST: Final = 30
_LONGEST_LABEL: Final = 28
"""Characters of a title beside its bar; the full title is shown when the pointer is over the bar."""


def write_data_report(snapshot: Snapshot, splits: Mapping[str, SplitFacts]) -> StoredPath:
    """Write ``data_report.html`` into the snapshot's directory.

    The report is not part of the snapshot's content, so it does not change the id.

    Args:
        snapshot: The snapshot that was just written.
        splits: Facts of each split. Test is included: the report describes it, and nothing is chosen by it.
    """
    manifest = snapshot.manifest
    page = Page(
        f"Data report: snapshot {snapshot.id[:16]}",
        f"Source: {describe_source(manifest['source'])}, as of {manifest['as_of']}. Train is everything "
        f"before {manifest['cutoffs']['train']}, val before {manifest['cutoffs']['val']}, test from then on. "
        f"Hireability: {manifest['hireability']}.",
        _first_screen(manifest),
    )
    for warning in manifest["warnings"]:
        page.warning(warning)
    page.group("From rows to examples")
    data_sections(page, manifest)
    _examples(page, splits)
    page.group("What the splits contain")
    _timeline(page, manifest, splits)
    _roles(page, splits)
    _titles(page, splits["train"], snapshot.encoder())
    _tenure(page, splits)
    page.group("All counts")
    _counts(page, manifest["counts"])
    path = snapshot.path / DATA_REPORT
    page.write(path)
    return path


def _first_screen(manifest: Mapping[str, Any]) -> FirstScreen:
    counts, splits, num = manifest["counts"], manifest["splits"], len(manifest["warnings"])
    known = {name: 1 - split["unknown_targets"] for name, split in splits.items()}
    before = {name: known[name] for name in ("train", "val")}
    return FirstScreen(
        "No warnings" if not num else "1 warning" if num == 1 else f"{num} warnings",
        "open" if num else "good",
        [
            _kept("People", counts["careers"], counts["careers_in"]),
            *([_kept("Roles", counts["roles"], counts["roles_in"])] if "roles" in counts else []),
            Headline(
                "Next titles of test in the vocabulary",
                percent(known["test"]),
                known["test"],
                TEST,
                [Other(name, percent(share), share, colour_of(name)) for name, share in before.items()],
                "No model can predict the others: train has too few careers with them.",
            ),
        ],
        [
            (
                "What to do next",
                "Read the warnings below. Search if they describe your data as it is; otherwise change the "
                "experiment file and prepare again."
                if num
                else "Compare the number of people with your own count, then run `trajtune search`.",
            )
        ],
    )


def _kept(what: str, kept: int, found: int) -> Headline:
    return Headline(
        f"{what} kept",
        f"{kept:,}",
        kept,
        MODEL,
        [Other("found in the source", f"{found:,}", found, BASELINE)],
        f"{percent(kept / found if found else None)} of those found; the others are in quarantine or are "
        "duplicates.",
    )


def _examples(page: Page, splits: Mapping[str, SplitFacts]) -> None:
    page.section(
        "From careers to examples",
        "An example is the titles so far and what came next. Last: one example for each career, its last "
        "move. Every transition: one for each move. Percentages are of the examples `last`.",
    )
    page.table(
        [
            "split",
            "examples: every transition",
            "examples: last",
            "next title in the vocabulary",
            "tenure known",
            "hireability known",
        ],
        [
            (
                name,
                facts.roles - facts.careers,
                facts.careers,
                *(
                    part(number, facts.careers)
                    for number in (
                        facts.careers - facts.unknown_targets,
                        facts.known_tenures,
                        facts.known_labels,
                    )
                ),
            )
            for name, facts in splits.items()
        ],
    )


def _counts(page: Page, counts: Mapping[str, int]) -> None:
    page.section(
        "All counts", "What reading counted: rows of the source, careers (one for each person) and roles."
    )
    page.table(["counted", "number"], [(words(name), counts[name]) for name in sorted(counts)])


def _timeline(page: Page, manifest: Mapping[str, Any], splits: Mapping[str, SplitFacts]) -> None:
    page.section("When careers are dated", "Careers by the year of the date that decides their split.")
    figure = go.Figure()
    for name, facts in splits.items():
        years, of = np.unique(
            facts.dates.days.astype("datetime64[Y]").astype(int) + 1970, return_inverse=True
        )
        counts = np.bincount(of, weights=facts.dates.counts).astype(int)
        figure.add_bar(name=name, x=years.tolist(), y=counts.tolist())
    figure.update_layout(barmode="stack", xaxis_title="year", yaxis_title="careers")
    cutoffs = manifest["cutoffs"]
    for name, cutoff in cutoffs.items():
        day = date.fromisoformat(cutoff)
        # A bar is centred on the number of its year, so the year begins half a bar to the left.
        position = day.year - 0.5 + (day.timetuple().tm_yday - 1) / 366
        figure.add_vline(x=position, line_dash="dash", annotation_text=f"end of {name}")
    page.figure(figure, f"Careers by year; cutoffs {cutoffs['train']} and {cutoffs['val']}.")


def _roles(page: Page, splits: Mapping[str, SplitFacts]) -> None:
    page.section(
        "Roles per career",
        f"Longer careers are counted at {LONGEST_CAREER}. The table shows what `training.max_history` leaves "
        "out: a model reads at most so many roles before the one that it predicts, the most recent ones.",
    )
    figure = go.Figure()
    for name, facts in splits.items():
        shares = facts.lengths / facts.careers
        figure.add_scatter(name=name, x=np.arange(2, LONGEST_CAREER + 1).tolist(), y=shares[2:].tolist())
    figure.update_layout(xaxis_title="roles", yaxis={"title": "share of careers", "tickformat": ".0%"})
    page.figure(figure, "Share of careers by number of roles, for each split.")
    page.table(
        ["Split", "max_history", "careers with more roles", "roles not read", "share of all roles"],
        [
            (name, limit, int(careers), int(roles), percent(int(roles) / max(1, facts.roles)))
            for name, facts in splits.items()
            for limit, (careers, roles) in zip(HISTORY_LIMITS, facts.not_read, strict=True)
        ],
    )


def _titles(page: Page, train: SplitFacts, encoder: TitleEncoder) -> None:
    counts = train.title_counts[1:]
    page.section(
        "Titles of train",
        f"The vocabulary has {len(counts):,} titles. Left: the commonest ones. Right: the share of all roles "
        "that a vocabulary of only the commonest titles would cover.",
    )
    shown = range(min(_COMMONEST, len(counts)), 0, -1)
    names = [encoder.decode(index) for index in shown]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=[int(counts[index - 1]) for index in shown],
            y=list(range(len(names))),
            text=names,
            textposition="none",
            marker={"color": TRAIN},
            hovertemplate="%{text}: %{x:,} roles<extra></extra>",
        )
    )
    ticks = {"tickvals": list(range(len(names))), "ticktext": [_short(name) for name in names]}
    figure.update_layout(
        xaxis={"title": "roles", "nticks": 5, "tickformat": ",d"}, height=110 + 18 * len(names), yaxis=ticks
    )
    page.figure(figure, f"The commonest titles; first {names[-1] if names else 'none'}.", half=True)
    covered = np.cumsum(counts) / max(1, train.roles)
    sizes = np.unique(np.geomspace(1, max(1, len(covered)), 200).astype(int))
    coverage = go.Figure(
        go.Scatter(
            x=sizes.tolist(), y=covered[sizes - 1].tolist() if len(covered) else [], line={"color": TRAIN}
        )
    )
    coverage.update_layout(
        xaxis={"title": "titles kept", "type": "log", "dtick": 1, "tickformat": ",d"},
        yaxis={"title": "share of roles covered", "tickformat": ".0%", "rangemode": "tozero"},
    )
    page.figure(coverage, "Share of roles covered by vocabulary size.", half=True)


def _short(name: str) -> str:
    """A title that fits beside a bar on a phone."""
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1].rstrip()}…"


def _tenure(page: Page, splits: Mapping[str, SplitFacts]) -> None:
    page.section(
        "Tenure",
        "Months in roles that have ended; roles still held have no tenure, only a lower bound. "
        f"Longer ones are counted at {LONGEST_TENURE_MONTHS} months.",
    )
    figure = go.Figure()
    for name, facts in splits.items():
        shares = facts.tenures / max(1, facts.ended_roles)
        figure.add_scatter(name=name, x=TENURE_EDGES[:-1].tolist(), y=shares.tolist(), line={"shape": "hvh"})
    figure.update_layout(xaxis_title="months", yaxis={"title": "share of ended roles", "tickformat": ".0%"})
    page.figure(figure, "Distribution of tenure in months, for each split.")

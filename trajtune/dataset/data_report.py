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
from trajtune.dataset.report_sections import drift, funnel, served
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.titles import TitleEncoder
from trajtune.page.format import percent
from trajtune.page.page import COLOURS, Page
from trajtune.storage.path import StoredPath

DATA_REPORT: Final = "data_report.html"
_COMMONEST = 30


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
    )
    for warning in manifest["warnings"]:
        page.warning(warning)
    funnel(page, manifest)
    _examples(page, manifest, splits)
    drift(page, manifest)
    served(page, manifest)
    _timeline(page, manifest, splits)
    _roles(page, splits)
    _titles(page, splits["train"], snapshot.encoder())
    _tenure(page, splits)
    path = snapshot.path / DATA_REPORT
    page.write(path)
    return path


def _examples(page: Page, manifest: Mapping[str, Any], splits: Mapping[str, SplitFacts]) -> None:
    page.section("From careers to examples", "How many each split has, and how many have each target.")
    page.table(
        ["Examples", "every transition", "last", "of these title known", "tenure known", "hireability known"],
        [
            (
                name,
                facts.roles - facts.careers,
                facts.careers,
                facts.careers - facts.unknown_targets,
                facts.known_tenures,
                facts.known_labels,
            )
            for name, facts in splits.items()
        ],
    )
    page.table(["Counted", "number"], sorted(manifest["counts"].items()))


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
    figure.update_layout(xaxis_title="roles", yaxis_title="share of careers")
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
        f"{len(counts):,} titles have an index of their own. Below: the share of all roles that a vocabulary "
        "of the commonest so many titles would cover.",
    )
    shown = range(min(_COMMONEST, len(counts)), 0, -1)
    names = [encoder.decode(index) for index in shown]
    figure = go.Figure(go.Bar(orientation="h", x=[int(counts[index - 1]) for index in shown], y=names))
    figure.update_layout(xaxis_title="roles", height=600, yaxis={"automargin": True})
    page.figure(figure, f"The commonest titles; first {names[-1] if names else 'none'}.")
    covered = np.cumsum(counts) / max(1, train.roles)
    sizes = np.unique(np.geomspace(1, max(1, len(covered)), 200).astype(int))
    coverage = go.Figure(go.Scatter(x=sizes.tolist(), y=covered[sizes - 1].tolist() if len(covered) else []))
    coverage.update_layout(xaxis_title="titles kept", xaxis_type="log", yaxis_title="share of roles covered")
    page.figure(coverage, "Share of roles covered by vocabulary size.")


def _tenure(page: Page, splits: Mapping[str, SplitFacts]) -> None:
    page.section(
        "Tenure",
        "Months in roles that have ended; roles still held have no tenure, only a lower bound. "
        f"Longer ones are counted at {LONGEST_TENURE_MONTHS} months.",
    )
    figure = go.Figure()
    for (name, facts), colour in zip(splits.items(), COLOURS, strict=False):
        shares = facts.tenures / max(1, facts.ended_roles)
        figure.add_scatter(
            name=name, x=TENURE_EDGES[:-1].tolist(), y=shares.tolist(), line={"shape": "hvh", "color": colour}
        )
    figure.update_layout(xaxis_title="months", yaxis_title="share of ended roles")
    page.figure(figure, "Distribution of tenure in months, for each split.")

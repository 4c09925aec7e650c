"""The data report: from rows to examples, and what the splits are made of, as one HTML page."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import pyarrow.compute as pc

from trajtune.dataset.encode import SplitData
from trajtune.dataset.report_sections import drift, funnel, served
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.summary import describe_source
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.page.page import COLOURS, Page
from trajtune.storage.path import StoredPath

DATA_REPORT: Final = "data_report.html"
_COMMONEST = 30
_LONGEST_CAREER = 20
_LONGEST_TENURE_MONTHS = 240


def write_data_report(snapshot: Snapshot, splits: Mapping[str, SplitData]) -> StoredPath:
    """Write ``data_report.html`` into the snapshot's directory.

    It lies next to the snapshot's content and is not part of its id.

    Args:
        snapshot: The snapshot that was just written.
        splits: Its splits, test included: the report describes test, and nothing is chosen by it.
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


def _examples(page: Page, manifest: Mapping[str, Any], splits: Mapping[str, SplitData]) -> None:
    page.section("From careers to examples", "How many each split has, and how many have each target.")
    page.table(
        ["Examples", "every transition", "last", "of these title known", "tenure known", "hireability known"],
        [
            (name, len(data.arrays.title_ids) - data.arrays.num_careers, *_known(data).values())
            for name, data in splits.items()
        ],
    )
    page.table(["Counted", "number"], sorted(manifest["counts"].items()))


def _known(data: SplitData) -> dict[str, int]:
    """Examples of last roles, and how many of them have each target."""
    last = data.arrays.offsets[1:] - 1
    return {
        "examples": len(last),
        "titles": int((data.arrays.title_ids[last] != UNKNOWN).sum()),
        "tenures": int((~np.isnan(data.arrays.tenure_months[last])).sum()),
        "labels": int((~np.isnan(data.arrays.hireable[last])).sum()),
    }


def _timeline(page: Page, manifest: Mapping[str, Any], splits: Mapping[str, SplitData]) -> None:
    page.section("When careers are dated", "Careers by the year of the date that decides their split.")
    figure = go.Figure()
    for name, data in splits.items():
        counts = pc.value_counts(pc.year(data.split_dates)).to_pylist()
        ordered = sorted((entry["values"], entry["counts"]) for entry in counts)
        figure.add_bar(name=name, x=[year for year, _ in ordered], y=[count for _, count in ordered])
    figure.update_layout(barmode="stack", xaxis_title="year", yaxis_title="careers")
    cutoffs = manifest["cutoffs"]
    for name, cutoff in cutoffs.items():
        day = date.fromisoformat(cutoff)
        # A bar is centred on its year, so the year begins half a bar before its number.
        position = day.year - 0.5 + (day.timetuple().tm_yday - 1) / 366
        figure.add_vline(x=position, line_dash="dash", annotation_text=f"end of {name}")
    page.figure(figure, f"Careers by year; cutoffs {cutoffs['train']} and {cutoffs['val']}.")


def _roles(page: Page, splits: Mapping[str, SplitData]) -> None:
    page.section("Roles per career", f"Longer careers are counted at {_LONGEST_CAREER}.")
    figure = go.Figure()
    for name, data in splits.items():
        lengths = np.minimum(np.diff(data.arrays.offsets), _LONGEST_CAREER)
        shares = np.bincount(lengths, minlength=_LONGEST_CAREER + 1) / len(lengths)
        figure.add_scatter(name=name, x=np.arange(2, _LONGEST_CAREER + 1).tolist(), y=shares[2:].tolist())
    figure.update_layout(xaxis_title="roles", yaxis_title="share of careers")
    page.figure(figure, "Share of careers by number of roles, for each split.")


def _titles(page: Page, train: SplitData, encoder: TitleEncoder) -> None:
    counts = np.bincount(train.arrays.title_ids, minlength=encoder.vocab_size)[1:]
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
    covered = np.cumsum(counts) / max(1, len(train.arrays.title_ids))
    sizes = np.unique(np.geomspace(1, max(1, len(covered)), 200).astype(int))
    coverage = go.Figure(go.Scatter(x=sizes.tolist(), y=covered[sizes - 1].tolist() if len(covered) else []))
    coverage.update_layout(xaxis_title="titles kept", xaxis_type="log", yaxis_title="share of roles covered")
    page.figure(coverage, "Share of roles covered by vocabulary size.")


def _tenure(page: Page, splits: Mapping[str, SplitData]) -> None:
    page.section(
        "Tenure",
        "Months in roles that have ended; roles still held have no tenure, only a lower bound. "
        f"Longer ones are counted at {_LONGEST_TENURE_MONTHS} months.",
    )
    figure = go.Figure()
    edges = np.arange(0, _LONGEST_TENURE_MONTHS + 12, 6)
    for (name, data), colour in zip(splits.items(), COLOURS, strict=False):
        months = data.arrays.tenure_months
        known = np.minimum(months[~np.isnan(months)], _LONGEST_TENURE_MONTHS)
        shares = np.histogram(known, edges)[0] / max(1, len(known))
        figure.add_scatter(
            name=name, x=edges[:-1].tolist(), y=shares.tolist(), line={"shape": "hvh", "color": colour}
        )
    figure.update_layout(xaxis_title="months", yaxis_title="share of ended roles")
    page.figure(figure, "Distribution of tenure in months, for each split.")

"""``report.html``: the evaluation in full, and the search that led to the model; one page, opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trajtune.dataset.report_sections import data_sections
from trajtune.finalizing.report.checks import confidence, hireability, tenure, title_sets
from trajtune.finalizing.report.making import export, refits
from trajtune.finalizing.report.people import people
from trajtune.finalizing.report.results import changers, gains, next_role, segments
from trajtune.finalizing.report.verdict import (
    GATE_COLUMNS,
    closing,
    gate_rows,
    measured_on,
    verdict,
    warnings,
)
from trajtune.page.format import significant
from trajtune.page.page import Page
from trajtune.searching.runs.directory import Run
from trajtune.searching.show.report import search_sections


def write_html_report(metrics: Mapping[str, Any], path: Path, run: Run | str) -> None:
    """Write the page; the same metrics and the same study give the same bytes.

    Args:
        metrics: The content of ``metrics.json``, ``gates`` included.
        path: The file, written atomically.
        run: The search that led to the model, or a sentence that says why it is not shown.

    Raises:
        RunError: If the run's study cannot be read.
    """
    page = Page(f"Evaluation of {metrics['run']}", " ".join(verdict(metrics)))
    for warning in warnings(metrics):
        page.warning(warning)
    _gates(page, metrics)
    next_role(page, metrics)
    gains(page, metrics)
    changers(page, metrics)
    confidence(page, metrics)
    title_sets(page, metrics)
    tenure(page, metrics)
    hireability(page, metrics)
    segments(page, metrics)
    people(page, metrics)
    if "selection" in metrics:
        refits(page, metrics)
    export(page, metrics)
    if isinstance(run, Run):
        search_sections(page, run)
    else:
        page.section("The search", run)
    data_sections(page, metrics["data"])
    page.section("Verdict", " ".join(closing(metrics)))
    page.write(path)


def _gates(page: Page, m: Mapping[str, Any]) -> None:
    page.section(
        "Gates",
        f"{measured_on(m)} A gate passes only with enough people to have seen a fault of the size of its "
        "limit in four tests of five; with fewer, the number that it takes is given.",
    )
    page.table(
        [GATE_COLUMNS[0], *(name.lower() for name in GATE_COLUMNS[1:])],
        [tuple(significant(cell) for cell in row) for row in gate_rows(m)],
    )

"""``report.html``: the evaluation in full and the search that led to the model; one page, opens offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trajtune.bundle.bundle import Bundle
from trajtune.bundle.outcomes import hireability_name
from trajtune.dataset.report_sections import data_sections
from trajtune.finalizing.report.answers import answer_box
from trajtune.finalizing.report.checks import confidence, hireability, tenure, title_sets
from trajtune.finalizing.report.first_screen import TONES, first_screen
from trajtune.finalizing.report.making import export, refits
from trajtune.finalizing.report.over_time import backtest_of, over_time
from trajtune.finalizing.report.people import people
from trajtune.finalizing.report.results import changers, gains, next_role, segments
from trajtune.finalizing.report.terms import terms
from trajtune.finalizing.report.verdict import (
    GATE_COLUMNS,
    closing,
    gate_rows,
    measured_on,
    verdict,
    warnings,
)
from trajtune.page.page import Mark, Page
from trajtune.searching.runs.directory import Run
from trajtune.searching.show.report.html import search_sections


def write_html_report(
    metrics: Mapping[str, Any], path: Path, run: Run | str, bundle: Bundle | None = None
) -> None:
    """Write the page; the same metrics and the same study give the same bytes.

    Args:
        metrics: The content of ``metrics.json``, ``gates`` included.
        path: The file, written atomically.
        run: The search that led to the model, or a sentence that says why it is not shown. Its backtest is
            shown too, if it has one.
        bundle: Answers the careers that a reader types; None: the page has no box for them.

    Raises:
        RunError: If the run's study cannot be read.
    """
    page = Page(f"Evaluation of {metrics['run']}", _lead(metrics), first_screen(metrics))
    for warning in warnings(metrics):
        page.warning(warning)
    page.group("Result")
    _gates(page, metrics)
    next_role(page, metrics)
    gains(page, metrics)
    changers(page, metrics)
    segments(page, metrics)
    page.group("Predictions")
    if bundle is not None:
        answer_box(page, bundle, hireability_name(metrics["hireability_label"]))
    people(page, metrics)
    page.group("Calibration")
    confidence(page, metrics)
    title_sets(page, metrics)
    tenure(page, metrics)
    hireability(page, metrics)
    backtest = backtest_of(run) if isinstance(run, Run) else None
    if backtest is not None:
        page.group("Over time")
        over_time(page, backtest, metrics["params"])
    page.group("How it was made")
    if "selection" in metrics:
        refits(page, metrics)
    if isinstance(run, Run):
        search_sections(page, run)
    else:
        page.section("The search", run)
    export(page, metrics)
    page.group("Data")
    data_sections(page, metrics["data"])
    page.group("In short")
    terms(page)
    page.section("Verdict", " ".join(closing(metrics)))
    page.write(path)


def _lead(m: Mapping[str, Any]) -> str:
    return (
        f"{verdict(m)[0]} Measured on {m['test']['num_examples']:,} people of test, which neither training "
        "nor search used."
    )


def _gates(page: Page, m: Mapping[str, Any]) -> None:
    page.section(
        "Gates",
        f"{measured_on(m)} A gate passes only if test has enough people: enough to detect a fault as large "
        "as the limit with a probability of 80 %. With fewer people, the table gives the number that is "
        "needed.",
    )
    tones = [TONES.get(gate["result"], "open") for gate in m["gates"].values()]
    page.table(
        [name.lower() for name in GATE_COLUMNS],
        [
            (name, Mark(result, tone), *cells)
            for (name, result, *cells), tone in zip(gate_rows(m), tones, strict=True)
        ],
    )

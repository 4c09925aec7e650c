"""``report.html``: the evaluation in figures, one page that opens offline, and the search that led to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trajtune.dataset.report_sections import data_sections
from trajtune.finalize.report.cells import cell
from trajtune.finalize.report.checks import confidence, export, hireability, refits, tenure
from trajtune.finalize.report.examples import examples
from trajtune.finalize.report.markdown import words
from trajtune.finalize.report.results import changers, gains, next_role, segments
from trajtune.finalize.report.text import verdict
from trajtune.page import Page
from trajtune.search.runs.directory import Run
from trajtune.search.show.report import search_sections


def write_html_report(metrics: Mapping[str, Any], path: Path, run: Run | str) -> None:
    """Write the page; the same metrics and the same study give the same bytes.

    Args:
        metrics: What ``metrics.json`` holds, ``gates`` included.
        path: The file; written beside and renamed.
        run: The search that led to the model, or a sentence that says why it is not shown.

    Raises:
        RunError: If the run's study cannot be read.
    """
    page = Page(f"Evaluation of {metrics['run']}", verdict(metrics).replace("**", ""))
    _warnings(page, metrics)
    _gates(page, metrics)
    next_role(page, metrics)
    gains(page, metrics)
    changers(page, metrics)
    confidence(page, metrics)
    tenure(page, metrics)
    hireability(page, metrics)
    segments(page, metrics)
    examples(page, metrics)
    if "selection" in metrics:
        refits(page, metrics)
    export(page, metrics)
    if isinstance(run, Run):
        search_sections(page, run)
    else:
        page.section("The search", run)
    data_sections(page, metrics["data"])
    page.write(path)


def _warnings(page: Page, m: Mapping[str, Any]) -> None:
    if m["source"] == "simulated":
        page.warning(
            "The careers are SIMULATED. These numbers say that the system works, not how good it "
            "is on people."
        )
    if m["test_openings"] > 1:
        page.warning(f"This test split has been opened {m['test_openings']} times; each time it proves less.")
    if "warning" in m["calibration"]:
        page.warning(f"{m['calibration']['warning']}.")


def _gates(page: Page, m: Mapping[str, Any]) -> None:
    cutoffs = m["cutoffs"]
    page.section(
        "Gates",
        f"Source: {m['source']}, snapshot {m['snapshot'][:12]}, as of {m['as_of']}. Trained on careers "
        f"before {cutoffs['train']}, chosen and calibrated on those before {cutoffs['val']}, measured on "
        "the later ones.",
    )
    page.table(
        ["Gate", "result", "value", "limit", "rule"],
        [
            (words(name), "pass" if g["passed"] else "FAIL", cell(g["value"]), cell(g["limit"]), g["rule"])
            for name, g in m["gates"].items()
        ],
    )

"""Write ``backtest.html`` and the table on the terminal: metrics at each origin, and how a model ages."""

from collections.abc import Mapping
from typing import Any

from trajtune.finalizing.report.over_time import about, backtest_sections, in_a_sentence
from trajtune.page.format import NOT_KNOWN, metric_value, percent, words
from trajtune.page.page import Page
from trajtune.storage.path import StoredPath


def write_backtest_report(result: Mapping[str, Any], path: StoredPath) -> None:
    """Write the page; the same result gives the same bytes.

    Args:
        result: The content of ``backtest.json``.
        path: The file, written atomically.
    """
    page = Page(f"Backtest of {result['run']}", f"{in_a_sentence(result)} {result['retraining']}")
    page.text(about(result))
    backtest_sections(page, result)
    page.write(path)


def terminal_table(result: Mapping[str, Any]) -> str:
    """Return a line for each origin, and the two conclusions."""
    best = result["best_baseline"]
    header = ("as of", "people", "NLL", words(best), "gain", "95 %", "ECE", "tenure cov.", "unseen")
    rows = [header]
    for row in result["origins"]:
        gain = row["gains"][best]["nll"]
        rows.append(
            (
                row["day"],
                f"{row['people']:,}",
                metric_value(row["nll"]),
                metric_value(row["others"][best]["nll"]),
                NOT_KNOWN if gain is None else f"{gain['gain']:+.3f}",
                "" if gain is None else f"{gain['low']:+.3f} to {gain['high']:+.3f}",
                NOT_KNOWN if row["ece"] is None else f"{row['ece']:.3f}",
                percent(row["tenure_coverage"]),
                percent(row["unseen_targets"]),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, in_a_sentence(result), result["retraining"]])

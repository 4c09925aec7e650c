"""``evaluation_report.md``: one page with the verdict, the gates and the headline numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trajtune.bundle.manifest import HTML_REPORT, METRICS, REPORT
from trajtune.finalizing.report.predictors import THIS_MODEL, baselines_in_words, next_role_rows
from trajtune.finalizing.report.verdict import (
    GATE_COLUMNS,
    closing,
    freshness,
    gate_rows,
    measured_on,
    verdict,
    warnings,
)
from trajtune.page.units import metric

_HEADLINE: Final = {"top1": "top 1", "top5": "top 5", "nll": "NLL"}


def generate_report(metrics: Mapping[str, Any], folder: Path) -> Path:
    """Write ``evaluation_report.md``: verdict, gates and headline numbers on one page.

    Args:
        metrics: The content of ``metrics.json``, ``gates`` included.
        folder: Directory of the file.

    Returns:
        The file.
    """
    path = folder / REPORT
    path.write_text(report_text(metrics), encoding="utf-8")
    return path


def report_text(m: Mapping[str, Any]) -> str:
    """The page's text."""
    decision, reason = verdict(m)
    headline = [
        [f"**{name}**" if name == THIS_MODEL else name, *(metric(key, row[key]).text for key in _HEADLINE)]
        for name, row in next_role_rows(m).items()
    ]
    gates = [
        [name, "pass" if result == "pass" else f"**{result}**", value.text, limit.text, people, rule]
        for name, result, value, limit, people, rule in gate_rows(m)
    ]
    parts = [
        f"# Evaluation of {m['run']}",
        f"**{decision}** {reason}",
        *(f"> {warning}" for warning in warnings(m)),
        "## Gates",
        table(GATE_COLUMNS, gates),
        "## Next role",
        table(["", *_HEADLINE.values()], headline),
        *([sentences] if (sentences := freshness(m)) else []),
        baselines_in_words(m),
        "## What was measured",
        measured_on(m),
        f"Everything else is in `{HTML_REPORT}`, which opens offline, and in `{METRICS}`.",
        "## Verdict",
        "**{}** {}".format(*closing(m)),
    ]
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every row has as many cells as the header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

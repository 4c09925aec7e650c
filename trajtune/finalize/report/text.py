"""The evaluation report in Markdown: the verdict first, in words that need no statistics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trajtune.finalize.bundle_directory import REPORT
from trajtune.finalize.evaluate.gates import failed
from trajtune.finalize.report import text_checks as report_checks
from trajtune.finalize.report import text_results as report_results
from trajtune.finalize.report.markdown import listed, number, percent, table, words


def generate_report(metrics: Mapping[str, Any], folder: Path) -> Path:
    """Write ``evaluation_report.md``.

    Args:
        metrics: What ``metrics.json`` holds, ``gates`` included.
        folder: Where it goes.

    Returns:
        The file.
    """
    path = folder / REPORT
    path.write_text(report_text(metrics), encoding="utf-8")
    return path


def report_text(metrics: Mapping[str, Any]) -> str:
    """The whole of the report; how the model was chosen is left out where there was no choice."""
    sections = (
        _verdict,
        _gates,
        report_results.next_role,
        report_results.gains,
        report_results.changers,
        report_checks.confidence,
        report_checks.tenure,
        report_checks.hireability,
        report_results.segments,
        *([report_checks.selection] if "selection" in metrics else []),
        report_checks.export,
    )
    return "\n\n".join(section(metrics) for section in sections) + "\n"


def verdict(metrics: Mapping[str, Any]) -> str:
    """Ship or not, and why, in two or three sentences."""
    not_passed = failed(metrics["gates"])
    test = metrics["test"]
    best_name, best = max(metrics["baselines"].items(), key=lambda item: item[1]["top1"])
    compared = (
        f"It names the next role of {percent(test['next_role_top1'])} of {test['num_examples']:,} people "
        f"it never saw; the best one-line rule ({words(best_name)}) of {percent(best['top1'])}."
        f"{_doubt(metrics['gains'][best_name]['top1'], test['num_examples'])}"
    )
    if "beats_baselines" in not_passed:
        return f"**Do not ship: the model does not beat a one-line rule.** {compared}"
    if not_passed:
        return f"**Do not ship yet: {listed([words(name) for name in not_passed])} failed.** {compared}"
    return f"**Ship.** {compared} Every gate passed."


def _doubt(gain: Mapping[str, float] | None, people: int) -> str:
    """What to add where the difference from the best rule may be chance."""
    if gain is None or not gain["low"] <= 0 <= gain["high"]:
        return ""
    said = (
        f" {people:,} people are too few to tell the two apart: the difference is between "
        f"{100 * gain['low']:+.1f} and {100 * gain['high']:+.1f} points (95 %)."
    )
    if not gain["gain"]:
        return said
    # The interval narrows with the root of the number of people, and must not reach from the gain to 0.
    needed = people * ((gain["high"] - gain["low"]) / 2 / abs(gain["gain"])) ** 2
    return f"{said} If it is what it seems, about {float(f'{needed:.2g}'):,.0f} would tell."


def _verdict(m: Mapping[str, Any]) -> str:
    warning = (
        "\n\n> **The careers are SIMULATED.** These numbers say that the system works, not how good it is "
        "on people."
        if m["source"] == "simulated"
        else ""
    )
    opened = m["test_openings"]
    again = f"{opened} times; each time it proves less"
    looks = "for the first time" if opened == 1 else again
    return (
        f"# Evaluation of {m['run']}\n\n{verdict(m)}{warning}\n\n"
        f"Source: {m['source']}, snapshot `{m['snapshot'][:12]}`, as of {m['as_of']}. Trained on careers "
        f"before {m['cutoffs']['train']}, chosen and calibrated on those before {m['cutoffs']['val']}, "
        f"measured on the later ones. This test split has been opened {looks}."
    )


def _gates(m: Mapping[str, Any]) -> str:
    rows = [
        [
            words(name),
            "pass" if gate["passed"] else "**fail**",
            number(gate["value"]),
            number(gate["limit"]),
            gate["rule"],
        ]
        for name, gate in m["gates"].items()
    ]
    return "## Gates\n\n" + table(["Gate", "Result", "Value", "Limit", "Rule"], rows)

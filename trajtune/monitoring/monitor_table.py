"""The text that `trajtune monitor` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from trajtune.finalizing.report.verdict import measured_gate
from trajtune.page.format import NOT_KNOWN, number, words


def monitor_lines(result: Mapping[str, Any]) -> list[str]:
    """Return the lines for a result of `monitor.monitor`; a single line if nothing newer is known."""
    if not result["people"]:
        return [result["verdict"]]
    lines = _table(
        [
            ("", f"since {result['since']}", "95 %", "on test"),
            *((words(name), *_figure(row)) for name, row in result["figures"].items()),
        ]
    )
    lines += (
        [f"Drift is not known: {result['drift_reason']}."]
        if result["drift"] is None
        else _drift(result["drift"])
    )
    lines += _table(
        [
            ("gate", "now", "on test", "value", "people"),
            *(
                (
                    words(name),
                    gate["result"],
                    gate["on_test"],
                    measured_gate(name, gate),
                    f"{gate['people']:,}{_needed(gate)}",
                )
                for name, gate in result["gates"].items()
            ),
        ]
    )
    if reason := result.get("gates_reason"):
        lines.append(f"{reason[0].upper()}{reason[1:]}.")
    return [*lines, result["verdict"]]


def _drift(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"drift of {name}: PSI {row['psi']:.3f}, by chance {row['by_chance']:.3f}"
        + (": a major shift" if row["major"] else "")
        for name, row in found.items()
    ]


def _figure(row: Mapping[str, Any]) -> tuple[str, str, str]:
    between = row["interval"]
    shown = NOT_KNOWN if between is None else " to ".join(number(end, 3) for end in between)
    return number(row["value"]), shown, number(row["on_test"])


def _needed(gate: Mapping[str, Any]) -> str:
    needed = gate["people_needed"]
    return f" of {needed:,}" if gate["result"] == "too few people" and needed else ""


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows with left-aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]

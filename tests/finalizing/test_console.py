"""What finalize shows on a terminal and elsewhere."""

import copy
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from trajtune.bundle.manifest import METRICS
from trajtune.finalizing.console import gate_lines, print_verdict, training_bar
from trajtune.finalizing.report.verdict import closing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def metrics(finalized: Path) -> dict[str, Any]:
    content = json.loads((finalized / METRICS).read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def on_terminal(metrics: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    print_verdict(metrics, None)
    return terminal.getvalue()


def test_a_terminal_shows_the_verdict_as_a_panel_with_every_gate(
    metrics: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = on_terminal(metrics, monkeypatch)
    assert "╭" in text
    for line in closing(metrics):
        assert line in text
    for name in metrics["gates"]:
        assert name.replace("_", " ") in text


def test_a_line_of_a_gate_has_its_result_and_its_value_and_limit_with_their_unit() -> None:
    gates = {
        "calibration": {"result": "failed", "value": 0.25, "limit": 0.05},
        "tenure_coverage": {"result": "too few people", "value": 0.0, "limit": 0.05},
        "latency": {"result": "passed", "value": 1.0, "limit": 50},
    }
    assert gate_lines(gates) == [
        "gate calibration      FAILED           25.0 % (at most 5.0 %)",
        "gate tenure coverage  too few people   0.0 points (at most 5.0 points)",
        "gate latency          passed           1.00 ms (at most 50.00 ms)",
    ]


def test_a_failed_gate_is_red(metrics: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    changed = copy.deepcopy(metrics)
    for gate in changed["gates"].values():
        gate.update(result="passed", passed=True)
    assert "\x1b[31m" not in on_terminal(changed, monkeypatch)
    changed["gates"]["latency"].update(result="failed", passed=False)
    assert "\x1b[31mfailed" in on_terminal(changed, monkeypatch)


def test_without_a_terminal_each_gate_is_a_plain_line(
    metrics: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    print_verdict(metrics, None)
    assert file.getvalue().splitlines() == [*gate_lines(metrics["gates"]), *closing(metrics)]


def test_a_caller_receives_the_same_lines(metrics: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    lines: list[str] = []
    print_verdict(metrics, lines.append)
    assert lines == [*gate_lines(metrics["gates"]), *closing(metrics)]
    assert terminal.getvalue() == ""


def test_the_bar_counts_trainings_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    with training_bar("training", 1, 3) as count_one:
        count_one()
    assert "2/3" in terminal.getvalue()
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    with training_bar("training", 1, 3) as count_one:
        count_one()
    assert file.getvalue() == ""

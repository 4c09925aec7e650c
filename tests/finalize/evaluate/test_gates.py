import json
from pathlib import Path
from typing import Any

import pytest

from trajtune.finalize.evaluate.gates import failed, gate_lines, gates


def test_every_gate_has_value_limit_and_result(metrics: dict, finalized: Path) -> None:
    names = {"calibration", "tenure_coverage", "latency", "one_step_lag", "beats_baselines", "parity"}
    assert set(metrics["gates"]) == names
    for gate in metrics["gates"].values():
        assert {"value", "limit", "passed"} <= set(gate)
    manifest = json.loads((finalized / "manifest.json").read_text())
    assert manifest["gates"] == {name: gate["passed"] for name, gate in metrics["gates"].items()}
    assert metrics["gates"]["latency"]["passed"]
    assert metrics["gates"]["parity"]["passed"]


_GAINS: dict[str, Any] = {
    "nll": {"gain": 0.1, "low": 0.01, "high": 0.2},
    "top1": {"gain": 0.0, "low": -0.02, "high": 0.02},
}


def _gates(*, nominal_coverage: float = 0.8, gains: Any = None, **test: float | None) -> dict[str, Any]:
    """The gates of a model that passes all of them but for what is given."""
    values = {"ece": 0.02, "tenure_coverage": 0.8, "next_role_top1": 0.5, "next_role_nll": 2.0}
    metrics = {
        "test": {**values, **test},
        "career_changers": {"same_title_rate": 0.1, "lag_limit": 0.5, "one_step_lag_detected": False},
        "export": {
            "parity_max_abs_error": 1e-6,
            "parity_tolerance": "1e-05 + 0.0001 relative",
            "parity_passed": True,
        },
        "baselines": {"majority": {"top1": 0.1, "nll": None}, "markov": {"top1": 0.4, "nll": 2.5}},
        "gains": {name: {**_GAINS, **(gains or {})} for name in ("majority", "markov")},
        "latency": {"p95_ms": 1.0, "node": None},
    }
    return gates(metrics, nominal_coverage=nominal_coverage)


def test_a_good_model_passes_every_gate() -> None:
    assert failed(_gates()) == []


@pytest.mark.parametrize(
    ("test", "gate"),
    [
        ({"ece": 0.05}, "calibration"),
        ({"ece": None}, "calibration"),
        ({"tenure_coverage": 0.86}, "tenure_coverage"),
        ({"tenure_coverage": 0.74}, "tenure_coverage"),
        ({"tenure_coverage": None}, "tenure_coverage"),
        ({"gains": {"nll": {"gain": 0.1, "low": 0.0, "high": 0.2}}}, "beats_baselines"),
        ({"gains": {"nll": None}}, "beats_baselines"),
        ({"gains": {"top1": {"gain": -0.02, "low": -0.03, "high": -0.01}}}, "beats_baselines"),
        ({"gains": {"top1": None}}, "beats_baselines"),
    ],
)
def test_a_value_at_its_limit_or_unknown_fails_its_gate_alone(test: dict[str, Any], gate: str) -> None:
    assert failed(_gates(**test)) == [gate]


def test_the_console_shows_value_and_limit() -> None:
    lines = gate_lines(_gates(ece=0.25))
    assert lines[0] == "gate calibration      FAILED   0.25 (limit 0.05)"
    assert lines[2] == "gate latency          passed   1 (limit 50)"

"""The gates: the limits that a model must keep before it should be shipped."""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.page.format import number, words

ECE_LIMIT: Final = 0.05
COVERAGE_LIMIT: Final = 0.05
LATENCY_LIMIT_MS: Final = 50.0


def gates(metrics: Mapping[str, Any], *, nominal_coverage: float) -> dict[str, dict[str, Any]]:
    """Decide every gate from a bundle's metrics.

    Args:
        metrics: What ``metrics.json`` holds, all but ``gates``.
        nominal_coverage: Nominal coverage of the tenure interval, in 0..1.

    Returns:
        By gate: ``value``, ``limit``, ``passed`` and its meaning in words (``rule``). A value that
        could not be computed is None and does not pass.
    """
    test, changers, export = metrics["test"], metrics["career_changers"], metrics["export"]
    coverage = test["tenure_coverage"]
    off = None if coverage is None else abs(coverage - nominal_coverage)
    best = max(baseline["top1"] for baseline in metrics["baselines"].values())
    nll = _lowest(baseline["nll"] for baseline in metrics["baselines"].values())
    beats_nll = nll is not None and test["next_role_nll"] is not None and test["next_role_nll"] < nll
    lag = changers["one_step_lag_detected"]
    return {
        "calibration": _below(
            test["ece"],
            ECE_LIMIT,
            "expected calibration error on test, in 10 bins of equal width, is below the limit",
        ),
        "tenure_coverage": _gate(
            off,
            COVERAGE_LIMIT,
            off is not None and off <= COVERAGE_LIMIT,
            "coverage of the tenure interval on ended roles of test is within the limit of nominal",
        ),
        "latency": _below(
            max(
                measured["p95_ms"]
                for measured in (metrics["latency"], metrics["latency"]["node"])
                if measured
            ),
            LATENCY_LIMIT_MS,
            "p95 milliseconds of one career are below the limit, in Python and, where it was measured, Node",
        ),
        "one_step_lag": _gate(
            changers["same_title_rate"],
            changers["lag_limit"],
            lag is False,
            "the model does not merely repeat the current title of career changers",
        ),
        "beats_baselines": _gate(
            test["next_role_top1"],
            best,
            test["next_role_top1"] > best and beats_nll,
            "top-1 accuracy on test is above that of every baseline, and the NLL below",
        ),
        "parity": _gate(
            export["parity_max_abs_error"],
            export["parity_tolerance"],
            bool(export["parity_passed"]),
            "the exported graph gives what torch gives, in any batch and with any padding",
        ),
    }


def failed(decided: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the gates that did not pass."""
    return [name for name, gate in decided.items() if not gate["passed"]]


def gate_lines(decided: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each gate on the console, with value and limit."""
    return [
        f"gate {words(name):<16} {'passed' if gate['passed'] else 'FAILED'}   "
        f"{number(gate['value'])} (limit {number(gate['limit'])})"
        for name, gate in decided.items()
    ]


def _below(value: float | None, limit: float, rule: str) -> dict[str, Any]:
    return _gate(value, limit, value is not None and value < limit, rule)


def _gate(value: float | None, limit: float, passed: bool, rule: str) -> dict[str, Any]:
    return {"value": value, "limit": limit, "passed": passed, "rule": rule}


def _lowest(values: Any) -> float | None:
    return min((value for value in values if value is not None), default=None)

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
    gains = [metrics["gains"][name] for name in metrics["baselines"]]
    nll_gain = min((gain["nll"]["low"] for gain in gains if gain["nll"]), default=None)
    top1_is_worse = any(gain["top1"] is None or gain["top1"]["high"] < 0 for gain in gains)
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
            nll_gain,
            0.0,
            nll_gain is not None and nll_gain > 0 and not top1_is_worse,
            "the NLL on test is below every baseline's by more than chance: on the same people, the low end "
            "of the 95 % interval of the gain is above 0; and top-1 is not significantly below any of theirs",
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

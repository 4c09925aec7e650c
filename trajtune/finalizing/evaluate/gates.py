"""The gates: limits that a model must meet before it is shipped.

A gate passes, fails, or has too few people for a decision; see `GateSettings`.
"""

from collections.abc import Mapping
from typing import Any, Final

from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.evaluate import decide
from trajtune.finalizing.evaluate.decide import FAILED, TOO_FEW
from trajtune.page.format import listed

RULES: Final = {
    "calibration": "calibration error of the confidence, corrected for chance, is below the limit",
    "tenure_coverage": "coverage of the tenure interval differs from nominal by at most the limit",
    "tenure_score": "no baseline's tenure interval is better (smallest gain in interval score)",
    "hireability": "no baseline ranks hireability better (smallest gain in AUC)",
    "one_step_lag": "staying is not predicted too often, and no baseline predicts better where movers go",
    "beats_baselines": "NLL is below every baseline and the research default (low end of the smallest gain)",
    "latency": "95th percentile of milliseconds per career, in Python and Node",
    "parity": "the exported graph computes the same as torch",
}
"""The rule of each gate, in the order of reports."""


def gates(metrics: Mapping[str, Any], settings: FinalizeSettings) -> dict[str, dict[str, Any]]:
    """Decide every gate from a bundle's metrics.

    Args:
        metrics: Content of ``metrics.json`` without ``gates``.
        settings: The limits, and the nominal coverage of the tenure interval.

    Returns:
        By gate: ``result`` (passed, failed or too few people), ``passed``, ``value``, ``limit`` and ``rule``
        (its meaning in words). A gate that is measured on people also has ``finding`` (what decided, or
        None), ``people`` (their number) and ``people_needed`` (the number that would decide it with a
        probability of 80 %; None if unknown).
    """
    limits, test, export = settings.gates, metrics["test"], metrics["export"]
    outcomes, times = metrics["outcome_gains"], (metrics["latency"], metrics["latency"]["node"])
    slowest = max(measured["p95_ms"] for measured in times if measured)
    decided = {
        "calibration": decide.calibration(test, limits.calibration_error, RULES["calibration"]),
        "tenure_coverage": decide.coverage(
            test["tenure_coverage"],
            test["num_tenures"],
            nominal=settings.tenure_coverage,
            limit=limits.tenure_coverage,
            rule=RULES["tenure_coverage"],
        ),
        "tenure_score": decide.not_worse(
            outcomes["tenure_score"], test["num_tenures"], limits.tenure_score, RULES["tenure_score"]
        ),
        "hireability": decide.not_worse(
            outcomes["hireability_auc"],
            test["num_hireabilities"],
            limits.hireability_auc,
            RULES["hireability"],
        ),
        "one_step_lag": decide.lag(metrics["career_changers"], limits, RULES["one_step_lag"]),
        "beats_baselines": decide.beats(
            _compared(metrics),
            test["num_examples"],
            limits.nll_gain,
            RULES["beats_baselines"],
            own=decide.RESEARCH_DEFAULT if winner_is_default(metrics) else None,
        ),
        "latency": decide.machine(
            slowest, limits.latency_ms, RULES["latency"], passed=slowest < limits.latency_ms
        ),
        "parity": decide.machine(
            export["parity_max_abs_error"],
            export["parity_tolerance"],
            RULES["parity"],
            passed=bool(export["parity_passed"]),
        ),
    }
    return {name: decided[name] for name in RULES}


def winner_is_default(metrics: Mapping[str, Any]) -> bool:
    """Return whether the research default is the winning configuration."""
    return "winner" in metrics and metrics["params"] == metrics["research_default_params"]


def failed(decided: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the gates that failed."""
    return [name for name, gate in decided.items() if gate["result"] == FAILED]


def undecided(decided: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the gates with too few people."""
    return [name for name, gate in decided.items() if gate["result"] == TOO_FEW]


def not_passed(decided: Mapping[str, Mapping[str, Any]]) -> str:
    """Return which gates did not pass and why, in words; empty if all passed.

    Examples:
        >>> not_passed({"a": {"result": "failed"}, "b": {"result": "too few people"}})
        'a failed and b has too few people'
    """
    parts = []
    if names := failed(decided):
        parts.append(f"{listed(names)} failed")
    if names := undecided(decided):
        parts.append(f"{listed(names)} {'has' if len(names) == 1 else 'have'} too few people")
    return " and ".join(parts)


def _compared(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gains over the baselines and, if it was measured, the research default."""
    trained = [decide.RESEARCH_DEFAULT] if metrics["research_default"] else []
    return {name: metrics["gains"][name] for name in (*metrics["baselines"], *trained)}

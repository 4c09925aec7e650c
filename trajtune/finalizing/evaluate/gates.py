"""The gates: limits that a model must meet before it is shipped.

A gate passes, fails, or has too few people for a decision; see `GateSettings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trajtune.experiment.gate_settings import GateSettings
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.evaluate import decide
from trajtune.finalizing.evaluate.decide import FAILED, TOO_FEW
from trajtune.page.format import listed

RULES: Final = {
    "calibration": "calibration error of the confidence, corrected for chance, is below the limit",
    "set_coverage": "share of the title sets with the true title differs from nominal by at most the limit",
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
        settings: The limits, and the nominal coverages of the tenure interval and of the title sets.

    Returns:
        By gate: ``result`` (passed, failed or too few people), ``passed``, ``value``, ``limit`` and ``rule``
        (its meaning in words). A gate that is measured on people also has ``finding`` (what decided, or
        None), ``people`` (their number) and ``people_needed`` (the number that would decide it with a
        probability of 80 %; None if unknown). A graph without title sets has no gate for them.
    """
    limits, test, export = settings.gates, metrics["test"], metrics["export"]
    times = metrics["latency"], metrics["latency"]["node"]
    slowest = max(measured["p95_ms"] for measured in times if measured)
    decided = {
        **gates_of_predictions(
            test,
            metrics["career_changers"],
            metrics["title_sets"],
            limits,
            Nominal(settings.tenure_coverage, settings.set_coverage),
        ),
        **gates_of_outcomes(test, metrics["outcome_gains"], limits),
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
    return {name: decided[name] for name in RULES if name in decided}


@dataclass(frozen=True)
class Nominal:
    """Nominal coverages of a bundle.

    Attributes:
        tenure: Nominal coverage of the tenure interval.
        sets: Nominal coverage of the title sets; None if the bundle is older than title sets.
    """

    tenure: float
    sets: float | None


def gates_of_predictions(
    test: Mapping[str, Any],
    changers: Mapping[str, Any],
    sets: Mapping[str, Any] | None,
    limits: GateSettings,
    nominal: Nominal,
) -> dict[str, dict[str, Any]]:
    """Decide the gates that need no baseline, except for one-step lag, which uses baselines if there are any.

    Args:
        test: Result of `evaluate_model`.
        changers: Result of `changers_and_lag`.
        sets: Result of `evaluate_sets`; None if the graph has no title sets, which then have no gate.
        limits: The limits.
        nominal: The nominal coverages.
    """
    decided = {
        "calibration": decide.calibration(test, limits.calibration_error, RULES["calibration"]),
        "tenure_coverage": decide.coverage(
            test["tenure_coverage"],
            test["num_tenures"],
            nominal=nominal.tenure,
            limit=limits.tenure_coverage,
            rule=RULES["tenure_coverage"],
            effective=test.get("num_tenures_effective"),
        ),
        "one_step_lag": decide.lag(changers, limits, RULES["one_step_lag"]),
    }
    if sets is not None and nominal.sets is not None:
        decided["set_coverage"] = decide.sets(
            sets, nominal=nominal.sets, limit=limits.set_coverage, rule=RULES["set_coverage"]
        )
    return decided


def gates_of_outcomes(
    test: Mapping[str, Any], outcome_gains: Mapping[str, Any], limits: GateSettings
) -> dict[str, dict[str, Any]]:
    """Decide the gates of tenure and hireability compared with the baselines.

    Args:
        test: Result of `evaluate_model`.
        outcome_gains: Result of `gains_in_outcomes`.
        limits: The limits.
    """
    return {
        "tenure_score": decide.not_worse(
            outcome_gains["tenure_score"], test["num_tenures"], limits.tenure_score, RULES["tenure_score"]
        ),
        "hireability": decide.not_worse(
            outcome_gains["hireability_auc"],
            test["num_hireabilities"],
            limits.hireability_auc,
            RULES["hireability"],
        ),
    }


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

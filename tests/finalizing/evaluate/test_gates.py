import copy
import json
from pathlib import Path
from typing import Any

import pytest

from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.evaluate.gates import RULES, failed, gates, not_passed, undecided

PARAMS = Params().model_dump(mode="json")
DEFAULT = RESEARCH_DEFAULT.model_dump(mode="json")


def test_every_gate_has_value_limit_and_result(metrics: dict, finalized: Path) -> None:
    assert list(metrics["gates"]) == list(RULES)
    for gate in metrics["gates"].values():
        assert {"value", "limit", "passed", "result", "rule"} <= set(gate)
        assert gate["passed"] == (gate["result"] == "passed")
    manifest = json.loads((finalized / "manifest.json").read_text())
    assert manifest["gates"] == {name: gate["passed"] for name, gate in metrics["gates"].items()}
    assert metrics["gates"]["latency"]["passed"]
    assert metrics["gates"]["parity"]["passed"]


def measured(gain: float, low: float, high: float) -> dict[str, float]:
    """Return a gain with p-values that agree with its interval."""
    return {
        "gain": gain,
        "low": low,
        "high": high,
        "p_better": 0.001 if low > 0 else 0.5,
        "p_worse": 0.001 if high < 0 else 0.5,
    }


BETTER, WORSE = measured(0.1, 0.08, 0.12), measured(-0.1, -0.12, -0.08)
UNCLEAR, EQUAL = measured(0.1, -0.1, 0.3), measured(0.001, -0.01, 0.012)
LOSS = measured(-0.1, -0.3, 0.1)


def _metrics() -> dict[str, Any]:
    """Return the metrics of a model that passes every gate."""
    names = ("majority", "markov")
    return {
        "params": PARAMS,
        "research_default_params": DEFAULT,
        "winner": {"name": "trial 3"},
        "test": {
            "num_examples": 2000,
            "ece": 0.02,
            "ece_debiased": 0.01,
            "ece_p_value": 0.2,
            "ece_power": 0.95,
            "ece_people_needed": 2000,
            "tenure_coverage": 0.8,
            "num_tenures": 1000,
            "num_tenures_effective": 1000.0,
            "num_hireabilities": 1000,
        },
        "title_sets": {"num": 2000, "coverage": 0.81, "mean_size": 6.2},
        "career_changers": {
            "one_step_lag_detected": False,
            "staying": {"num": 2000, "excess": 0.01, "low": -0.01, "high": 0.03},
            "movers": {"num": 1300},
            "movers_gains": dict.fromkeys(names, EQUAL),
        },
        "export": {
            "parity_max_abs_error": 1e-6,
            "parity_tolerance": "1e-05 + 0.0001 relative",
            "parity_passed": True,
        },
        "baselines": dict.fromkeys(names),
        "research_default": {"top1": 0.4},
        "gains": {name: {"nll": BETTER, "top1": EQUAL} for name in (*names, "research_default")},
        "outcome_gains": {
            "hireability_auc": dict.fromkeys(names, EQUAL),
            "tenure_score": dict.fromkeys(names, EQUAL),
        },
        "latency": {"p95_ms": 1.0, "node": None},
    }


def _gates(**changes: Any) -> dict[str, Any]:
    """Return the gates of these metrics with changes, each given as keys joined by two underscores."""
    metrics = copy.deepcopy(_metrics())
    for path, value in changes.items():
        *way, last = path.split("__")
        part = metrics
        for key in way:
            part = part[key]
        part[last] = value
    return gates(metrics, FinalizeSettings())


def test_a_good_model_passes_every_gate() -> None:
    assert not_passed(_gates()) == ""


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"test__ece_debiased": 0.05, "test__ece_p_value": 0.01}, "calibration"),
        ({"title_sets__coverage": 0.74}, "set_coverage"),
        ({"title_sets__coverage": 0.86}, "set_coverage"),
        ({"test__tenure_coverage": 0.87}, "tenure_coverage"),
        ({"test__tenure_coverage": 0.73}, "tenure_coverage"),
        ({"career_changers__one_step_lag_detected": True}, "one_step_lag"),
        ({"gains__markov": {"nll": WORSE, "top1": EQUAL}}, "beats_baselines"),
        ({"gains__markov": {"nll": EQUAL, "top1": EQUAL}}, "beats_baselines"),
        ({"gains__markov": {"nll": BETTER, "top1": WORSE}}, "beats_baselines"),
        ({"gains__research_default": {"nll": WORSE, "top1": EQUAL}}, "beats_baselines"),
        ({"outcome_gains__hireability_auc__majority": WORSE}, "hireability"),
        ({"outcome_gains__tenure_score__markov": WORSE}, "tenure_score"),
        ({"latency": {"p95_ms": 50.0, "node": None}}, "latency"),
        ({"latency": {"p95_ms": 1.0, "node": {"p95_ms": 51.0}}}, "latency"),
        ({"export__parity_passed": False}, "parity"),
    ],
)
def test_a_value_significantly_beyond_its_limit_fails_only_its_gate(
    changes: dict[str, Any], gate: str
) -> None:
    decided = _gates(**changes)
    assert (failed(decided), undecided(decided)) == ([gate], [])
    assert not_passed(decided) == f"{gate} failed"


@pytest.mark.parametrize(
    ("changes", "gate", "needed"),
    [
        ({"test__ece_debiased": 0.2, "test__ece_p_value": 0.06, "test__ece_power": 0.3}, "calibration", 2000),
        ({"test__ece_debiased": None}, "calibration", 2000),
        ({"title_sets__num": 100}, "set_coverage", 502),
        # 9 points off with 60 people, which happens by chance in one of ten tests
        ({"title_sets__num": 60, "title_sets__coverage": 0.71}, "set_coverage", 502),
        ({"test__num_tenures": 100, "test__num_tenures_effective": 100.0}, "tenure_coverage", 502),
        (
            {
                "test__num_tenures": 60,
                "test__num_tenures_effective": 60.0,
                "test__tenure_coverage": 0.71,
            },
            "tenure_coverage",
            502,
        ),
        # With unequal weights, 1,000 tenures have the noise of 60.
        (
            {"test__num_tenures_effective": 60.0, "test__tenure_coverage": 0.71},
            "tenure_coverage",
            502 * 1000 / 60,
        ),
        ({"test__tenure_coverage": None}, "tenure_coverage", None),
        (
            {"career_changers__staying": {"num": 200, "excess": 0.1, "low": -0.05, "high": 0.25}},
            "one_step_lag",
            3674,
        ),
        ({"career_changers__one_step_lag_detected": None}, "one_step_lag", None),
        ({"career_changers__movers_gains__markov": UNCLEAR}, "one_step_lag", 65327),
        ({"career_changers__movers_gains__markov": None}, "one_step_lag", None),
        ({"gains__markov": {"nll": UNCLEAR, "top1": EQUAL}}, "beats_baselines", 16332),
        ({"gains__markov": {"nll": LOSS, "top1": EQUAL}}, "beats_baselines", None),
        ({"gains__markov": {"nll": None, "top1": EQUAL}}, "beats_baselines", None),
        ({"outcome_gains__hireability_auc__markov": UNCLEAR}, "hireability", 32663),
        ({"outcome_gains__hireability_auc": {"markov": None}}, "hireability", None),
        ({"outcome_gains__tenure_score__markov": UNCLEAR}, "tenure_score", 8166),
    ],
)
def test_a_gate_with_too_few_people_is_undecided_and_does_not_pass(
    changes: dict[str, Any], gate: str, needed: int | None
) -> None:
    if changes.get("career_changers__one_step_lag_detected", 0) is None:
        nobody = dict.fromkeys(("excess", "low", "high"))
        changes = {**changes, "career_changers__staying": {"num": 0, **nobody}}
    decided = _gates(**changes)
    assert (failed(decided), undecided(decided)) == ([], [gate])
    assert decided[gate]["passed"] is False
    assert not_passed(decided) == f"{gate} has too few people"
    if needed is not None:
        assert decided[gate]["people_needed"] == pytest.approx(needed, rel=0.01)
    elif gate != "calibration":
        assert decided[gate]["people_needed"] is None


def test_sets_of_one_title_may_contain_the_true_title_too_often() -> None:
    """If the first guess is right for 93 % of the people, no set can be smaller."""
    often = {"num": 2000, "coverage": 0.93}
    assert failed(_gates(title_sets={**often, "mean_size": 1.0})) == []
    assert failed(_gates(title_sets={**often, "mean_size": 1.01})) == ["set_coverage"]
    assert failed(_gates(title_sets={**often, "coverage": 0.7, "mean_size": 1.0})) == ["set_coverage"]


def test_a_graph_without_title_sets_has_no_gate_for_them() -> None:
    decided = _gates(title_sets=None)
    assert [name for name in RULES if name not in decided] == ["set_coverage"]
    assert not_passed(decided) == ""


def test_the_research_default_need_not_beat_itself_but_may_not_be_worse() -> None:
    equal = {"nll": measured(0.0, 0.0, 0.0), "top1": measured(0.0, 0.0, 0.0)}
    assert failed(_gates(gains__research_default=equal)) == ["beats_baselines"]
    assert failed(_gates(gains__research_default=equal, params=DEFAULT)) == []
    worse = {"nll": WORSE, "top1": EQUAL}
    assert failed(_gates(gains__research_default=worse, params=DEFAULT)) == ["beats_baselines"]


def test_several_comparisons_are_corrected_together() -> None:
    """A p-value of 0.02 is significant alone (0.025 on each side), but not as one of three."""
    weak = {"nll": {**BETTER, "p_better": 0.02}, "top1": EQUAL}
    assert failed(_gates(gains__markov=weak)) == []
    all_weak = {f"gains__{name}": weak for name in ("majority", "markov", "research_default")}
    assert not_passed(_gates(**all_weak)) == "beats_baselines has too few people"


def test_the_finding_names_the_models_that_are_better() -> None:
    decided = _gates(gains__research_default={"nll": WORSE, "top1": EQUAL})
    assert decided["beats_baselines"]["finding"] == "significantly worse than research default"


def test_limits_are_settings() -> None:
    strict = FinalizeSettings.model_validate({"gates": {"latency_ms": 0.5}})
    assert failed(gates(_metrics(), strict)) == ["latency"]

"""A bundle measured on careers that are newer than it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.careers import changing_careers, loaded
from tests.support.newer import newer
from trajtune.bundle.manifest import MANIFEST
from trajtune.errors import BundleError, GateError
from trajtune.experiment.settings import DataSettings, Experiment
from trajtune.monitoring.monitor import Monitored, demand_gates_hold, monitor, open_monitored
from trajtune.monitoring.monitor_table import monitor_lines


@pytest.fixture(scope="module")
def monitored(finalized: Path) -> Monitored:
    return open_monitored(finalized, None)


@pytest.fixture(scope="module")
def as_before(monitored: Monitored) -> dict[str, Any]:
    """On new people whose careers are as those before them."""
    return monitor(monitored, newer(1500))


def moves_elsewhere(career: dict[str, Any]) -> None:
    """Everybody's last move is to one title, wherever they are."""
    career["titles"][-1] = "VP Site Constructor"


def test_people_like_those_before_are_predicted_as_well(as_before: dict[str, Any]) -> None:
    """The small model's tenures are worse than a baseline's, which test had too few people to see."""
    assert set(as_before["no_longer_hold"]) <= {"tenure_score"}
    assert as_before["gates"]["one_step_lag"]["result"] == "passed"
    assert as_before["people"] > 1000
    assert set(as_before["gates"]) == {
        *("calibration", "set_coverage", "tenure_coverage", "tenure_score", "hireability"),
        *("one_step_lag", "beats_baselines"),
    }
    for name in ("next_role_top1", "next_role_nll", "tenure_coverage"):
        row = as_before["figures"][name]
        low, high = row["interval"]
        assert low <= row["value"] <= high
        assert row["value"] == pytest.approx(row["on_test"], abs=max(0.15, 3 * (high - low)))
    json.dumps(as_before, allow_nan=False)


def test_people_who_move_otherwise_break_gates_that_held(monitored: Monitored) -> None:
    result = monitor(monitored, newer(1500, moves_elsewhere))
    assert "one_step_lag" in result["no_longer_hold"]
    assert "no longer hold" in result["verdict"]
    assert "calibration" in {name for name, gate in result["gates"].items() if gate["result"] == "failed"}
    with pytest.raises(GateError, match="one step lag") as caught:
        demand_gates_hold(result)
    assert "\n" not in str(caught.value)


def test_a_gate_that_failed_on_test_does_not_stop_holding(monitored: Monitored) -> None:
    metrics = json.loads(json.dumps(monitored.metrics))
    for gate in metrics["gates"].values():
        gate["result"] = "failed"
    known = Monitored(monitored.bundle, metrics, monitored.experiment, monitored.gates)
    result = monitor(known, newer(1500, moves_elsewhere))
    assert result["gates"]["calibration"]["result"] == "failed"
    assert result["no_longer_hold"] == []
    assert "fail as on test" in result["verdict"]
    demand_gates_hold(result)


def test_a_bundle_that_had_no_gate_for_its_title_sets_is_measured_without_it(monitored: Monitored) -> None:
    metrics = json.loads(json.dumps(monitored.metrics))
    del metrics["gates"]["set_coverage"]
    known = Monitored(monitored.bundle, metrics, monitored.experiment, monitored.gates)
    assert "set_coverage" not in monitor(known, newer(40))["gates"]


def test_few_people_decide_nothing_and_the_output_says_so(monitored: Monitored) -> None:
    result = monitor(monitored, newer(12, moves_elsewhere))
    assert "gates have too few people" in result["verdict"]
    # That none of twelve sets contains the true title is more than chance.
    assert set(result["no_longer_hold"]) <= {"set_coverage"}


def test_nothing_newer_is_one_line(monitored: Monitored) -> None:
    result = monitor(monitored, loaded(changing_careers(1600)))
    assert result["people"] == 0
    (line,) = monitor_lines(result)
    assert line.startswith("Nothing newer is known: no role began after 2026-01-01")


def test_a_fixed_day_of_the_experiment_is_named(monitored: Monitored) -> None:
    fixed = Experiment(data=DataSettings(as_of=monitored.since))
    known = Monitored(monitored.bundle, monitored.metrics, fixed, monitored.gates)
    assert "give one that is newer, or says auto" in monitor(known, loaded(changing_careers(1600)))["verdict"]


def test_a_source_without_the_careers_of_training_is_not_compared_with_baselines(
    monitored: Monitored,
) -> None:
    whole = newer(1500)
    of_new = [who.startswith("new-") for who in whole.careers["candidate_id"].to_pylist()]
    result = monitor(monitored, type(whole)(**{**vars(whole), "careers": whole.careers.filter(of_new)}))
    assert set(result["gates"]) == {"calibration", "set_coverage", "tenure_coverage", "one_step_lag"}
    assert "no comparison with baselines" in result["gates_reason"]
    assert any("o comparison with baselines" in line for line in monitor_lines(result))


def test_the_lines_say_each_figure_and_gate(as_before: dict[str, Any]) -> None:
    lines = monitor_lines(as_before)
    assert lines[-1] == as_before["verdict"]
    for name in ("next role top1", "tenure coverage", "drift of titles", "calibration", "beats baselines"):
        assert any(line.startswith(name) for line in lines), name


def test_a_bundle_keeps_the_experiment_and_what_drift_is_compared_with(monitored: Monitored) -> None:
    assert monitored.experiment.finalize.seeds == 1
    assert sum(monitored.metrics["reference"]["titles"]) == monitored.metrics["test"]["num_examples"]
    assert sum(monitored.metrics["reference"]["lengths"]) == monitored.metrics["test"]["num_examples"]


def test_a_bundle_without_an_experiment_asks_for_one(finalized: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(finalized, tmp_path / "bundle"))
    manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    del manifest["experiment"]
    (bundle / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(BundleError, match="keeps no experiment"):
        open_monitored(bundle, None)
    assert open_monitored(bundle, Experiment()).gates == Experiment().finalize.gates


def test_a_bundle_that_kept_no_counts_says_that_drift_is_not_known(monitored: Monitored) -> None:
    metrics = {name: value for name, value in monitored.metrics.items() if name != "reference"}
    known = Monitored(monitored.bundle, metrics, monitored.experiment, monitored.gates)
    result = monitor(known, newer(40))
    assert result["drift"] is None
    assert any(line.startswith("Drift is not known") for line in monitor_lines(result))

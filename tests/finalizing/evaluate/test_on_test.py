from pathlib import Path

import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import openings
from trajtune.finalizing.evaluate.on_test import _undefined_by_move


def test_metrics_contain_what_the_specification_requires(metrics: dict) -> None:
    assert {"source", "snapshot", "params", "research_default_params", "gates"} <= set(metrics)
    assert {
        "num_examples",
        "num_unseen_targets",
        "next_role_top1",
        "next_role_top5",
        "next_role_mrr",
        "next_role_nll",
        "tenure_mae_months",
        "hireability_auc",
        "ece_raw",
        "ece",
        "brier_raw",
        "brier",
    } <= set(metrics["test"])
    assert {"num", "top1", "top5", "same_title_rate", "one_step_lag_detected"} <= set(
        metrics["career_changers"]
    )
    assert {"staying", "movers", "movers_gains", "everybody"} <= set(metrics["career_changers"])
    assert metrics["career_changers"]["staying"]["num"] <= metrics["test"]["num_examples"]
    assert set(metrics["career_changers"]["movers_gains"]) == set(metrics["baselines"])
    for gains in metrics["outcome_gains"].values():
        assert set(gains) == set(metrics["baselines"])
    own, majority = metrics["test"]["hireability_auc"], metrics["baselines"]["majority"]["hireability_auc"]
    auc_gain = metrics["outcome_gains"]["hireability_auc"]["majority"]["gain"]
    assert auc_gain == pytest.approx(own - majority)
    assert set(metrics["baselines"]) == {"majority", "current_title", "markov", "ngram"}
    assert set(metrics["ngram"]) == {"order", "moves", "half_life_years", "discount", "copy_share"}
    for baseline in metrics["baselines"].values():
        assert {"top1", "top5", "nll"} <= set(baseline)
    assert {"opset", "parity_max_abs_error", "num_nodes"} <= set(metrics["export"])
    assert metrics["career_changers"]["num"] > 10
    assert metrics["career_changers"]["one_step_lag_detected"] is False


def test_every_null_has_a_reason_beside_it(metrics: dict) -> None:
    assert metrics["bayes_limit"] is None
    assert metrics["bayes_limit_reason"]
    for name, value in metrics["test"].items():
        if value is None:
            assert metrics["test"][f"{name}_reason"]


def test_each_gain_lies_in_its_interval(metrics: dict) -> None:
    for found in metrics["gains"].values():
        for gain in found.values():
            assert gain["low"] <= gain["gain"] <= gain["high"]
    ours, majority = metrics["test"], metrics["baselines"]["majority"]
    assert metrics["gains"]["majority"]["top1"]["gain"] == pytest.approx(
        ours["next_role_top1"] - majority["top1"]
    )
    assert metrics["gains"]["majority"]["nll"]["gain"] == pytest.approx(
        majority["nll"] - ours["next_role_nll"]
    )


def test_every_number_has_baselines_beside_it(metrics: dict) -> None:
    everybody = metrics["test"]["num_examples"]
    for name, baseline in _compared(metrics).items():
        low, high = baseline["top1_interval"]
        assert low <= baseline["top1"] <= high
        assert baseline["num_tenures"] == metrics["test"]["num_tenures"]
        assert baseline["tenure_mae_months"] > 0
        assert 0 <= baseline["hireability_auc"] <= 1
        assert 0 <= baseline["ece"] <= 1
        changers = baseline["career_changers"]
        assert changers["num"] == metrics["career_changers"]["num"]
        assert changers["everybody"]["num"] == everybody
        for rows in metrics["segments"].values():
            top1 = sum(row["num"] * row["others"][name]["top1"] for row in rows) / everybody
            assert top1 == pytest.approx(baseline["top1"])
    assert metrics["baselines"]["current_title"]["career_changers"]["same_title_rate"] == 1


def test_the_winner_as_selected_is_compared_with_the_refit_on_titles_that_both_know(
    metrics: dict,
) -> None:
    selected, gain = metrics["as_selected"], metrics["gains"]["as_selected"]
    known = selected["both_know"]
    assert 0 < known["num"] <= metrics["test"]["num_examples"] - metrics["test"]["num_unseen_targets"]
    assert gain["nll"]["gain"] == pytest.approx(known["as_selected_nll"] - known["nll"])
    assert gain["top1"]["gain"] == pytest.approx(metrics["test"]["next_role_top1"] - selected["top1"])
    assert selected["career_changers"]["num"] == metrics["career_changers"]["num"]


def test_the_calibration_error_of_the_hireability_is_measured(metrics: dict) -> None:
    bins, test = metrics["reliability"]["hireability"], metrics["test"]
    assert sum(row["num"] for row in bins) == test["num_hireabilities"]
    gaps = sum(row["num"] * abs(row["confidence"] - row["accuracy"]) for row in bins)
    assert test["hireability_ece"] == pytest.approx(gaps / test["num_hireabilities"])


def test_test_was_opened_once_and_the_ledger_records_it(finalized: Path, changing_snapshot: Snapshot) -> None:
    first = openings(changing_snapshot)[0]
    assert (first["run"], first["purpose"]) == ("searched", "finalize")


@pytest.mark.parametrize(
    ("by", "label", "undefined"),
    [
        ("career", None, []),
        ("transition", None, []),
        ("move", None, ["tenure_coverage", "num_hireabilities", "hireability_auc"]),
        ("move", "hireable", ["tenure_coverage"]),  # labels are for last roles, like the limit
    ],
)
def test_by_move_the_limit_has_no_metrics_of_outcomes(
    by: str, label: str | None, undefined: list[str]
) -> None:
    manifest = {"settings": {"split": {"by": by}, "data": {"hireable_key": label}}}
    known = {"top1": 0.5, "tenure_coverage": 0.8, "num_hireabilities": 9, "hireability_auc": 0.7}
    assert list(_undefined_by_move(manifest, known)) == undefined


def _compared(metrics: dict) -> dict:
    references = {name: metrics[name] for name in ("as_selected", "research_default")}
    return {**metrics["baselines"], **references}

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from tests.support.predictions import predictions
from trajtune.model.metrics import (
    NEXT_ROLE,
    area_under_roc,
    brier_score,
    calibration_metrics,
    equal_mass_calibration_error,
    expected_calibration_error,
    hireability_metrics,
    next_role,
    next_role_metrics,
    next_role_scores,
    outcome_metrics,
    reliability,
    tenure_metrics,
    val_metrics,
)
from trajtune.model.predictions import Predictions, SplitPredictions

NAN = np.nan


@pytest.fixture
def four() -> Predictions:
    """Four examples whose targets have the ranks 1, 3, 6, and one target outside the vocabulary."""
    return predictions(
        rank=[1, 3, 6, 0],
        nll=[0.5, 1.5, 4.0, NAN],
        target=[3, 5, 9, 0],
        top_ids=np.ones((4, 5)),
        confidence=[0.9, 0.5, 0.5, 0.1],
        tenure=[[10, 20], [10, 20], [10, 20], [10, 20]],
        hireability=[0.8, 0.3, 0.5, 0.6],
        tenure_months=[12, 30, NAN, NAN],
        tenure_at_least=[12, 30, 15, 25],
        hireable=[1, 0, NAN, 1],
    )


def test_an_unseen_target_is_a_miss_and_has_no_log_loss(four: Predictions) -> None:
    assert next_role_metrics(four) == {
        "num_examples": 4,
        "num_unseen_targets": 1,
        "next_role_top1": 1 / 4,
        "next_role_top5": 2 / 4,
        "next_role_mrr": pytest.approx((1 + 1 / 3 + 1 / 6) / 4),
        "next_role_nll": 2.0,
    }


def test_short_names_and_long_names_have_the_same_values(four: Predictions) -> None:
    long = next_role_metrics(four)
    assert next_role(four) == {name: long[f"next_role_{name}"] for name in NEXT_ROLE}


def test_metrics_of_a_subset_use_only_its_examples(four: Predictions) -> None:
    assert next_role(four.take(np.array([True, False, False, True]))) == {
        "top1": 0.5,
        "top5": 0.5,
        "mrr": 0.5,
        "nll": 0.5,
    }
    assert tenure_metrics(four.take(np.array([1, 0])))["tenure_mae_months"] == (15 + 3) / 2


def test_roles_still_held_affect_only_the_coverage_estimates(four: Predictions) -> None:
    assert tenure_metrics(four) == {
        "num_tenures": 2,
        "num_tenures_effective": pytest.approx(1.6),  # weights of 1 and 3
        "num_tenures_still_held": 2,
        "tenure_mae_months": (3 + 15) / 2,
        "tenure_coverage": pytest.approx(1 / 4),  # the role of 30 months also represents both held roles
        "tenure_coverage_ended": 1 / 2,
        "tenure_interval_score": pytest.approx((10 + 3 * (10 + 10 * 10)) / 4),
        "tenure_coverage_lowest": 1 / 4,
        "tenure_coverage_highest": 2 / 4,  # 15 months so far may end inside; 25 months cannot
        "tenure_width_months": 10.0,
    }


def test_weighted_tenures_outside_the_interval_make_the_coverage_noisier() -> None:
    """Kish's number depends only on the weights; with the largest ones outside, there is more noise."""
    # Observation stops after 12 months for 24 of 32 longer roles, so the others have the weight 4.
    months = np.array([*[6.0] * 114, *[30.0] * 8, *[NAN] * 24], np.float32)
    at_least = np.array([*[6.0] * 114, *[30.0] * 8, *[12.0] * 24], np.float32)

    def effective(low: float, high: float) -> float:
        p = predictions([1] * 146, tenure=[[low, high]] * 146, tenure_months=months, tenure_at_least=at_least)
        found = tenure_metrics(p)["num_tenures_effective"]
        assert found is not None
        return found

    assert effective(0, 40) == pytest.approx((114 + 8 * 4) ** 2 / (114 + 8 * 4**2))
    share = 114 / 146
    variance = (114 * (1 - share) ** 2 + 8 * 4**2 * share**2) / 146**2
    assert effective(0, 10) == pytest.approx(share * (1 - share) / variance)
    assert effective(0, 10) < effective(0, 40) / 2


def test_hireability_is_measured_on_known_labels(four: Predictions) -> None:
    assert hireability_metrics(four) == {
        "num_hireabilities": 3,
        "hireability_base_rate": pytest.approx(2 / 3),
        "hireability_auc": 1.0,
        "hireability_brier": pytest.approx((0.04 + 0.09 + 0.16) / 3),
    }


def test_metrics_without_predictions_are_undefined(four: Predictions) -> None:
    bare = replace(four, tenure=np.full((4, 2), NAN, np.float32), hireability=np.full(4, NAN, np.float32))
    assert tenure_metrics(bare)["tenure_mae_months"] is None
    assert tenure_metrics(bare)["num_tenures"] == 0
    assert hireability_metrics(bare)["hireability_auc"] is None
    assert hireability_metrics(bare)["hireability_brier"] is None


def test_area_under_roc_matches_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(0)
    for digits in (1, 2, 8):
        score, outcome = random.random(500).round(digits), random.random(500) < 0.3
        assert area_under_roc(score, outcome) == pytest.approx(roc_auc_score(outcome, score), abs=1e-12)
    assert area_under_roc(np.array([0.1, 0.2]), np.array([True, True])) is None


def test_brier_score_matches_scikit_learn() -> None:
    random = np.random.default_rng(0)
    probability, outcome = random.random(200), random.random(200) < 0.5
    assert brier_score(probability, outcome) == pytest.approx(
        brier_score_loss(outcome, probability), abs=1e-12
    )


def test_calibration_error_is_the_mean_gap_of_ten_bins() -> None:
    confidence = np.array([0.0, 0.05, 0.1, 0.95, 0.92, 1.0])
    correct = np.array([False, True, False, True, False, True])
    expected = (abs(0.15 - 1) + abs(0.95 + 0.92 + 1.0 - 2)) / 6
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


def test_calibration_error_matches_a_plain_loop() -> None:
    random = np.random.default_rng(1)
    confidence = random.random(1000)
    correct = random.random(1000) < confidence**2
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low) & (confidence <= low + 0.1)
        expected += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)
    order = np.argsort(confidence)
    masses = np.array_split(order, 10)
    by_mass = sum(abs((confidence[m] - correct[m]).sum()) for m in masses) / 1000
    assert equal_mass_calibration_error(confidence, correct, bins=10) == pytest.approx(by_mass)


def test_calibration_metrics_do_not_depend_on_row_order() -> None:
    random = np.random.default_rng(2)
    confidence, correct = random.random(300).round(1), random.random(300) < 0.5
    shuffled = random.permutation(300)
    again = calibration_metrics(confidence[shuffled], correct[shuffled])
    assert again == pytest.approx(calibration_metrics(confidence, correct))


def test_without_examples_every_metric_is_undefined(four: Predictions) -> None:
    none = four.take(np.zeros(4, bool))
    for metrics in (next_role_metrics(none), tenure_metrics(none), hireability_metrics(none)):
        assert {v for name, v in metrics.items() if not name.startswith("num_")} == {None}
    assert set(calibration_metrics(none.confidence, none.correct).values()) == {None}


def test_reliability_bins_match_a_plain_loop() -> None:
    random = np.random.default_rng(0)
    confidence, correct = random.random(500), random.random(500) < 0.5
    rows = reliability(confidence, correct)
    assert sum(row["num"] for row in rows) == 500
    for row in rows:
        inside = (confidence > row["low"]) & (confidence <= row["high"])
        assert row["num"] == inside.sum()
        assert row["confidence"] == pytest.approx(confidence[inside].mean())
        assert row["accuracy"] == pytest.approx(correct[inside].mean())


def test_empty_bins_are_left_out_and_the_first_bin_includes_zero() -> None:
    rows = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert [(row["low"], row["num"]) for row in rows] == [(0.0, 1), (0.9, 1)]


def test_an_unknown_target_is_a_miss_in_every_score() -> None:
    found = next_role_scores(predictions([0, 1, 4]))
    assert found["top1"].tolist() == [0, 1, 0]
    assert found["top5"].tolist() == [0, 1, 1]
    assert found["mrr"].tolist() == [0, 1, 0.25]


def test_equal_confidences_share_a_bin() -> None:
    confidence, correct = np.full(300, 0.5), np.arange(300) % 2 == 0
    assert equal_mass_calibration_error(confidence, correct) == pytest.approx(0, abs=1e-9)


def test_a_split_is_measured_on_last_moves_and_on_outcomes(four: Predictions) -> None:
    outcomes = replace(four, tenure_months=np.full(4, 14, np.float32), hireable=np.array([0, 1, 1, 1], float))
    both = SplitPredictions(four, outcomes.take(np.arange(3)))
    found = val_metrics(both)
    assert found["val_top1"] == 1 / 4
    assert found["val_tenure_mae_months"] == 1
    assert found["val_hireability_auc"] == 0.0
    of_both = outcome_metrics(both)
    assert (of_both["num_tenures"], of_both["num_tenures_still_held"]) == (3, 2)
    assert (of_both["tenure_coverage"], of_both["tenure_coverage_highest"]) == (1, 2 / 4)


def test_outcome_metrics_are_the_same_if_outcomes_are_the_last_moves(four: Predictions) -> None:
    assert outcome_metrics(SplitPredictions(four, four)) == {
        **tenure_metrics(four),
        **hireability_metrics(four),
    }


def test_a_label_only_on_last_roles_is_measured_on_last_moves(four: Predictions) -> None:
    unlabelled = replace(four, hireable=np.full(4, NAN, np.float32))
    assert SplitPredictions(four, unlabelled).labelled is four
    assert SplitPredictions(unlabelled, four).labelled is four

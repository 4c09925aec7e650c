import numpy as np
import pytest

from tests.support.predictions import predictions
from trajtune.finalizing.evaluate.outcome_gains import auc_gain, tenure_score_gain
from trajtune.model.metrics import area_under_roc, interval_scores

NOTHING = {"gain": 0.0, "low": 0.0, "high": 0.0, "p_better": 1.0, "p_worse": 1.0}


def test_the_gain_in_auc_is_the_difference_with_an_interval_like_that_of_resampled_people() -> None:
    random = np.random.default_rng(0)
    outcome = random.random(400) < 0.7
    score = {name: outcome + random.normal(0, noise, 400) for name, noise in (("own", 1.0), ("other", 2.0))}
    made = [predictions([1] * 400, hireability=value, hireable=outcome) for value in score.values()]
    person = np.repeat(np.arange(200), 2)
    found = auc_gain(*made, person)
    assert found is not None

    def gain(people: np.ndarray) -> float:
        rows = (2 * people[:, None] + np.arange(2)).ravel()
        own, other = (area_under_roc(value[rows], outcome[rows]) or 0.0 for value in score.values())
        return own - other

    assert found["gain"] == pytest.approx(gain(np.arange(200)))
    resampled = [gain(random.integers(0, 200, 200)) for _ in range(1000)]
    low, high = np.percentile(resampled, (2.5, 97.5))
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    assert found["p_better"] < 0.025
    assert found["p_worse"] == pytest.approx(1 - found["p_better"])


@pytest.mark.parametrize(("num", "share"), [(200, 0.95), (200, 0.5)])
def test_equal_scores_rarely_differ_significantly_even_with_ten_negatives(num: int, share: float) -> None:
    random, alarms = np.random.default_rng(0), []
    for _ in range(800):
        outcome = random.permutation(num) < share * num
        made = [predictions([1] * num, hireability=random.random(num), hireable=outcome) for _ in range(2)]
        found = auc_gain(*made, np.arange(num))
        assert found is not None
        alarms.append(min(found["p_better"], found["p_worse"]) <= 0.025)
    assert np.mean(alarms) < 0.05 + 1.645 * (0.05 * 0.95 / 800) ** 0.5


def test_one_class_gives_no_gain_in_auc_and_constants_give_no_significant_gain() -> None:
    person = np.arange(4)
    same = predictions([1] * 4, hireability=[0.1, 0.2, 0.3, 0.4], hireable=[1, 1, 1, np.nan])
    assert auc_gain(same, same, person) is None
    both = predictions([1] * 4, hireability=[0.5] * 4, hireable=[1, 0, 1, 0])
    assert auc_gain(both, both, person) == NOTHING


def test_the_interval_score_is_the_width_plus_ten_times_the_distance_outside() -> None:
    made = predictions(
        [1] * 4, tenure=[[10, 20], [10, 20], [10, 20], [np.nan, np.nan]], tenure_months=[15, 8, 23, 5]
    )
    scores = interval_scores(made.tenure, made.tenure_months, 0.8)
    assert scores[:3] == pytest.approx([10, 10 + 10 * 2, 10 + 10 * 3])
    assert np.isnan(scores[3])


def test_the_gain_in_tenure_score_is_relative_to_the_baselines_score() -> None:
    narrow = predictions([1] * 100, tenure=[[10, 20]] * 100, tenure_months=[15] * 99 + [np.nan])
    wide = predictions([1] * 100, tenure=[[5, 25]] * 100, tenure_months=[15] * 99 + [np.nan])
    found = tenure_score_gain(narrow, wide, np.arange(100), 0.8)
    assert found is not None
    assert (found["gain"], found["low"]) == (pytest.approx(0.5), pytest.approx(0.5))
    unknown = predictions([1], tenure=[[10, 20]])
    assert tenure_score_gain(unknown, unknown, np.arange(1), 0.8) is None

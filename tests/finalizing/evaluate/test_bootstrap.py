import numpy as np
import pytest

from tests.support.predictions import predictions
from trajtune.finalizing.evaluate.bootstrap import RESAMPLES, bounds, gain, interval, mean_gain, ratio_draws


def test_the_interval_of_a_share_equals_the_binomial_interval() -> None:
    low, high = interval(np.array([1.0] * 300 + [0.0] * 700)) or (0.0, 0.0)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == (pytest.approx(0.3 - half, abs=0.004), pytest.approx(0.3 + half, abs=0.004))


def test_the_interval_of_many_distinct_values_equals_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(2, 3, 800)
    low, high = interval(values) or (0.0, 0.0)
    half = 1.96 * values.std() / np.sqrt(800)
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)
    assert RESAMPLES >= 1000


def test_the_interval_does_not_depend_on_the_order_of_people_and_ignores_nan() -> None:
    values = np.random.default_rng(0).normal(size=200)
    shuffled = np.random.default_rng(1).permutation(values)
    assert interval(values) == interval(shuffled) == interval(np.append(values, np.nan))
    assert interval(np.array([np.nan])) is None


def test_gains_are_paired() -> None:
    ours = predictions([1, 2, 0, 1] * 50, nll=[0.1, 0.5, np.nan, 0.3] * 50)
    theirs = predictions([2, 2, 0, 1] * 50, nll=[0.9, 0.5, np.nan, 0.3] * 50)
    found = gain(ours, theirs)
    assert found["top1"]["gain"] == 0.25
    assert found["nll"]["gain"] == pytest.approx(0.8 / 3)
    assert found["top1"]["low"] > 0
    # If two predictors agree on everybody, their difference is certain, even if each one is noisy.
    nothing = {"gain": 0.0, "low": 0.0, "high": 0.0, "p_better": 1.0, "p_worse": 1.0}
    assert gain(ours, ours)["top1"] == nothing


def test_p_values_agree_with_the_interval() -> None:
    random = np.random.default_rng(0)
    for shift in (-0.2, -0.05, 0.05, 0.2):
        found = mean_gain(random.normal(shift, 1, (1, 400)))
        assert found is not None
        assert (found["p_better"] <= 0.025) == (found["low"] > 0)
        assert (found["p_worse"] <= 0.025) == (found["high"] < 0)


def test_the_gain_over_several_seeds_is_their_mean_and_its_interval_includes_the_spread_of_seeds() -> None:
    random = np.random.default_rng(0)
    people = random.normal(0, 0.1, 500)
    same = np.stack([people] * 3)
    spread = same + np.array([-0.1, 0.0, 0.1])[:, None]
    alone, over_seeds = mean_gain(same), mean_gain(spread)
    assert alone is not None
    assert over_seeds is not None
    assert alone["gain"] == pytest.approx(over_seeds["gain"])
    assert alone["high"] - alone["low"] == pytest.approx(4 * 0.1 / np.sqrt(500), rel=0.1)
    assert over_seeds["high"] - over_seeds["low"] > 0.1
    assert mean_gain(spread[:, ::-1]) == pytest.approx(over_seeds)  # independent of the order of people
    assert mean_gain(np.full((2, 3), np.nan)) is None


def test_ratios_are_resampled_by_person() -> None:
    """Both outcomes of a person are drawn together or not at all."""
    random = np.random.default_rng(0)
    one = random.normal(1, 0.3, 600)
    draws = ratio_draws(np.stack([2 * one]), np.full(600, 2.0))
    assert draws.shape == (1, RESAMPLES)
    low, high = bounds(draws[0])
    assert (low, high) == pytest.approx(interval(one), abs=0.003)

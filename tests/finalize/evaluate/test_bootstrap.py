import numpy as np
import pytest

from tests.support.predictions import predictions
from trajtune.finalize.evaluate.bootstrap import RESAMPLES, gain, interval


def test_the_interval_of_a_share_is_the_binomials() -> None:
    low, high = interval(np.array([1.0] * 300 + [0.0] * 700)) or (0.0, 0.0)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == (pytest.approx(0.3 - half, abs=0.004), pytest.approx(0.3 + half, abs=0.004))


def test_the_interval_of_many_distinct_values_is_the_normals() -> None:
    values = np.random.default_rng(0).normal(2, 3, 800)
    low, high = interval(values) or (0.0, 0.0)
    half = 1.96 * values.std() / np.sqrt(800)
    assert low == pytest.approx(values.mean() - half, abs=0.05)
    assert high == pytest.approx(values.mean() + half, abs=0.05)
    assert RESAMPLES >= 1000


def test_the_interval_depends_on_nobodys_place_and_leaves_the_undefined_out() -> None:
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
    # Between predictors that agree on everybody nothing is uncertain, however noisy each one is.
    assert gain(ours, ours)["top1"] == {"gain": 0.0, "low": 0.0, "high": 0.0}

import numpy as np
import pytest

from trajtune.finalizing.calibrate.conformal import OFFSET_MONTHS, conformal_correction, conformal_quantile


def test_the_quantile_is_the_hand_computed_rank() -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))
    assert conformal_quantile(scores, 0.8) == 80.0  # 80 of 100 ranks, one of them the new example's
    assert conformal_quantile(scores, 0.8, np.full(99, 7.0)) == 80.0
    assert conformal_quantile(scores, 1.0) == 99.0
    assert conformal_quantile(scores, 0.0) == 1.0


def test_a_weight_counts_as_that_many_examples() -> None:
    scores, weight = np.arange(50.0), np.tile([1.0, 3.0], 25)
    repeated = np.repeat(scores, weight.astype(int))
    for level in (0.3, 0.8, 0.9):
        assert conformal_quantile(scores, level, weight) == pytest.approx(
            conformal_quantile(repeated, level), abs=1
        )


def test_only_ended_roles_are_used_and_too_few_give_no_correction() -> None:
    random = np.random.default_rng(0)
    interval, months = np.tile([10.0, 20.0], (60, 1)), random.exponential(20, 60)
    with_held = np.concatenate([months, np.full(40, np.nan)])
    found = conformal_correction(interval, months, 0.8)
    assert found == conformal_correction(np.tile([10.0, 20.0], (100, 1)), with_held, 0.8)
    assert conformal_correction(interval[:29], months[:29], 0.8) is None


def test_the_correction_covers_new_roles_and_is_shorter_than_with_one_margin() -> None:
    random = np.random.default_rng(0)
    scale = random.uniform(5, 40, 8000)
    months = np.floor(random.exponential(scale))
    interval = np.stack([scale * -np.log(0.9), scale * -np.log(0.1)], 1)  # the true quantiles
    correction = conformal_correction(interval[:2000], months[:2000], 0.8)
    assert correction is not None
    low, high = correction(interval[2000:]).T
    inside = (low <= months[2000:]) & (months[2000:] <= high)
    assert inside.mean() == pytest.approx(0.8, abs=0.03)
    outside = np.maximum(interval[:2000, 0] - months[:2000], months[:2000] - interval[:2000, 1])
    margin = np.quantile(outside, 0.8)
    one_margin = np.maximum(interval[2000:, 0] - margin, 0), interval[2000:, 1] + margin
    assert (high - low).mean() < 0.9 * (one_margin[1] - one_margin[0]).mean()


def test_most_misses_lie_above_if_tenures_start_at_zero() -> None:
    months = np.floor(np.random.default_rng(0).exponential(20, 4000))
    correction = conformal_correction(np.tile([10.0, 20.0], (4000, 1)), months, 0.8)
    assert correction is not None
    low, high = correction(np.array([[10.0, 20.0]]))[0]
    assert low == pytest.approx(np.quantile(months, 0.05), abs=1)
    assert high == pytest.approx(np.quantile(months, 0.85), abs=1)
    assert OFFSET_MONTHS > 0

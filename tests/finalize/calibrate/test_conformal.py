import numpy as np
import pytest

from trajtune.finalize.calibrate.conformal import conformal_margin


def test_the_conformal_margin_is_the_hand_computed_rank() -> None:
    months = np.arange(1, 101, dtype=np.float64)
    interval = np.column_stack([np.zeros(100), np.full(100, 50.0)])
    # Scores are months - 50; the ceil(101 x 0.8) = 81st smallest is 81 - 50.
    assert conformal_margin(interval, months, 0.8) == 31.0


def test_only_ended_roles_count_towards_the_margin() -> None:
    months = np.concatenate([np.arange(1, 101, dtype=np.float64), np.full(500, np.nan)])
    interval = np.column_stack([np.zeros(600), np.full(600, 50.0)])
    assert conformal_margin(interval, months, 0.8) == 31.0
    assert conformal_margin(interval[:29], months[:29], 0.8) is None


def test_the_margin_gives_the_coverage_promised_on_new_roles() -> None:
    random = np.random.default_rng(3)
    months = random.lognormal(3, 0.5, 4000)
    interval = np.tile([15.0, 25.0], (4000, 1))
    margin = conformal_margin(interval[:2000], months[:2000], 0.8)
    assert margin is not None
    inside = (months[2000:] >= 15 - margin) & (months[2000:] <= 25 + margin)
    assert inside.mean() == pytest.approx(0.8, abs=0.03)

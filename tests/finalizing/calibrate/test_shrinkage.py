"""The blocks equal scikit-learn's; the curve through them is shrunk, bounded, rising and nowhere steep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression

from trajtune.finalizing.calibrate.isotonic import fit_calibration
from trajtune.finalizing.calibrate.shrinkage import (
    PSEUDO_COUNTS,
    STEEPEST,
    Block,
    choose_pseudo_count,
    isotonic_blocks,
    shrunk_knots,
)
from trajtune.model.metrics import expected_calibration_error


def drawn(num: int, seed: int = 0, power: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probability = np.round(random.random(num), 4)
    return probability, (random.random(num) < probability**power).astype(float)


def test_the_blocks_equal_those_of_scikit_learn() -> None:
    x, y = drawn(2000)
    blocks = isotonic_blocks(x, y)
    expected = IsotonicRegression().fit(x, y)
    for block in blocks:
        assert expected.predict([block.low, block.high]) == pytest.approx(block.positives / block.num)
    assert sum(block.num for block in blocks) == 2000
    weighted = isotonic_blocks(x, y, np.full(2000, 0.5))
    assert [block.num for block in weighted] == pytest.approx([block.num / 2 for block in blocks])


def test_pseudo_observations_have_the_probability_before_calibration() -> None:
    block = Block(0.6, 0.8, num=90, positives=45)
    assert block.value(0.6, 10) == pytest.approx((45 + 6) / 100)
    assert block.value(0.8, 10) == pytest.approx((45 + 8) / 100)
    assert block.value(0.8, 1e6) == pytest.approx(beta.ppf(0.95, 46, 46))  # not above the bound


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80),
    st.sampled_from(PSEUDO_COUNTS),
)
def test_the_curve_rises_is_bounded_and_has_no_steep_step(
    examples: list[tuple[float, bool]], pseudo_count: float
) -> None:
    x = np.round([probability for probability, _ in examples], 4)
    y = np.array([came_true for _, came_true in examples], float)
    blocks = isotonic_blocks(x, y)
    knots, values = shrunk_knots(blocks, pseudo_count)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(values) >= 0).all()
    assert (np.diff(values) <= STEEPEST * np.diff(knots) * (1 + 1e-6) + 1e-12).all()
    assert values[0] > 0
    assert values[-1] < 1
    # This is the bound of a block with the complete sample; no value can be above it.
    assert values[-1] <= beta.ppf(0.95, y.sum() + 1, 1 + len(y) - y.sum()) or len(blocks) > 1


def test_two_people_never_give_0_or_100_percent() -> None:
    x = np.concatenate([np.linspace(0.3, 0.5, 400), [0.6, 0.61]])
    y = np.concatenate([np.tile([1.0, 0.0], 200), [1.0, 1.0]])
    assert isotonic_blocks(x, y)[-1].positives / isotonic_blocks(x, y)[-1].num == 1
    table = fit_calibration(x, y).table
    assert table(0.61) < 0.8
    assert table(1.0) < 0.8


def test_a_calibrated_model_is_not_changed_and_a_miscalibrated_one_is() -> None:
    assert choose_pseudo_count(*drawn(1500)) > 50
    assert choose_pseudo_count(*drawn(3000, power=3)) < 50


def test_small_windows_do_not_make_calibrated_confidences_worse() -> None:
    plain, shrunk = [], []
    for seed in range(20):
        x, y = drawn(100, seed)
        grid, truth = np.linspace(0.001, 0.999, 999), np.linspace(0.001, 0.999, 999)
        isotonic = IsotonicRegression(out_of_bounds="clip").fit(x, y).predict(grid)
        plain.append(expected_calibration_error(isotonic, truth))
        shrunk.append(expected_calibration_error(fit_calibration(x, y).table(grid), truth))
    assert np.mean(shrunk) < 0.5 * np.mean(plain)


def test_two_computations_of_one_softmax_agree_within_a_millionth() -> None:
    table = fit_calibration(*drawn(3000, power=3)).table
    random = np.random.default_rng(0)
    exact = random.random(20_000)
    assert np.abs(table(exact.astype(np.float32)) - table(exact)).max() < 1e-6

import numpy as np
import pytest

from trajtune.finalizing.evaluate.calibration_test import calibration_test
from trajtune.model.metrics import expected_calibration_error

LIMIT = 0.05


def drawn(people: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw confidences, and whether titles were right with that probability minus ``shift``."""
    random = np.random.default_rng(seed)
    confidence = random.beta(2, 2, people)
    return confidence, random.random(people) < np.clip(confidence - shift, 0, 1)


def test_perfect_calibration_is_rejected_as_often_as_the_level_allows() -> None:
    """The calibration error itself is above 0.05 for most samples of 200 people."""
    samples = [drawn(200, seed) for seed in range(60)]
    assert np.mean([expected_calibration_error(*sample) >= LIMIT for sample in samples]) > 0.5
    found = [calibration_test(*sample, LIMIT) for sample in samples]
    assert np.mean([one["ece_p_value"] <= 0.05 for one in found]) <= 0.1
    assert np.mean([one["ece_p_value"] for one in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([one["ece_chance"] for one in found]) == pytest.approx(
        np.mean([expected_calibration_error(*sample) for sample in samples]), abs=0.005
    )


def test_200_people_are_too_few_and_5000_are_enough() -> None:
    few, many = (calibration_test(*drawn(people, 0), LIMIT) for people in (200, 5000))
    assert few["ece_power"] < 0.8
    assert 200 < few["ece_people_needed"] < 2000
    assert many["ece_power"] > 0.99
    assert many["ece_people_needed"] == 5000


def test_a_real_calibration_error_is_significant_and_its_size_is_right() -> None:
    found = [calibration_test(*drawn(2000, seed, shift=0.1), LIMIT) for seed in range(10)]
    assert all(one["ece_p_value"] < 0.001 for one in found)
    assert np.mean([one["ece_debiased"] for one in found]) == pytest.approx(0.1, abs=0.015)


def test_the_needed_number_of_people_detects_the_error_in_four_of_five_samples() -> None:
    needed = calibration_test(*drawn(300, 0), LIMIT)["ece_people_needed"]
    rate = np.mean(
        [calibration_test(*shifted(needed, seed), LIMIT)["ece_p_value"] <= 0.05 for seed in range(30)]
    )
    assert rate == pytest.approx(0.8, abs=0.16)


def shifted(people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw confidences that are too extreme by the limit."""
    random = np.random.default_rng(seed)
    confidence = random.beta(2, 2, people)
    truth = np.where(confidence > 0.5, confidence - LIMIT, confidence + LIMIT)
    return confidence, random.random(people) < truth


def test_without_people_the_results_are_none() -> None:
    found = calibration_test(np.empty(0), np.empty(0, bool), LIMIT)
    assert set(found.values()) == {None}

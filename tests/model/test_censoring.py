"""Weights of known outcomes, compared with manual values and with the truth of simulated careers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trajtune.experiment.sources import ProcessSettings
from trajtune.model.censoring import MAX_WEIGHT, hireability_weights, proxy_months, tenure_weights
from trajtune.simulation.generator import DAYS_PER_MONTH
from trajtune.simulation.simulate import days_since_epoch, simulate

NAN = np.nan


def columns(*values: list[float]) -> list[NDArray[np.float32]]:
    return [np.array(column, np.float32) for column in values]


def test_weights_match_manual_values() -> None:
    # Observation stops after 5 months for one of four longer roles, and after 10 months for one of two.
    tenure, at_least = columns([3, NAN, 7, NAN, 20], [3, 5, 7, 10, 20])
    weights = tenure_weights(tenure, at_least)
    assert weights.tolist() == pytest.approx([1, 0, 4 / 3, 0, 8 / 3])


def test_in_a_tie_the_end_of_a_role_comes_before_censoring() -> None:
    tenure, at_least = columns([5, NAN, 9], [5, 5, 9])
    assert tenure_weights(tenure, at_least).tolist() == pytest.approx([1, 0, 2])


def test_without_held_roles_all_weights_are_one() -> None:
    tenure, at_least = columns([3, 7, NAN], [3, 7, NAN])
    assert tenure_weights(tenure, at_least).tolist() == [1, 1, 0]


def test_weights_have_an_upper_limit() -> None:
    tenure, at_least = columns([*[NAN] * 99, 500], [*range(1, 100), 500])
    assert tenure_weights(tenure, at_least)[-1] == pytest.approx(MAX_WEIGHT)


def test_a_positive_label_is_known_after_the_months_of_the_proxy() -> None:
    label, tenure, at_least = columns([0, NAN, 1, 1, 0], [3, NAN, NAN, 40, 9], [3, 6, 12, 40, 9])
    assert proxy_months(label, tenure, at_least) == 12
    # One of four roles is not observed after 6 months; events after the twelfth month change no label.
    assert hireability_weights(label, tenure, at_least).tolist() == pytest.approx([1, 0, 4 / 3, 4 / 3, 4 / 3])


def test_a_label_from_the_data_has_no_weights() -> None:
    label, tenure, at_least = columns([1, 0, NAN, 0], [NAN, NAN, 3, 30], [2, 40, 3, 30])
    assert proxy_months(label, tenure, at_least) is None
    assert hireability_weights(label, tenure, at_least).tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("population", ["default", "returning", "first_role", "long_tail"])
def test_weights_remove_the_bias_of_known_roles(population: str) -> None:
    settings = ProcessSettings(population=population, min_roles=2)
    careers, day = simulate(6000, 1, settings), days_since_epoch(settings.as_of)
    last = careers.offsets[1:] - 1
    truth = np.floor((careers.ends - careers.starts)[last] / DAYS_PER_MONTH)
    observed = np.floor((day - careers.starts[last]) / DAYS_PER_MONTH)
    held = careers.held[last]
    tenure = np.where(held, NAN, truth).astype(np.float32)
    at_least = np.where(held, observed, truth).astype(np.float32)
    label = np.where(at_least >= 12, 1.0, np.where(held, NAN, 0.0)).astype(np.float32)
    weights, known = hireability_weights(label, tenure, at_least), ~np.isnan(label)
    stayed = np.mean(truth >= 12)
    assert label[known].mean() < stayed - 0.002
    assert np.average(label[known], weights=weights[known]) == pytest.approx(stayed, abs=0.003)
    inside = (truth >= 3) & (truth <= 35)
    assert inside[~held].mean() > inside.mean() + 0.06
    assert np.average(inside, weights=tenure_weights(tenure, at_least)) == pytest.approx(
        inside.mean(), abs=0.01
    )

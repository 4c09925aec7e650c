"""Drift since a bundle was made, compared with what chance alone gives."""

import numpy as np

from trajtune.dataset.arrays import Examples
from trajtune.finalizing.evaluate.last_transitions import Transitions, reference_counts
from trajtune.monitoring.drift import drift_since


def transitions(titles: np.ndarray, lengths: np.ndarray) -> Transitions:
    num = len(titles)
    mask = np.zeros(num, np.bool_)
    examples = Examples(np.arange(num), lengths.astype(np.int64))
    return Transitions(examples, titles.astype(np.int32), [frozenset()] * num, mask, mask)


def drawn(seed: int, num: int, titles: int = 40) -> Transitions:
    random = np.random.default_rng(seed)
    return transitions(random.integers(1, titles, num), random.integers(1, 8, num))


def test_the_reference_counts_everybody_once() -> None:
    found = reference_counts(transitions(np.array([0, 1, 1, 900]), np.array([1, 2, 4, 12])))
    assert (found["titles"][0], found["titles"][1], found["titles"][-1]) == (1, 2, 1)
    assert found["lengths"] == [1, 1, 1, 0, 1]


def test_two_samples_of_one_population_stay_within_chance() -> None:
    found = [drift_since(reference_counts(drawn(seed, 300)), drawn(seed + 100, 200)) for seed in range(40)]
    for name in ("titles", "lengths"):
        assert sum(row[name]["psi"] > row[name]["by_chance"] for row in found) <= 6
        assert not any(row[name]["major"] for row in found)


def test_other_titles_are_a_major_shift_of_titles_and_not_of_lengths() -> None:
    found = drift_since(reference_counts(drawn(1, 500)), drawn(2, 500, titles=5))
    assert found["titles"]["major"]
    assert not found["lengths"]["major"]

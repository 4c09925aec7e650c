"""The choice of averaged configurations by their losses on val."""

from pathlib import Path

import numpy as np
import pytest

from trajtune.experiment.params import Params
from trajtune.finalizing.averaging import averaged_refits
from trajtune.finalizing.mixture import ValLosses
from trajtune.finalizing.selection import Finalist, Refit

NUM = 400
RANDOM = np.random.default_rng(0)
EASY = RANDOM.random(NUM) < 0.5


def made(name: str, seeds: int) -> list[Refit]:
    finalist = Finalist(name, Params(), None)
    return [Refit(finalist, seed, Path("x.pt"), 1, {}, None) for seed in range(seeds)]


def averaged(probabilities: dict[str, np.ndarray], seeds: int = 2) -> list[tuple[str, int]]:
    """Return the averaged refits if all seeds of a configuration give true titles these probabilities."""
    refits = {name: made(name, seeds) for name in probabilities}
    networks = {(name, seed): -np.log(p) for name, p in probabilities.items() for seed in range(seeds)}
    chosen = averaged_refits(refits, ValLosses(networks, np.full(NUM, 9.0)))
    return [(refit.finalist.name, refit.seed) for refit in chosen]


def test_configurations_with_different_errors_are_averaged() -> None:
    found = averaged({"a": np.where(EASY, 0.8, 0.1), "b": np.where(EASY, 0.1, 0.8)})
    assert found == [("a", 0), ("b", 0)]


def test_a_much_worse_configuration_is_left_out_and_the_seeds_of_the_best_are_averaged() -> None:
    found = averaged({"a": np.full(NUM, 0.5), "b": np.full(NUM, 0.1)})
    assert found == [("a", 0), ("a", 1)]


def test_a_difference_within_the_noise_excludes_no_configuration() -> None:
    noise = np.exp(RANDOM.normal(0, 0.2, NUM))
    found = averaged({"a": np.full(NUM, 0.3), "b": 0.3 * noise, "c": 0.3 / noise}, seeds=1)
    assert found == [("a", 0), ("b", 0), ("c", 0)]


@pytest.mark.parametrize(
    ("seeds", "expected"), [(1, "a0 b0"), (2, "a0 b0"), (3, "a0 b0 a1"), (5, "a0 b0 a1 b1 a2")]
)
def test_there_are_as_many_networks_as_seeds_or_configurations(seeds: int, expected: str) -> None:
    found = averaged({"a": np.where(EASY, 0.8, 0.1), "b": np.where(EASY, 0.1, 0.8)}, seeds)
    assert " ".join(f"{name}{seed}" for name, seed in found) == expected


def test_without_a_known_title_in_val_every_configuration_is_averaged() -> None:
    unknown = np.full(NUM, np.nan)
    assert averaged({"a": unknown, "b": unknown}) == [("a", 0), ("b", 0)]

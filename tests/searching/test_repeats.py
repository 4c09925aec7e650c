"""Repeats with other seeds: how many a search has, which trials are repeated, and the noise between seeds."""

import math
from typing import Any

import pytest

from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.repeats import Noise, next_repeat, num_repeats, plateau, repeat, seed_noise
from trajtune.searching.study.trial_records import TrialRecord, with_means


def trial(number: int, value: float | None = None, **content: Any) -> TrialRecord:
    found = {
        "state": "COMPLETE" if value is not None else "RUNNING",
        "origin": "sampler",
        "params": {},
        "epochs": [],
        "best_epoch": 1,
        "error": None,
        "duplicate_of": None,
        "value": value,
        "costs": (value,) if value is not None else (),
        "mean_costs": (value,) if value is not None else (),
        "mean_value": value,
        "seeds": int(value is not None),
        **content,
    }
    return TrialRecord(number=number, **found)


def settings(**content: Any) -> SearchSettings:
    return SearchSettings.model_validate({"space": "smoke", **content})


@pytest.mark.parametrize(
    ("requested", "expected"),
    [(8, (0, 0)), (16, (0, 0)), (39, (0, 0)), (40, (2, 4)), (50, (2, 5)), (100, (2, 10)), (500, (2, 12))],
)
def test_a_small_search_has_no_repeats_and_a_large_one_a_tenth(
    requested: int, expected: tuple[int, int]
) -> None:
    assert num_repeats(settings(), requested) == expected


@pytest.mark.parametrize(("repeats", "expected"), [(0, (0, 0)), (1, (1, 0)), (2, (2, 0)), (20, (2, 18))])
def test_an_experiment_may_give_the_number_of_repeats(repeats: int, expected: tuple[int, int]) -> None:
    assert num_repeats(settings(repeats=repeats), 8) == expected


def test_no_repeat_has_the_same_seed_as_a_refit() -> None:
    refits = {3 + 1 + i for i in range(50)}

    seeds = [repeat(settings(seed=3), 1, earlier)["seed"] for earlier in range(20)]

    assert len({3, *seeds} | refits) == 1 + 20 + 50


def test_the_noise_is_pooled_over_params_trained_with_several_seeds() -> None:
    trials = [
        trial(0, 9.0),
        trial(1, 2.0),
        trial(2, 2.2, repeat_of=1),
        trial(3, 2.4, repeat_of=1),
        trial(4, 3.0),
        trial(5, 3.4, repeat_of=4),
        trial(6, 7.0, repeat_of=4, state="PRUNED"),
        trial(7, 2.0, duplicate_of=1),
        trial(8, repeat_of=4),
    ]

    noise = seed_noise(trials)

    # Squares around 2.2: .04 + 0 + .04; around 3.2: .04 + .04; degrees of freedom: 2 + 1.
    assert noise == Noise(pytest.approx(math.sqrt(0.16 / 3)), 5, 2)
    assert noise.luck == pytest.approx(2 * math.sqrt(2) * noise.deviation)
    assert Noise.from_dict(noise.to_dict()) == noise
    assert seed_noise(trials[:2]) is None


def test_the_candidate_with_the_fewest_seeds_is_repeated() -> None:
    chosen = settings(repeats=7)
    trials = [trial(0, 1.0, differs_in=("schedule",)), *(trial(n, 2.0 + n / 100) for n in range(1, 8))]

    asked = []
    for number in range(8, 13):
        original = next_repeat(with_means(trials), chosen, 13)
        asked.append(original)
        trials.append(trial(number, 2.0 + number / 100, repeat_of=original, origin="repeat"))

    assert asked == [1, 2, 3, 4, 5]


def test_a_trial_behind_by_more_than_the_noise_is_not_repeated() -> None:
    trials = [trial(1, 2.0), trial(2, 2.01, repeat_of=1), trial(3, 2.02), trial(4, 2.2)]
    chosen = settings(repeats=4)

    assert next_repeat(with_means(trials), chosen, 6) == 3
    assert next_repeat(with_means([*trials[:2], trials[3]]), chosen, 5) is None


@pytest.mark.parametrize(
    ("requested", "more"),
    [(9, {}), (6, {"other_metrics": ["val_top1"], "pruner": {"name": "none"}}), (6, {"repeats": 2})],
    ids=["not yet", "several objectives", "none left"],
)
def test_the_sampler_suggests_every_trial_before_the_repeats(requested: int, more: dict[str, Any]) -> None:
    trials = with_means([trial(number, 2.0) for number in range(4)])

    assert next_repeat(trials, settings(**{"repeats": 4, **more}), requested) is None


def test_a_gain_within_the_noise_between_seeds_is_a_plateau() -> None:
    seeds = [trial(0, 3.0), trial(1, 3.1, repeat_of=0)]
    slow = [*seeds, *(trial(number, 3.0 - number / 1000) for number in range(2, 6))]
    chosen = settings(stop_at_plateau=3)

    assert plateau(slow, chosen) == "the last 3 trials were no better than luck (`search.stop_at_plateau`)"
    assert plateau(slow, settings()) is None
    assert plateau(slow[:4], chosen) is None, "too few trials"
    assert plateau([*slow, trial(6, 2.5)], chosen) is None
    assert plateau(slow[1:], chosen) is None, "without a second seed any gain counts"
    assert plateau([*slow, trial(6, 2.5, differs_in=("schedule",))], chosen) is not None

"""Placement of trials on CPUs and GPUs."""

import pytest

from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.load import validate
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.searching.tune.placement import num_concurrent, place


@pytest.mark.parametrize(
    ("asked", "most", "found", "concurrent", "device"),
    [
        (0, None, {"CPU": 4.0}, 4, "cpu"),
        (0, 3, {"CPU": 4.0, "GPU": 1.0}, 3, "cpu"),
        (0, 9, {"CPU": 4.0}, 4, "cpu"),
        (0.25, None, {"CPU": 16.0, "GPU": 2.0}, 8, "cuda"),
        (0.4, None, {"CPU": 16.0, "GPU": 2.0}, 4, "cuda"),
        (0.25, None, {"CPU": 3.0, "GPU": 2.0}, 3, "cuda"),
        (2, None, {"CPU": 16.0, "GPU": 5.0}, 2, "cuda"),
        (1, 1, {"CPU": 16.0, "GPU": 5.0}, 1, "cuda"),
    ],
)
def test_as_many_trials_run_as_fit(
    asked: float, most: int | None, found: dict[str, float], concurrent: int, device: str
) -> None:
    placement = place(SearchSettings(gpus_per_trial=asked, max_concurrent=most), found)
    assert (placement.concurrent, placement.device) == (concurrent, device)
    assert placement.resources == ({"cpu": 1, "gpu": asked} if asked else {"cpu": 1})


@pytest.mark.parametrize(
    ("models", "share", "found", "concurrent"),
    [
        (4, 0.0, {"CPU": 2.0}, 8),
        (3, 0.0, {"CPU": 2.0}, 6),
        (32, 1 / 32, {"CPU": 4.0, "GPU": 2.0}, 64),
        (8, 1 / 32, {"CPU": 2.0, "GPU": 1.0}, 16),
    ],
)
def test_the_trials_of_a_process_share_its_cpu(
    models: int, share: float, found: dict[str, float], concurrent: int
) -> None:
    placement = place(SearchSettings(gpus_per_trial=share, models_per_process=models), found)
    assert placement.concurrent == concurrent
    assert placement.resources["cpu"] == pytest.approx(1 / models, abs=1e-4)
    assert placement.resources["cpu"] * models <= 1


@pytest.mark.parametrize("found", [{"CPU": 4.0}, {"CPU": 4.0, "GPU": 1.0}])
def test_too_few_gpus_are_refused_without_falling_back_to_the_cpu(found: dict[str, float]) -> None:
    with pytest.raises(RunError, match="`search.gpus_per_trial` is 2, but Ray finds [01] GPUs"):
        place(SearchSettings(gpus_per_trial=2), found)


def test_the_number_of_trials_follows_nodes_that_join_and_leave() -> None:
    settings = SearchSettings(max_concurrent=3)
    found = [{"CPU": 2.0}, {"CPU": 8.0}, {"CPU": 1.0}]
    assert [num_concurrent(settings, each) for each in found] == [2, 3, 1]
    assert num_concurrent(SearchSettings(gpus_per_trial=1), {"CPU": 8.0}) == 0, (
        "its GPUs have left the cluster"
    )


def test_one_and_a_half_gpus_per_trial_are_refused() -> None:
    with pytest.raises(ExperimentError, match="`search.gpus_per_trial`: must be at most 1 or a whole number"):
        validate(Experiment, {"search": {"gpus_per_trial": 1.5}}, "experiment")

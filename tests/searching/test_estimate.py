"""The estimate: hand-computed numbers of epochs, and a timed trial in a real process."""

import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import PrunerSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.searching.estimate import epochs_of_others, estimate, expected_epochs


@pytest.mark.parametrize(
    ("name", "grace", "factor", "max_epochs", "expected"),
    [
        ("none", 3, 3, 50, 50.0),
        ("asha", 1, 2, 4, 1 + 0.5 * 1 + 0.25 * 2),
        ("asha", 3, 3, 9, 3 + 6 / 3),
        ("asha", 10, 3, 5, 5.0),
        ("asha", None, 3, 10, 6 + 4 / 3),
        ("asha", None, 3, 1, 1.0),
    ],
)
def test_halving_lets_a_share_of_the_trials_pass_each_rung(
    name: str, grace: int | None, factor: int, max_epochs: int, expected: float
) -> None:
    pruner = PrunerSettings.model_validate({"name": name, "grace_period": grace, "reduction_factor": factor})

    assert expected_epochs(pruner, Params(max_epochs=max_epochs)) == pytest.approx(expected)


def test_the_experiments_training_is_counted_with_all_its_epochs() -> None:
    settings = {
        "training": {"max_epochs": 4},
        "search": {"trials": 5, "pruner": {"grace_period": 1, "reduction_factor": 2}},
    }

    experiment = validate(Experiment, settings, "test")

    epochs = epochs_of_others(experiment, load_space(experiment.search.space))

    assert epochs == 4 + 3 * (1 + 0.5 * 1 + 0.25 * 2)


@pytest.mark.usefixtures("ray_local")
def test_a_timed_trial_gives_time_memory_and_disk(small_snapshot: Snapshot) -> None:
    settings = {"training": {"max_epochs": 4}, "search": {"trials": 5, "pruner": {"name": "none"}}}
    experiment = validate(Experiment, settings, "test")

    found = estimate(experiment, load_space(experiment.search.space), small_snapshot)

    assert found.concurrent == 2
    assert found.epochs == 50 + 4 * 4
    assert 0 < found.seconds_per_epoch < 10
    assert 0.5 * found.wall_s < found.epochs * found.seconds_per_epoch < 50 * found.wall_s
    assert 50 < found.megabytes_per_trial < 2_000
    assert 0 < found.disk_megabytes < 10
    assert "at most about" in found.describe()

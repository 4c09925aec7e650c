"""SIGKILLs at random moments: no result is lost, no work is done twice, and no trial stays RUNNING."""

from pathlib import Path

import pytest

from tests.searching.faults.killing import check_invariants, opened, results, search_under_fire
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

pytestmark = pytest.mark.slow

TRIALS = 7


def experiment(directory: Path, **search: object) -> Experiment:
    return validate(
        Experiment,
        {
            "training": {"max_epochs": 9, "batch_size": 32},
            "search": {
                "space": "smoke",
                "trials": TRIALS,
                "pruner": {"grace_period": 1},
                "keep_checkpoints": 2,
                "max_failures": 10,
                **search,
            },
            "storage": {"runs": str(directory / "runs")},
        },
        "test",
    )


def test_a_search_killed_ten_times_has_the_results_of_an_uninterrupted_one(
    ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    found = []
    trials = 2 * TRIALS  # enough trials that the search still runs at the last kill
    for name, kills in (("whole", 0), ("killed", 10)):
        directory = tmp_path / name
        directory.mkdir()
        settings = experiment(directory, max_concurrent=1, trials=trials)
        done = search_under_fire(settings, ladder_snapshot.path, directory, kills=kills, seed=4)
        assert done.total() == kills, "the search ended before the last kill"
        found.append(results(check_invariants(opened(settings), trials)))
        print(f"{name}: {dict(done)}")

    assert found[0] == found[1]


def test_a_search_with_two_concurrent_trials_survives_kills(
    ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    settings = experiment(tmp_path)

    done = search_under_fire(settings, ladder_snapshot.path, tmp_path, kills=2, seed=7)

    check_invariants(opened(settings), TRIALS)
    print(f"killed: {dict(done)}")

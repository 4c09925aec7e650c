"""Several trials in one process: the same results and records as with a process for each trial."""

from pathlib import Path

import pytest

from tests.searching.faults.killing import check_invariants
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.searching.run import resume_search, start_search

SPACE = (
    "params: {embedding_dim: 128, hidden_dim: 16, num_layers: 2, batch_size: 32,"
    " learning_rate: {type: float, low: 0.0005, high: 0.01, log: true},"
    " dropout: {type: float, low: 0.0, high: 0.3}}"
)


def experiment(directory: Path, **search: object) -> Experiment:
    directory.mkdir(exist_ok=True)
    (directory / "space.yaml").write_text(SPACE)
    settings = {"space": str(directory / "space.yaml"), "trials": 5, "sampler": "random", **search}
    return validate(
        Experiment,
        {
            "training": {"max_epochs": 3},
            "search": settings,
            "storage": {"runs": str(directory / "runs")},
        },
        "test",
    )


@pytest.mark.usefixtures("ray_local")
def test_stacked_trials_have_the_values_and_records_of_trials_with_a_process_each(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    found = []
    for models_per_process in (1, 4):
        settings = {"pruner": {"name": "none"}, "models_per_process": models_per_process, "trials": 4}
        run = start_search(experiment(tmp_path / f"{models_per_process}", **settings), small_snapshot)
        found.append(check_invariants(run, 4))

    for alone, stacked in zip(*found, strict=True):
        assert (stacked.params, stacked.state, stacked.origin) == (alone.params, alone.state, alone.origin)
        assert [epoch.keys() for epoch in stacked.epochs] == [epoch.keys() for epoch in alone.epochs]
        values = [[epoch["val_next_role_nll"] for epoch in trial.epochs] for trial in (alone, stacked)]
        assert values[1] == pytest.approx(values[0], abs=1e-3)


@pytest.mark.usefixtures("ray_local")
def test_one_of_the_stacked_trials_is_pruned_and_a_resume_trains_more(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    settings = experiment(tmp_path, models_per_process=3, pruner={"grace_period": 1}, trials=6)
    run = start_search(settings, small_snapshot)

    assert {"PRUNED", "COMPLETE"} == {trial.state for trial in check_invariants(run, 6)}
    check_invariants(resume_search(run.path, trials=7), 7)


def test_a_process_that_needs_more_than_one_gpu_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"models_per_process=6\. Write `gpus_per_trial: 0.1666`"):
        validate(Experiment, {"search": {"gpus_per_trial": 0.5, "models_per_process": 6}}, "experiment")
    validate(Experiment, {"search": {"gpus_per_trial": 0.1666, "models_per_process": 6}}, "experiment")

"""Several trials in one process: the same results and records as with a process for each trial."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.searching.faults.killing import check_invariants
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.settings import Experiment
from trajtune.model.network.title_words import words_of
from trajtune.model.threads import one_thread
from trajtune.model.training.fit import fit
from trajtune.searching.run import start_search
from trajtune.searching.study.trial_records import TrialRecord

SPACE = (
    "params: {embedding_dim: 128, hidden_dim: 16, num_layers: 2, batch_size: 32,"
    " learning_rate: {type: float, low: 0.0005, high: 0.01, log: true},"
    " dropout: {type: float, low: 0.0, high: 0.3}}"
)
RUN = "stacked"


def experiment(directory: Path, **search: object) -> Experiment:
    (directory / "space.yaml").write_text(SPACE)
    settings = {"space": str(directory / "space.yaml"), "trials": 6, "pruner": {"grace_period": 1}}
    return validate(
        Experiment,
        {
            "training": {"max_epochs": 3},
            "search": {**settings, "models_per_process": 3, **search},
            "storage": {"runs": str(directory / "runs")},
        },
        "test",
    )


def check_values(trials: list[TrialRecord], snapshot: Snapshot) -> None:
    """Check that the trials have the values that they have when they are trained alone."""
    train, val, encoder = snapshot.read("train").arrays, snapshot.read("val").arrays, snapshot.encoder()
    for trial in trials:
        epochs = fit(
            *(Params.model_validate(trial.params), train, val, encoder.vocab_size),
            seed=0,
            title_words=words_of(encoder),
        )
        with one_thread():
            alone = [result.metrics["val_next_role_nll"] for result, _ in zip(epochs, trial.epochs)]  # noqa: B905
        assert [epoch["val_next_role_nll"] for epoch in trial.epochs] == pytest.approx(alone, abs=2e-3)


@pytest.mark.usefixtures("ray_local")
def test_stacked_trials_have_their_own_values_records_and_ends(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    run = start_search(experiment(tmp_path), small_snapshot)

    trials = check_invariants(run, 6)
    assert {"PRUNED", "COMPLETE"} == {trial.state for trial in trials}
    check_values(trials, small_snapshot)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_a_killed_process_resumes_each_of_its_trials_from_its_checkpoint(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill() -> None:
        """Kill the process of the trials once each of them has a checkpoint."""
        trials = tmp_path / "runs" / RUN / "trials"
        while len(list(trials.glob("*/last.pt"))) < 3:
            time.sleep(0.01)
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                title = " ".join(process.cmdline())
                if title.startswith("ray::TrialProcess") and not title.startswith("ray::TrialProcesses"):
                    process.kill()
                    killed.append(process.pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    run = start_search(experiment(tmp_path, pruner={"name": "none"}, trials=4), small_snapshot, name=RUN)
    thread.join(10)

    assert killed, "no process trained several trials"
    check_values(check_invariants(run, 4), small_snapshot)


def test_a_process_that_needs_more_than_one_gpu_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"models_per_process=6\. Write `gpus_per_trial: 0.1666`"):
        validate(Experiment, {"search": {"gpus_per_trial": 0.5, "models_per_process": 6}}, "experiment")
    validate(Experiment, {"search": {"gpus_per_trial": 0.1666, "models_per_process": 6}}, "experiment")

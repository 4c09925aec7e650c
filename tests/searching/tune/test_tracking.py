"""MLflow's database agrees with the study and exists only if requested."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from ray.air.integrations.mlflow import MLflowLoggerCallback

from tests.searching.faults.killing import check_invariants
from tests.support.marked_password import PASSWORD
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError, StorageError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.searching.run import resume_search, start_search
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.doctor import examine
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials
from trajtune.searching.tune.tracking import MLFLOW, URI_VARIABLE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_local")]

METRIC = "val_next_role_nll"


def experiment(directory: Path, *, trials: int = 2) -> Experiment:
    return validate(
        Experiment,
        {
            "training": {"max_epochs": 3},
            "search": {"space": "smoke", "trials": trials, "pruner": {"name": "none"}},
            "storage": {"runs": str(directory / "runs")},
            "tracking": {"mlflow": True},
        },
        "test",
    )


@pytest.fixture(scope="module")
def tracked(ray_local: None, small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tracked run, extended by a trial."""
    settings = experiment(tmp_path_factory.mktemp("tracked"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(URI_VARIABLE, raising=False)
        run = start_search(settings, small_snapshot, name="run")
        run = resume_search(run.path, trials=3)
        assert URI_VARIABLE not in os.environ, "the next run of this process uses another store"
    return run


def test_mlflow_has_the_params_and_epochs_of_each_trial_even_after_an_extension(tracked: Run) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tracked.path / MLFLOW}")
    (logged_to,) = [e for e in client.search_experiments() if e.name == "trajtune run"]
    runs = {found.info.run_name: found for found in client.search_runs([logged_to.experiment_id])}
    trials = read_trials(read_study(tracked.path))
    assert sorted(runs) == ["0000", "0001", "0002"]
    for trial in trials:
        found = runs[f"{trial.number:04d}"]
        history = client.get_metric_history(found.info.run_id, f"report/{METRIC}")
        assert [(point.step, point.value) for point in history] == [
            (e["epoch"], e[METRIC]) for e in trial.epochs
        ]
        assert found.data.params["params/learning_rate"] == str(trial.params["learning_rate"])
        assert found.info.status == "FINISHED"
    assert examine(tracked) == []


def test_mlflow_uses_the_store_in_its_environment_variable_and_the_run_does_not_record_it(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path}/elsewhere-4711.db"
    monkeypatch.setenv(URI_VARIABLE, uri)
    run = start_search(experiment(tmp_path, trials=1), small_snapshot, name="run")

    assert [e.name for e in MlflowClient(uri).search_experiments() if e.name != "Default"] == ["trajtune run"]
    assert os.environ[URI_VARIABLE] == uri, "the user's value is kept"
    assert not (run.path / MLFLOW).exists()
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"elsewhere-4711" in path.read_bytes()]


def test_an_unreachable_server_is_a_one_line_error_before_anything_is_written(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI_VARIABLE, f"http://me:{PASSWORD}@127.0.0.1:9")

    with pytest.raises(
        RunError, match=r"cannot use the store that MLFLOW_TRACKING_URI names \(Mlflow"
    ) as refused:
        start_search(experiment(tmp_path), small_snapshot, name="run")

    assert PASSWORD not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_store_ends_the_search_and_the_search_resumes_later(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = MLflowLoggerCallback.log_trial_result

    def away(self: Any, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        raise MlflowException("the server is away")

    monkeypatch.setattr(MLflowLoggerCallback, "log_trial_result", away)
    with pytest.raises(
        StorageError, match=r"unfinished: MLflow cannot use the run's mlflow.db \(MlflowException\)"
    ):
        start_search(experiment(tmp_path, trials=1), small_snapshot, name="run")
    assert read_trials(read_study(tmp_path / "runs" / "run"))[0].state == "RUNNING"

    monkeypatch.setattr(MLflowLoggerCallback, "log_trial_result", logged)
    check_invariants(resume_search(tmp_path / "runs" / "run"), 1)


def test_a_missing_extra_is_refused_before_anything_is_written(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "mlflow" else found(name, *a)
    )

    with pytest.raises(
        RunError, match=r"needs mlflow, which is not installed. Run `pip install 'trajtune\[tracking"
    ):
        start_search(experiment(tmp_path), small_snapshot, name="run")

    assert list(tmp_path.iterdir()) == []

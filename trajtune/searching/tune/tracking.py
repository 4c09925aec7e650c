"""Logs trials to MLflow in addition to the study, with Ray Tune's callback."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment.settings import TrackingSettings
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.place_faults import stopped
from trajtune.searching.study.trial_records import trial_directory
from trajtune.storage.mlflow_store import URI_VARIABLE, few_retries, quiet_mlflow, refused
from trajtune.storage.path import is_uri

if TYPE_CHECKING:
    from ray.tune import Callback

MLFLOW: Final = "mlflow.db"
"""MLflow's database in the run directory, unless `URI_VARIABLE` names another store."""


def check_tracking(settings: TrackingSettings, runs: str) -> None:
    """Check, before a search starts, that MLflow is installed, answers and can write to its store.

    Raises:
        RunError: If MLflow is requested and the extra is not installed, if the runs are in an object store
            and `URI_VARIABLE` is not set, or if the MLflow store does not answer.
    """
    if not settings.mlflow:
        return
    if is_uri(runs) and not os.environ.get(URI_VARIABLE):
        raise RunError(
            f"`tracking.mlflow` writes a database into the run, but {runs} is an object store. "
            f"Set {URI_VARIABLE} to the address of an MLflow server, or leave `tracking` out."
        )
    if importlib.util.find_spec("mlflow") is None:
        raise RunError(
            "The experiment's `tracking` needs mlflow, which is not installed. "
            "Run `pip install 'trajtune[tracking]'`."
        )
    if uri := os.environ.get(URI_VARIABLE):
        _check_answers(uri)


def _check_answers(uri: str) -> None:
    """Send a request to the tracking store. Errors quote no URI, because it may contain a password."""
    quiet_mlflow()
    with few_retries():
        from mlflow import MlflowClient

        try:
            MlflowClient(uri).search_experiments(max_results=1)
        except Exception as error:  # noqa: BLE001 - what may be raised differs from store to store
            raise RunError(
                f"{refused(error)}. Start the server, fix the address, or leave `tracking` out."
            ) from None


@contextmanager
def tracked(settings: TrackingSettings, run: Run) -> "Iterator[list[Callback]]":
    """Provide Ray Tune's callbacks for the experiment's tracking while the block runs."""
    if not settings.mlflow:
        yield []
        return
    before = os.environ.get(URI_VARIABLE)
    try:
        with few_retries():
            yield [_mlflow(before, run)]
    finally:
        # The callback has changed MLflow's global setting, and through it the environment.
        import mlflow

        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ[URI_VARIABLE] = before


def trial_name(trial: Any) -> str:
    """Return a trial's name in Ray Tune and MLflow, which is the name of its directory."""
    return Path(trial_directory(trial.config["number"])).name


def _mlflow(uri: str | None, run: Run) -> "Callback":
    quiet_mlflow()
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    def stopping(method: str) -> Any:
        """Return the callback's method, which stops the search, with its trials unfinished, if it fails."""

        def log(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                getattr(super(Unpickled, self), method)(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - what may be raised differs from store to store
                reason = refused(error) if uri else refused(error, f"the run's {MLFLOW}")
                raise stopped(run.reference, reason) from None

        return log

    class Unpickled(MLflowLoggerCallback):  # type: ignore[misc]
        """Pickles as an empty object, because Ray writes callbacks to a file and the URI may be secret."""

        setup, log_trial_start = stopping("setup"), stopping("log_trial_start")
        log_trial_result, log_trial_end = stopping("log_trial_result"), stopping("log_trial_end")

        def __reduce__(self) -> tuple[Any, ...]:
            return (object, ())

    return Unpickled(
        tracking_uri=uri or f"sqlite:///{run.path / MLFLOW}", experiment_name=f"trajtune {run.name}"
    )

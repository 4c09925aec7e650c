"""Logging to MLflow in addition to the study, by Ray Tune's own callback."""

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment.settings import TrackingSettings
from trajtune.search.runs.directory import Run
from trajtune.search.study.trial_records import trial_directory
from trajtune.storage.path import is_uri

if TYPE_CHECKING:
    from ray.tune import Callback

MLFLOW: Final = "mlflow.db"
"""MLflow's database in the run directory, unless `URI_VARIABLE` names another store."""

URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"


def check_tracking(settings: TrackingSettings, runs: str) -> None:
    """Check, before a search starts, that MLflow is installed and can write where the runs are.

    Raises:
        RunError: If MLflow is wanted and the extra is not installed, or the runs are in an object store and
            `URI_VARIABLE` is not set.
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


@contextmanager
def tracked(settings: TrackingSettings, run: Run) -> "Iterator[list[Callback]]":
    """Ray Tune's callbacks for the experiment's tracking, for the block."""
    if not settings.mlflow:
        yield []
        return
    before = os.environ.get(URI_VARIABLE)
    try:
        yield [_mlflow(before or f"sqlite:///{run.path / MLFLOW}", run)]
    finally:
        # The callback has changed mlflow's own setting, and through that the environment.
        import mlflow

        mlflow.set_tracking_uri(None)
        if before is not None:
            os.environ[URI_VARIABLE] = before


def trial_name(trial: Any) -> str:
    """A trial's name in Ray Tune and MLflow: that of its directory."""
    return Path(trial_directory(trial.config["number"])).name


def _mlflow(uri: str, run: Run) -> "Callback":
    # Read by mlflow when it is imported; a user's own setting wins.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)

    class Unpickled(MLflowLoggerCallback):  # type: ignore[misc]
        """Ray pickles its callbacks into a file that would hold the URI, maybe with a password."""

        def __reduce__(self) -> tuple[Any, ...]:
            return (object, ())

    return Unpickled(tracking_uri=uri, experiment_name=f"trajtune {run.name}")

"""Logging to MLflow and TensorBoard, beside the study, through Ray Tune's own callbacks."""

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

TENSORBOARD: Final = "tensorboard"
"""Folder below the run."""

MLFLOW: Final = "mlflow.db"
"""MLflow's store below the run, unless `URI_VARIABLE` names another; its file store is no longer kept up."""

URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"


def check_tracking(settings: TrackingSettings, runs: str) -> None:
    """Refuse what is not installed, or cannot write to where the runs are, before a search begins.

    Raises:
        RunError: If a setting needs the extra, or a directory in place of an object store.
    """
    if is_uri(runs) and (settings.tensorboard or (settings.mlflow and not os.environ.get(URI_VARIABLE))):
        raise RunError(
            f"`tracking` writes files beside the run, which cannot grow in an object store, {runs}. "
            f"Set {URI_VARIABLE} to an MLflow server's, or leave `tracking` out."
        )
    for wanted, package in ((settings.mlflow, "mlflow"), (settings.tensorboard, "tensorboardX")):
        if wanted and importlib.util.find_spec(package) is None:
            raise RunError(
                f"The experiment's `tracking` needs {package}, which is not installed. "
                "Run `pip install 'trajtune[tracking]'`."
            )


@contextmanager
def tracked(settings: TrackingSettings, run: Run) -> "Iterator[list[Callback]]":
    """Ray's callbacks for what the experiment asks for, while the block runs."""
    before = os.environ.get(URI_VARIABLE)
    try:
        yield [
            *([_mlflow(before or f"sqlite:///{run.path / MLFLOW}", run)] if settings.mlflow else []),
            *([_tensorboard(Path(str(run.path)) / TENSORBOARD)] if settings.tensorboard else []),
        ]
    finally:
        if settings.mlflow:
            # The callback has changed mlflow's own setting, and through that the environment.
            import mlflow

            mlflow.set_tracking_uri(None)
            if before is not None:
                os.environ[URI_VARIABLE] = before


def trial_name(trial: Any) -> str:
    """What a trial is called there: as its directory."""
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


def _tensorboard(folder: Path) -> "Callback":
    from ray.tune.logger import TBXLoggerCallback

    class RunTensorBoard(TBXLoggerCallback):  # type: ignore[misc]
        """Writes into the run; Ray's own writes where the session's files go, and those go with it."""

        def log_trial_start(self, trial: Any) -> None:
            self._trial_writer[trial] = self._summary_writer_cls(
                str(folder / trial_name(trial)), flush_secs=5
            )
            self._trial_result[trial] = {}

        def __reduce__(self) -> tuple[Any, ...]:
            return (object, ())

    return RunTensorBoard()

"""How an MLflow store is reached: named by the environment alone, quiet, and without long waits."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"


def quiet_mlflow() -> None:
    """Stop MLflow's telemetry and its messages; to be called before MLflow is imported.

    One of the messages shows the store's address, which may hold a password.
    """
    # A user's own settings win.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)


def refused(error: Exception, where: str = f"the store that {URI_VARIABLE} names") -> str:
    """What MLflow could not use; quotes neither the URI, which may hold a password, nor the error."""
    return f"MLflow cannot use {where} ({type(error).__name__})"


@contextmanager
def few_retries() -> Iterator[None]:
    """By default MLflow tries a server that is away for several minutes."""
    wanted = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    own = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name, None)

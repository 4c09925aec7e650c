"""What commands take from names, flags and the environment."""

import os
import re
import sys
from typing import TYPE_CHECKING

import typer

from trajtune.errors import ExperimentError, SourceError

if TYPE_CHECKING:
    from trajtune.experiment.settings import Experiment


def experiment_of(name: str | None, *, reads_source: bool = True) -> "Experiment":
    """The experiment by name; with none, the default on the database or on simulated careers.

    Without ``reads_source``, a snapshot is in the source's place and no database is needed.
    """
    from trajtune.experiment.load import load_experiment
    from trajtune.experiment.sources import PostgresSource, SimulatedSource

    experiment = load_experiment(name or "default")
    reads_postgres = isinstance(experiment.source, PostgresSource) and reads_source
    if not reads_postgres or os.environ.get("POSTGRES_URL"):
        return experiment
    if name is not None:
        raise ExperimentError(
            f"The experiment {name} reads PostgreSQL, but POSTGRES_URL is not set. Set it, or put it in .env."
        )
    print(
        "POSTGRES_URL is not set: using SIMULATED careers in an embedded PostgreSQL. "
        "Set POSTGRES_URL to use your own.",
        file=sys.stderr,
    )
    return experiment.model_copy(update={"source": SimulatedSource()})


def seconds(text: str | None) -> float | None:
    """``90s``, ``30m`` or ``2h`` in seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None or float(match[1]) == 0:
        raise typer.BadParameter(f"a time is a positive number and s, m or h, as 30m, but got {text!r}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def database_url() -> str:
    """The database's URL, which the environment alone holds."""
    url = os.environ.get("POSTGRES_URL")
    if not url:
        raise SourceError("POSTGRES_URL is not set. Set it to the database's URL, or put it in .env.")
    return url

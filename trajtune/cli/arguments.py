"""Arguments and options that several commands take, and the experiment and database that they name."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajtune.cli.completion import experiment_names, run_names, space_names
from trajtune.errors import ExperimentError, SourceError

if TYPE_CHECKING:
    from trajtune.experiment.settings import Experiment

ExperimentName = Annotated[
    str | None,
    typer.Argument(
        metavar="EXPERIMENT",
        help="A name in experiments/ or a path to a YAML file.",
        autocompletion=experiment_names,
    ),
]
SpaceName = Annotated[
    str | None, typer.Option(help="A name in search_spaces/ or a path.", autocompletion=space_names)
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="A run's name or path; the latest if left out.", autocompletion=run_names
    ),
]
ResumedRun = Annotated[
    str | None,
    typer.Option(help="Resume this run, or extend it with more --trials.", autocompletion=run_names),
]
WarmRun = Annotated[
    str | None,
    typer.Option(help="Start with the best configurations of this earlier run.", autocompletion=run_names),
]
SnapshotPath = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="Use this snapshot (a directory or s3://...) instead of preparing one."
    ),
]
SnapshotOfRun = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="Where the run's snapshot is now (a directory or s3://...)."),
]
Address = Annotated[str | None, typer.Option(help="Join a Ray cluster: auto or host:port.")]
Checkpoint = Annotated[Path, typer.Option(help="A checkpoint, for example best.pt.")]
DataPath = Annotated[
    str,
    typer.Option(
        metavar="PATH", help="A snapshot's directory or s3://... URI, or the directory that holds snapshots."
    ),
]
BundlePath = Annotated[Path, typer.Argument(help="A bundle's directory.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting in place of the experiment's; may be repeated."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Also show Ray's logs.")]


def experiment_of(
    name: str | None, assignments: Sequence[str] | None = None, *, reads_source: bool = True
) -> "Experiment":
    """The experiment by name; with none, the default on the database or on simulated careers.

    Args:
        name: A name in ``experiments/`` or a path.
        assignments: What ``--set`` was given.
        reads_source: False if a snapshot replaces the source, so that no database is needed.
    """
    from trajtune.experiment.load import load_experiment, parse_settings
    from trajtune.experiment.sources import PostgresSource, SimulatedSource

    settings = parse_settings(assignments or ())
    experiment = load_experiment(name or "default", settings)
    reads_postgres = isinstance(experiment.source, PostgresSource) and reads_source
    if not reads_postgres or os.environ.get("POSTGRES_URL"):
        return experiment
    if name is not None or any(key.partition(".")[0] == "source" for key in settings):
        raise ExperimentError(
            f"The experiment {name or 'default'} reads PostgreSQL, but POSTGRES_URL is not set. Set it, or "
            "put it in .env."
        )
    print(
        "POSTGRES_URL is not set: using SIMULATED careers in an embedded PostgreSQL. "
        "Set POSTGRES_URL to use your own.",
        file=sys.stderr,
    )
    return experiment.model_copy(update={"source": SimulatedSource()})


def database_url() -> str:
    """The database's URL, which is read from the environment only."""
    url = os.environ.get("POSTGRES_URL")
    if not url:
        raise SourceError("POSTGRES_URL is not set. Set it to the database's URL, or put it in .env.")
    return url

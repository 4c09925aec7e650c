"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.completion import experiment_names, run_names, space_names

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
    typer.Option(help="Go on with this run, or extend it with more --trials.", autocompletion=run_names),
]
WarmRun = Annotated[
    str | None,
    typer.Option(help="Begin with the best configurations of this earlier run.", autocompletion=run_names),
]
SnapshotPath = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="Use this snapshot (a directory or s3://...) instead of preparing one."
    ),
]
Address = Annotated[str | None, typer.Option(help="Join a Ray cluster: auto or host:port.")]
Checkpoint = Annotated[Path, typer.Option(help="A checkpoint, as best.pt.")]
DataPath = Annotated[str, typer.Option(metavar="PATH", help="A snapshot's directory, or its s3://... URI.")]
BundlePath = Annotated[Path, typer.Argument(help="A bundle's directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Let Ray speak, too.")]

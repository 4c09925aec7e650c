"""``trajtune train``: train one configuration without a search."""

import os
from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import ExperimentName, Set, SnapshotPath, Verbose, experiment_of
from trajtune.stages import loading


def train(
    experiment: ExperimentName = None,
    output: Annotated[Path, typer.Option(help="Directory for checkpoints, log and curves.")] = Path("models"),
    epochs: Annotated[int | None, typer.Option(min=1, help="Maximum number of epochs.")] = None,
    research_default: Annotated[
        bool,
        typer.Option("--research-default", help="Train the specification's model, not `training`."),
    ] = False,
    settings: Set = None,
    snapshot: SnapshotPath = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted training.")] = False,
    db_url: Annotated[
        str | None,
        typer.Option(
            envvar="POSTGRES_URL",
            help="URL of the database. Other users can see it on the command line; prefer the variable.",
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train the experiment's configuration, without a search.

    Example: trajtune train research_default --epochs 50 --output models/
    """
    with loading():
        from trajtune.cluster import ray_session
        from trajtune.dataset.prepare import prepare as prepare_snapshot
        from trajtune.dataset.snapshot import open_snapshot
        from trajtune.experiment.params import RESEARCH_DEFAULT
        from trajtune.page.format import metric_value
        from trajtune.searching.train_single import train_single

    if db_url:
        os.environ["POSTGRES_URL"] = db_url
    resolved = experiment_of(experiment, settings, reads_source=snapshot is None)
    if epochs or research_default:
        params = RESEARCH_DEFAULT if research_default else resolved.training
        params = params.model_copy(update={"max_epochs": epochs or params.max_epochs})
        resolved = resolved.model_copy(update={"training": params})
    if snapshot:
        data = open_snapshot(snapshot)
    else:
        with ray_session(verbose=verbose):
            data = prepare_snapshot(resolved, progress=True)
    metric = resolved.search.metric
    for report in train_single(resolved, data, output, resume=resume):
        print(
            f"epoch {report['epoch']:>3}  train loss {metric_value(report['train_loss'])}  "
            f"{metric} {metric_value(report[metric])}  {report['seconds']:.1f} s",
            flush=True,
        )
    print(output / "best.pt")

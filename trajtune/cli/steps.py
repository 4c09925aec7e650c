"""The single steps, for one configuration without a search."""

import os
from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Checkpoint, DataPath, ExperimentName, SnapshotPath, Verbose
from trajtune.cli.inputs import experiment_of
from trajtune.cli.output import as_json_text


def train(
    experiment: ExperimentName = None,
    output: Annotated[Path, typer.Option(help="Directory for checkpoints, log and curves.")] = Path("models"),
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    snapshot: SnapshotPath = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    db_url: Annotated[
        str | None,
        typer.Option(envvar="POSTGRES_URL", help="The database; others see it here, so use the variable."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train one configuration, the experiment's, without a search.

    Example: trajtune train research_default --epochs 50 --output models/
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.snapshot import open_snapshot
    from trajtune.search.train_single import train_single

    if db_url:
        os.environ["POSTGRES_URL"] = db_url
    resolved = experiment_of(experiment, reads_source=snapshot is None)
    if epochs:
        params = resolved.training.model_copy(update={"max_epochs": epochs})
        resolved = resolved.model_copy(update={"training": params})
    if snapshot:
        data = open_snapshot(snapshot)
    else:
        with ray_session(verbose=verbose):
            data = prepare_snapshot(resolved, progress=True)
    for report in train_single(resolved, data, output, resume=resume):
        print(
            f"epoch {report['epoch']:>3}  train loss {report['train_loss']:.4f}  "
            f"val_next_role_nll {report['val_next_role_nll']:.4f}  {report['seconds']:.1f} s",
            flush=True,
        )
    print(output / "best.pt")


def export(
    checkpoint: Checkpoint,
    vocab: Annotated[Path, typer.Option(help="A vocabulary file.")],
    output: Annotated[Path, typer.Option(help="The file to write, ending in .onnx.")],
) -> None:
    """Export a checkpoint to ONNX, with its vocabulary beside it.

    Example: trajtune export --checkpoint models/best.pt --vocab models/vocabulary.json --output m.onnx
    """
    from trajtune.finalize.single_steps import export_checkpoint

    print(as_json_text(export_checkpoint(checkpoint, vocab, output)))


def calibrate(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[Path, typer.Option(help="Directory for the table and the pickle.")],
) -> None:
    """Fit the confidence calibration of a checkpoint on a snapshot's val split.

    Example: trajtune calibrate --checkpoint models/best.pt --data-path snapshots/ID --output models/
    """
    from trajtune.finalize.single_steps import calibrate_checkpoint

    print(as_json_text(calibrate_checkpoint(checkpoint, data_path, output)))


def evaluate(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[Path, typer.Option(help="Directory for metrics.json and reports; must not exist.")],
) -> None:
    """Measure a checkpoint on a snapshot's test split; the snapshot's ledger remembers it.

    Example: trajtune evaluate --checkpoint models/best.pt --data-path snapshots/ID --output evaluation/
    """
    from trajtune.finalize.single_steps import evaluate_checkpoint

    evaluate_checkpoint(checkpoint, data_path, output)
    print(output / "evaluation_report.md")

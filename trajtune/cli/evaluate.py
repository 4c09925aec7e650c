"""``trajtune evaluate``: measure a checkpoint on the test split."""

from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Checkpoint, DataPath


def evaluate(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[Path, typer.Option(help="Directory for metrics.json and reports; must not exist.")],
) -> None:
    """Measure a checkpoint on a snapshot's test split; the snapshot's ledger records it.

    Example: trajtune evaluate --checkpoint models/best.pt --data-path snapshots/ID --output evaluation/
    """
    from trajtune.finalize.single_steps import evaluate_checkpoint

    evaluate_checkpoint(checkpoint, data_path, output)
    print(output / "evaluation_report.md")

"""``trajtune evaluate``: measure a checkpoint on the test split."""

from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Checkpoint, DataPath
from trajtune.stages import loading


def evaluate(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[
        Path,
        typer.Option(help="The report to write, X.md, with X.json and X.html beside it; or a new directory."),
    ],
) -> None:
    """Measure a checkpoint on a snapshot's test split, and record that in its ledger.

    Example: trajtune evaluate --checkpoint models/best.pt --data-path snapshots/ --output report.md
    """
    with loading():
        from trajtune.bundle.manifest import REPORT
        from trajtune.finalizing.single_steps import MARKDOWN, evaluate_checkpoint

    evaluate_checkpoint(checkpoint, data_path, output)
    print(output if output.suffix == MARKDOWN else output / REPORT)

"""``trajtune calibrate``: fit the confidence calibration of a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Checkpoint, DataPath
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def calibrate(
    checkpoint: Checkpoint,
    data_path: DataPath,
    output: Annotated[
        Path, typer.Option(help="The pickle to write, X.pkl, with its table beside it; or a directory.")
    ],
) -> None:
    """Fit the confidence calibration of a checkpoint on a snapshot's val split.

    Example: trajtune calibrate --checkpoint models/best.pt --data-path snapshots/ --output c.pkl
    """
    with loading():
        from trajtune.finalizing.single_steps import calibrate_checkpoint

    print(as_json_text(calibrate_checkpoint(checkpoint, data_path, output)))

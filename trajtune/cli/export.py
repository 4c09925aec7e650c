"""``trajtune export``: write a checkpoint as an ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Checkpoint
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def export(
    checkpoint: Checkpoint,
    vocab: Annotated[Path, typer.Option(help="The vocabulary file of the checkpoint.")],
    output: Annotated[Path, typer.Option(help="The file to write, ending in .onnx.")],
) -> None:
    """Export a checkpoint to ONNX, with its vocabulary beside it.

    Example: trajtune export --checkpoint models/best.pt --vocab models/vocab.json --output m.onnx
    """
    with loading():
        from trajtune.finalizing.single_steps import export_checkpoint

    print(as_json_text(export_checkpoint(checkpoint, vocab, output)))

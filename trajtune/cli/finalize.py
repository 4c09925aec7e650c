"""``trajtune finalize``: make the bundle of a run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from trajtune.cli.arguments import Address, AsJson, RunName, SnapshotOfRun, Verbose
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def finalize(
    run: RunName = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the bundle; bundles/RUN if left out.")
    ] = None,
    snapshot: SnapshotOfRun = None,
    require_gates: Annotated[bool, typer.Option(help="Exit 3 unless every gate passes.")] = False,
    as_json: AsJson = False,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Refit the best, export, calibrate, evaluate on the test split once, write the bundle.

    Example: trajtune finalize --require-gates
    """
    with loading(shown=not as_json):
        from trajtune.bundle.manifest import METRICS
        from trajtune.finalizing import run as finalizing
        from trajtune.finalizing.report.verdict import closing

    bundle = finalizing.finalize(run, out=out, snapshot=snapshot, address=address, verbose=verbose)
    metrics = json.loads((bundle / METRICS).read_text("utf-8"))
    shown = {name: metrics[name] for name in ("winner", "params", "test", "gates")}
    said = {"verdict": " ".join(closing(metrics))}
    print(as_json_text({"bundle": str(bundle), **said, **shown}) if as_json else bundle)
    if require_gates:
        finalizing.demand_gates(bundle, metrics["gates"])

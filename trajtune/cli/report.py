"""``trajtune report``: write one HTML page about a run, in any state, or about a bundle."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajtune.cli.completion import run_names
from trajtune.errors import BundleError, RunError
from trajtune.stages import loading

if TYPE_CHECKING:
    from trajtune.storage.path import StoredPath


def report(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN_OR_BUNDLE",
            help="A run's name or path, or a bundle's path. Default: the latest run.",
            autocompletion=run_names,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write. Default: report.html in the run, or NAME-report.html here for a bundle.",
        ),
    ] = None,
) -> None:
    """Write one HTML page about a search, which may still be running, or about a bundle.

    Example: trajtune report first
    """
    from trajtune.bundle.manifest import MANIFEST, METRICS

    if target is not None and all((Path(target) / name).is_file() for name in (MANIFEST, METRICS)):
        print(_of_bundle(Path(target), output))
    else:
        print(_of_run(target, output))


def _of_run(name: str | None, output: Path | None) -> "StoredPath":
    with loading():
        from trajtune.searching.runs.directory import open_run
        from trajtune.searching.show.report.html import write_search_report

    try:
        run = open_run(name)
    except RunError as error:
        if name is None or not Path(name).exists():
            raise
        raise RunError(
            f"{name} is neither a run nor a bundle. Give the path that `trajtune search` or `finalize` "
            "printed."
        ) from error
    path = output or run.path / "report.html"
    write_search_report(run, path)
    return path


def _of_bundle(bundle: Path, output: Path | None) -> Path:
    with loading():
        from trajtune.bundle.bundle import load_bundle
        from trajtune.bundle.manifest import METRICS, check_file, read_manifest
        from trajtune.finalizing.report.html import write_html_report
        from trajtune.searching.runs.directory import open_run

    path = output or Path(f"{bundle.resolve().name}-report.html")
    if path.resolve().is_relative_to(bundle.resolve()):
        raise BundleError(
            f"A bundle's files must not change, but {path} is in {bundle}. Give another --output."
        )
    check_file(bundle, METRICS, read_manifest(bundle))
    metrics = json.loads((bundle / METRICS).read_text("utf-8"))
    if "result" not in metrics.get("gates", {}).get("parity", {}):
        raise BundleError(
            f"{bundle} was written by an earlier version, and lacks data for this report. "
            f"Read {bundle / 'report.html'}."
        )
    try:
        run = open_run(metrics["run"])
        same = run.snapshot_id == metrics["snapshot"]
        search = run if same else f"The run {run.name} here searched on another snapshot, so it is not shown."
    except RunError:
        search = f"The run {metrics['run']} is not here, so the search is not shown."
    write_html_report(metrics, path, search, load_bundle(bundle))
    return path

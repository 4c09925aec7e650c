"""Finalize: turns a run into a bundle. This module only has the order of the steps."""

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trajtune.bundle.bundle import Bundle
from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import (
    CALIBRATION,
    CALIBRATOR,
    CHECKPOINT,
    HTML_REPORT,
    METRICS,
    MODEL,
    MODEL_CARD,
    PROBES,
    REPORT,
    SCHEMA_VERSION,
    TEST_PEOPLE,
    VOCABULARY,
)
from trajtune.bundle.people import TestPeople, write_test_people
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import roles_not_read
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import GateError
from trajtune.finalizing.build import VAL, WINDOW, calibrate, export_checked
from trajtune.finalizing.bundle_directory import (
    bundle_directory,
    refuse_existing,
    refuse_unservable,
    write_manifest,
)
from trajtune.finalizing.calibrate.isotonic import refuse_too_few, save_calibrator
from trajtune.finalizing.calibrate.priors import priors_of
from trajtune.finalizing.choose import choose
from trajtune.finalizing.console import print_verdict
from trajtune.finalizing.evaluate.gates import gates, not_passed
from trajtune.finalizing.evaluate.last_transitions import histories
from trajtune.finalizing.evaluate.on_test import measure_on_test, origin
from trajtune.finalizing.export.latency import measure_latency
from trajtune.finalizing.export.probes import write_probes
from trajtune.finalizing.report.html import write_html_report
from trajtune.finalizing.report.markdown import generate_report
from trajtune.finalizing.report.model_card import model_card
from trajtune.finalizing.selection import selection_record
from trajtune.model.checkpoint import build_model, save_checkpoint, vocabulary_id
from trajtune.model.threads import one_thread
from trajtune.notebook import is_notebook
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.stages import stage
from trajtune.storage.files import write_json
from trajtune.storage.path import StoredPath

Progress = Callable[[str], None]
_PACKAGES = (
    "trajtune",
    "torch",
    "onnx",
    "onnxscript",
    "onnxsim",
    "onnxruntime",
    "scikit-learn",
    "numpy",
    "ray",
)
_PARITY_CAREERS = 64
_LATENCY_CAREERS = 500


@one_thread()
def finalize(
    run: Run | Path | str | None = None,
    *,
    out: Path | str | None = None,
    snapshot: Snapshot | StoredPath | str | None = None,
    require_gates: bool = False,
    address: str | None = None,
    verbose: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Refit the best trials, choose on val, refit the winner on everything known, export, and test once.

    Every argument but ``progress`` is one of ``trajtune finalize`` too::

        bundle = load_bundle(finalize(run, out="bundles/mine"))

    Args:
        run: A run with at least one finished trial, its path or its name; None: the latest.
        out: The bundle's directory, which must not exist; None: ``<storage.bundles>/<run>``.
        snapshot: The run's snapshot, its path or its URI; None: its recorded path, or ``storage.snapshots``.
        require_gates: Whether to raise unless every gate passes; the bundle is kept and marked.
        address: A Ray cluster to join; None: Ray is started here, or an open session is used.
        verbose: Whether to show Ray's logs.
        progress: Called with a line about each step; None: lines go to stderr, in a notebook to stdout.

    Returns:
        The bundle's directory.

    Raises:
        BundleError: If the bundle's path exists, or the service could not read from there.
        RunError: If no trial of the run has a result.
        SnapshotError: If the run's snapshot is missing or has another id.
        TrainingError: If nothing could be refitted, or if val is too small to calibrate.
        ExportError: If the exported graph does not match the model.
        GateError: See ``require_gates``.
    """
    say = progress or _say
    if not isinstance(run, Run):
        run = open_run(run)
    path = Path(out) if out else Path(run.experiment.storage.bundles) / run.name
    refuse_existing(path)
    refuse_unservable(path)
    settings = run.experiment.finalize
    snapshot = snapshot_of_run(run, snapshot.path if isinstance(snapshot, Snapshot) else snapshot)
    on_known = settings.refit_on == "known"
    division = snapshot.refit if on_known else snapshot
    val = division.read("val")  # if refitted on everything known, this is the calibration window
    refuse_too_few(val.arrays.num_careers)  # before hours of refitting, not after
    say(f"finalizing {run.name}")
    with ray_session(address, verbose=verbose):
        choice = choose(run, snapshot, division, verbose=verbose, say=say)
    encoder = division.encoder()
    careers = histories(val, _LATENCY_CAREERS)
    with bundle_directory(path) as folder:
        name = WINDOW if on_known else VAL
        train, params = division.arrays("train"), choice.winner.params
        priors = priors_of(train, params)
        with stage("Calibrating", shown=progress is None):
            calibrated = calibrate(build_model(choice.state), val, settings, name, priors)
        with stage("Exporting to ONNX and comparing with torch", shown=progress is None):
            export = export_checked(calibrated.module, folder / MODEL, careers[:_PARITY_CAREERS])
        graph = Graph(folder / MODEL)
        encoder.save(folder / VOCABULARY)
        save_calibrator(calibrated.calibrator, folder / CALIBRATOR)
        calibrated.table.save(folder / CALIBRATION)
        save_checkpoint(
            {**choice.state, "vocabulary": vocabulary_id(encoder), "refit_on": settings.refit_on},
            folder / CHECKPOINT,
        )
        say("evaluating on the test split")
        metrics = {
            **origin(snapshot, division, run.name),
            **selection_record(choice.winner, choice.exported, choice.refits, choice.as_exported),
            "ngram_share": choice.mixture.ngram_share,
            "history": dict(
                zip(("careers", "roles"), roles_not_read(train, params.max_history), strict=True)
            ),
            **measure_on_test(
                *(division, graph, choice.references),
                ngram_choice=choice.mixture.choice,
                run=run.name,
                purpose="finalize",
                settings=settings,
                keep=lambda own: write_test_people(TestPeople(own.rank, own.nll), folder / TEST_PEOPLE),
            ),
            "calibration": calibrated.record,
            "export": export,
            "latency": measure_latency(graph, folder / MODEL, careers),
        }
        metrics["gates"] = gates(metrics, settings)
        write_json(folder / METRICS, metrics)
        with stage("Writing the report", shown=progress is None):
            generate_report(metrics, folder)
            write_html_report(metrics, folder / HTML_REPORT, run, Bundle(folder, {}, encoder, graph))
        (folder / MODEL_CARD).write_text(model_card(metrics), encoding="utf-8")
        write_probes(calibrated.module, encoder, folder / PROBES)
        write_manifest(folder, _manifest(run, snapshot, metrics))
    print_verdict(metrics, progress)
    if require_gates:
        demand_gates(path, metrics["gates"])
    return path


def demand_gates(bundle: Path, decided: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise unless every gate has passed.

    Raises:
        GateError: If a gate failed or has too few people.
    """
    if reasons := not_passed(decided):
        raise GateError(f"Every gate must pass, but {reasons}. Read {bundle / REPORT}.")


def _manifest(run: Run, snapshot: Snapshot, metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run.name,
        "snapshot": snapshot.id,
        "source": dict(snapshot.manifest["source"]),
        "experiment": run.experiment.model_dump(mode="json"),
        "refit_on": metrics["refit_on"],
        "cutoffs": metrics["cutoffs"],
        "as_of": metrics["as_of"],
        "titles": metrics["data"]["titles"],
        "params": metrics["params"],
        "winner": metrics["winner"],
        "seeds": sorted({refit["seed"] for refit in metrics["refits"]}),
        "calibration": metrics["calibration"],
        "hireability_label": metrics["hireability_label"],
        "gates": {name: gate["passed"] for name, gate in metrics["gates"].items()},
        "gates_passed": not not_passed(metrics["gates"]),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _say(line: str) -> None:
    print(line, file=sys.stdout if is_notebook() else sys.stderr)  # a notebook shows stderr in red

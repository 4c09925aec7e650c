"""The single steps export, calibrate and evaluate, on files and without a run."""

from pathlib import Path
from typing import Any

from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import CALIBRATION, CALIBRATOR, HTML_REPORT, METRICS
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import ExportError, TrainingError
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalize.build import VAL, WINDOW, calibrate, export_checked
from trajtune.finalize.bundle_directory import bundle_directory, refuse_existing
from trajtune.finalize.calibrate.comparison import cross_fitted
from trajtune.finalize.calibrate.isotonic import save_calibrator
from trajtune.finalize.calibrate.priors import priors_of
from trajtune.finalize.evaluate.evaluate import evaluate_calibration
from trajtune.finalize.evaluate.gates import gates
from trajtune.finalize.evaluate.last_transitions import histories
from trajtune.finalize.evaluate.on_test import References, measure_on_test, origin
from trajtune.finalize.export.latency import measure_latency
from trajtune.finalize.export.to_onnx import check_graph, export_to_onnx, simplify_onnx
from trajtune.finalize.report.html import write_html_report
from trajtune.finalize.report.markdown import generate_report
from trajtune.model.baselines.ngram import choose_ngram
from trajtune.model.checkpoint import State, build_model, load_checkpoint, params_of, vocabulary_id
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict
from trajtune.model.threads import one_thread
from trajtune.storage.files import write_json
from trajtune.storage.path import StoredPath

_PARITY_CAREERS = 64


@one_thread()
def export_checkpoint(checkpoint: Path, vocab: Path, output: Path) -> dict[str, Any]:
    """Write a checkpoint as ``output`` (X.onnx), and its vocabulary next to it (X-vocab.json).

    The graph has the contract's three outputs; confidence is calibrated by `calibrate_checkpoint`.

    Args:
        checkpoint: A file that training wrote.
        vocab: A vocabulary file.
        output: The ONNX file; replaced if it exists.

    Returns:
        `check_graph` of the file.

    Raises:
        TrainingError: If the checkpoint cannot be read, or was trained with another vocabulary.
        ExportError: If the path does not end in .onnx, or the graph does not match the contract.
    """
    if output.suffix != ".onnx":
        raise ExportError(f"The model's file must end in .onnx, but got {output}. Name it so.")
    encoder = TitleEncoder.load(vocab)
    model = _model_of(load_checkpoint(checkpoint), checkpoint, encoder, str(vocab))
    output.parent.mkdir(parents=True, exist_ok=True)
    export_to_onnx(model, output)
    simplify_onnx(output)
    encoder.save(output.with_name(f"{output.stem}-vocab.json"))
    return check_graph(output)


@one_thread()
def calibrate_checkpoint(checkpoint: Path, data_path: str | StoredPath, output: Path) -> dict[str, Any]:
    """Fit the calibration of a checkpoint on a snapshot's val split.

    A bundle's checkpoint that was trained on everything known is calibrated on the calibration window.

    Args:
        checkpoint: A file that training wrote.
        data_path: The snapshot's directory, or its URI.
        output: Directory of the calibration table and the pickle; made if missing.

    Returns:
        Calibration metrics on val: ``_raw`` before, and after by cross-fitting.

    Raises:
        SnapshotError: If the snapshot is missing or altered.
        TrainingError: If the checkpoint does not fit, or val is too small.
    """
    state = load_checkpoint(checkpoint)
    division = _division_of(open_snapshot(data_path), state)
    model = _model_of(state, checkpoint, division.encoder(), str(data_path))
    val = division.read("val")
    priors = priors_of(division.read("train").arrays, params_of(state))
    calibrated = calibrate(model, val, FinalizeSettings(), _name_of_val(state), priors)
    output.mkdir(parents=True, exist_ok=True)
    calibrated.table.save(output / CALIBRATION)
    save_calibrator(calibrated.calibrator, output / CALIBRATOR)
    on_val = predict(model, val.arrays, examples_of(val.arrays, "last"))
    folded = cross_fitted(on_val.confidence, on_val.correct)
    after = calibrated.table(on_val.confidence) if folded is None else folded
    return {
        "num_examples": len(on_val),
        "cross_fitted": folded is not None,
        **evaluate_calibration(on_val.confidence, after, on_val.correct),
    }


@one_thread()
def evaluate_checkpoint(checkpoint: Path, data_path: str | StoredPath, output: Path) -> dict[str, Any]:
    """Measure a checkpoint on a snapshot's test split, through an exported graph; the ledger records it.

    Args:
        checkpoint: A file that training wrote.
        data_path: The snapshot's directory, or its URI.
        output: Directory of ``metrics.json`` and the two reports; must not exist.

    Returns:
        The content of ``metrics.json``: that of a bundle without the search and the refits.

    Raises:
        BundleError: If the output exists.
        SnapshotError: If the snapshot is missing or altered.
        TrainingError: If the checkpoint does not fit, or val is too small to calibrate.
    """
    refuse_existing(output)
    snapshot = open_snapshot(data_path)
    state = load_checkpoint(checkpoint)
    division = _division_of(snapshot, state)
    model = _model_of(state, checkpoint, division.encoder(), str(data_path))
    train, val = division.read("train").arrays, division.read("val")
    settings = FinalizeSettings()
    with bundle_directory(output) as folder:
        priors = priors_of(train, params_of(state))
        calibrated = calibrate(model, val, settings, _name_of_val(state), priors)
        graph_file = folder / "graph.onnx"
        careers = histories(val, _PARITY_CAREERS)
        export = export_checked(calibrated.module, graph_file, careers)
        graph = Graph(graph_file)
        metrics = {
            **origin(snapshot, division, str(checkpoint)),
            **measure_on_test(
                division,
                graph,
                References({}, division.encoder()),
                ngram_choice=choose_ngram(train, val.arrays, division.encoder().vocab_size),
                run=str(checkpoint),
                purpose="evaluate",
                coverage=settings.tenure_coverage,
            ),
            "calibration": calibrated.record,
            "export": export,
            "latency": measure_latency(graph, graph_file, careers),
        }
        metrics["gates"] = gates(metrics, nominal_coverage=settings.tenure_coverage)
        graph_file.unlink()
        write_json(folder / METRICS, metrics)
        generate_report(metrics, folder)
        no_search = "A single checkpoint was measured, so there is no search to show."
        write_html_report(metrics, folder / HTML_REPORT, no_search)
    return metrics


def _division_of(snapshot: Snapshot, state: State) -> Snapshot:
    """The division of a snapshot that a checkpoint was trained on: a bundle's may be on everything known."""
    return snapshot.refit if state.get("refit_on") == "known" else snapshot


def _name_of_val(state: State) -> str:
    return WINDOW if state.get("refit_on") == "known" else VAL


def _model_of(state: State, checkpoint: Path, encoder: TitleEncoder, where: str) -> CareerModel:
    if state["vocab_size"] != encoder.vocab_size:
        raise TrainingError(
            f"{checkpoint} was trained on {state['vocab_size'] - 1} titles, but {where} has "
            f"{encoder.vocab_size - 1}. Give the vocabulary that it was trained with."
        )
    if state.get("vocabulary", vocabulary_id(encoder)) != vocabulary_id(encoder):
        raise TrainingError(
            f"{checkpoint} was trained on other titles than {where} has, though on as many "
            f"({encoder.vocab_size - 1}). Give the vocabulary that it was trained with."
        )
    return build_model(state)

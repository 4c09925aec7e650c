"""The steps export, calibrate and evaluate, applied to files without a run."""

from pathlib import Path
from typing import Any, Final

from trajtune.bundle.graph import Graph
from trajtune.bundle.manifest import CALIBRATION, CALIBRATOR, HTML_REPORT, METRICS, REPORT
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.snapshot import MANIFEST, Snapshot, open_snapshot
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import ExportError, SnapshotError, TrainingError
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.build import VAL, WINDOW, calibrate, export_checked
from trajtune.finalizing.bundle_directory import bundle_directory, refuse_existing, refuse_unservable
from trajtune.finalizing.calibrate.comparison import cross_fitted
from trajtune.finalizing.calibrate.isotonic import save_calibrator
from trajtune.finalizing.calibrate.priors import priors_of
from trajtune.finalizing.evaluate.evaluate import evaluate_calibration
from trajtune.finalizing.evaluate.gates import gates
from trajtune.finalizing.evaluate.last_transitions import histories
from trajtune.finalizing.evaluate.on_test import References, measure_on_test, origin
from trajtune.finalizing.export.latency import measure_latency
from trajtune.finalizing.export.to_onnx import check_graph, export_to_onnx, simplify_onnx
from trajtune.finalizing.report.html import write_html_report
from trajtune.finalizing.report.markdown import generate_report
from trajtune.model.baselines.ngram import choose_ngram
from trajtune.model.checkpoint import State, build_model, load_checkpoint, params_of, vocabulary_id
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict
from trajtune.model.threads import one_thread
from trajtune.storage.atomic import local_staging_directory
from trajtune.storage.files import write_json
from trajtune.storage.path import StoredPath

PICKLE: Final = ".pkl"
MARKDOWN: Final = ".md"
_PARITY_CAREERS = 64


@one_thread()
def export_checkpoint(checkpoint: Path, vocab: Path, output: Path) -> dict[str, Any]:
    """Write a checkpoint as ``output`` (X.onnx), and its vocabulary beside it (X-vocab.json).

    The graph has the three outputs of the contract. `calibrate_checkpoint` calibrates the confidence.

    Args:
        checkpoint: A file that training wrote.
        vocab: A vocabulary file.
        output: The ONNX file; replaced if it exists.

    Returns:
        Result of `check_graph` for the file.

    Raises:
        TrainingError: If the checkpoint cannot be read or was trained with another vocabulary.
        BundleError: If the service could not find the vocabulary at that path.
        ExportError: If the path does not end in .onnx, or if the graph does not match the contract.
    """
    _check_name(output)
    encoder = TitleEncoder.load(vocab)
    model = _model_of(load_checkpoint(checkpoint), checkpoint, encoder, str(vocab))
    return export_model(model, encoder, output)


def export_model(model: CareerModel, encoder: TitleEncoder, output: Path) -> dict[str, Any]:
    """Write a model as ``output`` (X.onnx), and its vocabulary beside it (X-vocab.json).

    Raises:
        BundleError: If the service could not find the vocabulary at that path.
        ExportError: If the path does not end in .onnx, or if the graph does not match the contract.
    """
    _check_name(output)
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
        output: The pickle to write, X.pkl, with the calibration table beside it as X.json; or a directory
            for both, created if missing.

    Returns:
        Calibration metrics on val, before calibration (``_raw``) and after it (by cross-fitting).

    Raises:
        SnapshotError: If the snapshot is missing or altered.
        TrainingError: If the checkpoint does not match the snapshot, or if val is too small.
    """
    state = load_checkpoint(checkpoint)
    division = _division_of(_snapshot_at(data_path, state), state)
    model = _model_of(state, checkpoint, division.encoder(), str(data_path))
    val = division.read("val")
    priors = priors_of(division.arrays("train"), params_of(state))
    calibrated = calibrate(model, val, FinalizeSettings(), _name_of_val(state), priors)
    pickled = output if output.suffix == PICKLE else output / CALIBRATOR
    pickled.parent.mkdir(parents=True, exist_ok=True)
    calibrated.table.save(output.with_suffix(".json") if pickled == output else output / CALIBRATION)
    save_calibrator(calibrated.calibrator, pickled)
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
    """Measure a checkpoint on a snapshot's test split, with an exported graph; the ledger records it.

    Args:
        checkpoint: A file that training wrote.
        data_path: The snapshot's directory, or its URI.
        output: The report to write, X.md, with X.json and X.html beside it; or a directory for
            ``evaluation_report.md``, ``metrics.json`` and ``report.html``. None of them may exist.

    Returns:
        The content of ``metrics.json``, like that of a bundle but without the search and the refits.

    Raises:
        BundleError: If the output exists.
        SnapshotError: If the snapshot is missing or altered.
        TrainingError: If the checkpoint does not match the snapshot, or if val is too small to calibrate.
    """
    if output.suffix != MARKDOWN:
        return _evaluate(checkpoint, data_path, output)
    # The report is moved last, so that it never exists without the other two files.
    files = {METRICS: ".json", HTML_REPORT: ".html", REPORT: MARKDOWN}
    for suffix in files.values():
        refuse_existing(output.with_suffix(suffix))
    with local_staging_directory(output) as folder:
        written = folder / "evaluation"
        metrics = _evaluate(checkpoint, data_path, written)
        for name, suffix in files.items():
            (written / name).replace(output.with_suffix(suffix))
    return metrics


def _evaluate(checkpoint: Path, data_path: str | StoredPath, output: Path) -> dict[str, Any]:
    refuse_existing(output)
    state = load_checkpoint(checkpoint)
    snapshot = _snapshot_at(data_path, state)
    division = _division_of(snapshot, state)
    model = _model_of(state, checkpoint, division.encoder(), str(data_path))
    train, val = division.arrays("train"), division.read("val")
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
                settings=settings,
            ),
            "calibration": calibrated.record,
            "export": export,
            "latency": measure_latency(graph, graph_file, careers),
        }
        metrics["gates"] = gates(metrics, settings)
        graph_file.unlink()
        write_json(folder / METRICS, metrics)
        generate_report(metrics, folder)
        no_search = "A single checkpoint was measured, so there is no search to show."
        write_html_report(metrics, folder / HTML_REPORT, no_search)
    return metrics


def _check_name(output: Path) -> None:
    if output.suffix != ".onnx":
        raise ExportError(f"The model's file must end in .onnx, but got {output}. Give another name.")
    refuse_unservable(output.with_suffix(""))


def _snapshot_at(data_path: str | StoredPath, state: State) -> Snapshot:
    """Return the snapshot at a path or, in a directory of snapshots, the one that trained the checkpoint.

    Raises:
        SnapshotError: If there is none, or if more than one has the checkpoint's titles.
    """
    parent = Path(str(data_path))
    if (parent / MANIFEST).exists() or not parent.is_dir():
        return open_snapshot(data_path)
    paths = sorted(manifest.parent for manifest in parent.glob(f"*/{MANIFEST}"))
    found = [snapshot for snapshot in map(open_snapshot, paths) if _has_titles_of(snapshot, state)]
    if len(found) != 1:
        which = ", ".join(snapshot.path.name for snapshot in found) or "none"
        raise SnapshotError(
            f"Exactly one snapshot below {data_path} must have the checkpoint's titles, but of {len(paths)} "
            f"these do: {which}. Give the snapshot's own directory."
        )
    return found[0]


def _has_titles_of(snapshot: Snapshot, state: State) -> bool:
    encoder = _division_of(snapshot, state).encoder()
    return bool(state.get("vocabulary", vocabulary_id(encoder)) == vocabulary_id(encoder))


def _division_of(snapshot: Snapshot, state: State) -> Snapshot:
    """Return the part of a snapshot that a checkpoint was trained on, which may be everything known."""
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
            f"{checkpoint} was trained on other titles than those in {where}, although both have "
            f"{encoder.vocab_size - 1}. Give the vocabulary that it was trained with."
        )
    return build_model(state)

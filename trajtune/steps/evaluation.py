"""Calibrate and measure a model, and report the result."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike

from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.dataset.titles import TitleEncoder
from trajtune.experiment.gate_settings import GateSettings
from trajtune.finalizing.calibrate import isotonic
from trajtune.finalizing.evaluate import career_changers, evaluate
from trajtune.finalizing.evaluate.last_transitions import last_transitions
from trajtune.finalizing.export.graph_predictions import predict_with_graph
from trajtune.finalizing.report.markdown import report_text, table
from trajtune.model.batches import Loader
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict, predict_batches, with_outcomes
from trajtune.model.predictions import Predictions
from trajtune.page.format import number
from trajtune.steps.careers import encoded
from trajtune.steps.export import load_model
from trajtune.steps.training import encoder_of

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.isotonic import IsotonicRegression

_MAX_ERROR: Final = GateSettings().calibration_error


def train_calibrator(
    model: CareerModel, val_loader: Loader, device: str | torch.device = "cpu"
) -> "IsotonicRegression":
    """Fit isotonic regression from the top title's probability to being right.

    Args:
        model: The model. It is moved to ``device``; its training mode does not change.
        val_loader: Batches of careers that the model was not trained on.
        device: Device for the predictions.

    Returns:
        The fitted curve.

    Raises:
        TrainingError: If there are too few examples.

    Examples:
        >>> calibrator = train_calibrator(model, val_loader, "cpu")  # doctest: +SKIP
    """
    model.to(device)
    loader = Loader(val_loader.arrays, val_loader.examples, val_loader.batch_size, device=device)
    predictions = predict_batches(model, loader)
    return isotonic.train_calibrator(predictions.confidence, predictions.correct)


def save_calibrator(calibrator: "IsotonicRegression", path: str | Path) -> None:
    """Write the calibrator as a pickle. trajtune itself never reads it.

    Args:
        calibrator: Result of `train_calibrator`.
        path: Path of the file, which is written atomically.

    Examples:
        >>> save_calibrator(calibrator, "calibrator.pkl")  # doctest: +SKIP
    """
    isotonic.save_calibrator(calibrator, Path(path))


def evaluate_calibration(
    calibrator: "IsotonicRegression", raw_probs: ArrayLike, labels: ArrayLike
) -> dict[str, float | None]:
    """Compute calibration error and Brier score before (``_raw``) and after calibration.

    Args:
        calibrator: Result of `train_calibrator`.
        raw_probs: Probability of the top title, 0..1, ``[E]``, for careers that it was not fitted on.
        labels: Whether the top title was right, bool or 0 and 1, ``[E]``.

    Returns:
        ``ece`` (10 bins of equal width), ``ece_equal_mass`` and ``brier``, and each with the suffix ``_raw``.

    Examples:
        >>> _, _, predictions = evaluate(model, val_loader)  # doctest: +SKIP
        >>> confidence, correct = predictions.confidence, predictions.correct  # doctest: +SKIP
        >>> scores = evaluate_calibration(calibrator, confidence, correct)  # doctest: +SKIP
        >>> scores["ece"] <= scores["ece_raw"]  # doctest: +SKIP
        True
    """
    raw = np.asarray(raw_probs, np.float64)
    return evaluate.evaluate_calibration(raw, calibrator.predict(raw), np.asarray(labels, bool))


def evaluate_model(model_path: str | Path, test_loader: Loader) -> dict[str, Any]:
    """Measure a model on test examples.

    Args:
        model_path: An ONNX file, a checkpoint of trajtune, or a saved state dict.
        test_loader: Result of `create_dataloaders`, with the vocabulary of the model's training.

    Returns:
        Metrics by name: ``next_role_top1``, ``next_role_top5``, ``next_role_nll`` (nats), ``ece``, tenure and
        hireability; an undefined one is None, with its reason under ``<name>_reason``.

    Raises:
        TrainingError: If the model cannot be read.

    Examples:
        >>> _, test_loader = create_dataloaders(train, test, encoder)  # doctest: +SKIP
        >>> metrics = evaluate_model("trajectory-lstm.onnx", test_loader)  # doctest: +SKIP
    """
    path, arrays = Path(model_path), test_loader.arrays
    if path.suffix == ".onnx":
        graph = Graph(path)
        on_last = predict_with_graph(graph, arrays, test_loader.examples)
        of_others = partial(_with_graph, graph, arrays)
        on_test = with_outcomes(on_last.predictions, of_others, arrays)
        return evaluate.evaluate_model(on_test, on_last.calibrated_confidence, _MAX_ERROR)
    model = load_model(path)
    moves = predict_batches(model, test_loader)
    on_test = with_outcomes(moves, partial(predict, model, arrays), arrays)
    return evaluate.evaluate_model(on_test, moves.confidence, _MAX_ERROR)


def evaluate_career_changers(
    model: CareerModel, test_df: "pd.DataFrame", encoder: TitleEncoder | None = None
) -> dict[str, Any]:
    """Measure accuracy on people whose next title is another occupation.

    A model that repeats the current title fails on these people.

    Args:
        model: The model; its training mode does not change.
        test_df: A split of `temporal_split`.
        encoder: The vocabulary; None: the one from `train_epoch`.

    Returns:
        ``num``, ``top1``, ``top5``, ``mrr``, ``nll`` and more; see the metrics' reference page.

    Raises:
        TrainingError: If the vocabulary is unknown.

    Examples:
        >>> test_career_changers(model, test)["num"]  # doctest: +SKIP
        146
    """
    data = encoded(test_df, encoder_of(model, encoder))
    transitions = last_transitions(data)
    predictions = predict(model, data.arrays, transitions.examples)
    return career_changers.evaluate_career_changers(
        predictions, transitions.current_ids, transitions.changers
    )


test_career_changers = evaluate_career_changers
test_career_changers.__test__ = False  # type: ignore[attr-defined]  # keeps pytest from running it as a test


def generate_report(metrics: Mapping[str, Any]) -> str:
    """Write metrics as a page of Markdown.

    Args:
        metrics: Result of `evaluate_model`, possibly with further metrics, or a bundle's ``metrics.json``.

    Returns:
        The text of the page.

    Examples:
        >>> print(generate_report(metrics))  # doctest: +SKIP
        # Evaluation
        ...
    """
    if "gates" in metrics:
        return report_text(metrics)
    rows = [[name, number(value)] for name, value in metrics.items() if isinstance(value, float | int)]
    undefined = [
        f"- {name} is undefined: {metrics[f'{name}_reason']}."
        for name in metrics
        if f"{name}_reason" in metrics
    ]
    return (
        "\n\n".join(
            ["# Evaluation", table(["Metric", "Value"], rows), *(["\n".join(undefined)] if undefined else [])]
        )
        + "\n"
    )


def _with_graph(graph: Graph, arrays: CareerArrays, examples: Examples) -> Predictions:
    return predict_with_graph(graph, arrays, examples).predictions

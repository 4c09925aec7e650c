"""From a trained network to what is shipped: calibrate it on val, export it, show that nothing was lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.bundle import Graph
from trajtune.dataset.encode import SplitData
from trajtune.finalize.calibrate.comparison import compare_calibrations, cross_fitted, reliability
from trajtune.finalize.calibrate.conformal import conformal_margin
from trajtune.finalize.calibrate.isotonic import ENOUGH, CalibrationTable, table_of, train_calibrator
from trajtune.finalize.evaluate.last_transitions import moves_of
from trajtune.finalize.export.exported_module import ServedModel
from trajtune.finalize.export.parity import check_parity
from trajtune.finalize.export.to_onnx import check_graph, export_to_onnx, simplify_onnx
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

METHOD = "isotonic regression of being right on the top title's probability, fitted on val"


@dataclass(frozen=True)
class Calibrated:
    """A network with its calibration.

    Attributes:
        served: What is exported.
        calibrator: scikit-learn's object.
        table: Its curve.
        described: What ``metrics.json`` says of it.
    """

    served: ServedModel
    calibrator: "IsotonicRegression"
    table: CalibrationTable
    described: dict[str, Any]


def calibrate(model: CareerTrajectoryLSTM, val: SplitData, coverage: float) -> Calibrated:
    """Fit confidence and tenure interval on val.

    Args:
        model: In eval mode; its predictions on val come from torch, which the graph is held to later.
        val: The validation split.
        coverage: Nominal coverage of the tenure interval.

    Raises:
        TrainingError: If val is too small.
    """
    moves = moves_of(val)
    said = predict(model, val.arrays, moves.examples)
    calibrator = train_calibrator(said.confidence, said.correct)
    table = table_of(calibrator)
    margin = conformal_margin(said.tenure, said.tenure_months, coverage)
    folded = cross_fitted(said.confidence, said.correct)
    described: dict[str, Any] = {
        "method": METHOD,
        "num_examples": len(said),
        "num_knots": len(table.breakpoints),
        "compared_on_val": compare_calibrations(
            model, val.arrays, moves.examples, said.confidence, said.correct
        ),
        "reliability_val_raw": reliability(said.confidence, said.correct),
        "reliability_val": None if folded is None else reliability(folded, said.correct),
        "tenure_nominal_coverage": coverage,
        "tenure_margin_months": margin,
        "tenure_num_ended": int((~np.isnan(said.tenure_months)).sum()),
    }
    if len(said) < ENOUGH:
        described["warning"] = (
            f"val has {len(said)} people, under {ENOUGH}: the calibration is itself uncertain by many points"
        )
    if margin is None:
        described["tenure_margin_months_reason"] = (
            "too few roles of val have ended; the interval is the model's"
        )
    return Calibrated(
        ServedModel(model, model.vocab_size, table, margin or 0.0).eval(), calibrator, table, described
    )


def export_checked(served: ServedModel, path: Path, careers: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Export, simplify, check against the contract and against torch.

    Args:
        served: What to export.
        path: The ONNX file.
        careers: Title ids of real careers for the comparison.

    Raises:
        ExportError: If the graph is not exactly the model, or not what the contract says.
    """
    export_to_onnx(served, path)
    simplify_onnx(path)
    return {**check_graph(path), **check_parity(Graph(path), served, careers)}

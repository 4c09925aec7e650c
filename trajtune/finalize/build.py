"""From a trained model to the exported graph: calibrate it, export it, compare it with torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.encode import SplitData
from trajtune.finalize.calibrate.comparison import compare_calibrations, cross_fitted
from trajtune.finalize.calibrate.conformal import conformal_margin
from trajtune.finalize.calibrate.isotonic import ENOUGH, CalibrationTable, table_of, train_calibrator
from trajtune.finalize.export.exported_module import ExportedModule
from trajtune.finalize.export.parity import check_parity
from trajtune.finalize.export.to_onnx import check_graph, export_to_onnx, simplify_onnx
from trajtune.model.metrics import reliability
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict, with_outcomes

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

VAL: Final = "val"
WINDOW: Final = "the calibration window"
"""What the careers that calibrate are called in the record and the report."""

METHOD: Final = "isotonic regression of being right on the top title's probability, fitted on {}"


@dataclass(frozen=True)
class Calibrated:
    """A network with its calibration.

    Attributes:
        module: The module to export.
        calibrator: scikit-learn's object.
        table: Its curve.
        record: ``calibration`` of ``metrics.json``.
    """

    module: ExportedModule
    calibrator: "IsotonicRegression"
    table: CalibrationTable
    record: dict[str, Any]


def calibrate(model: CareerModel, val: SplitData, coverage: float, name: str = VAL) -> Calibrated:
    """Fit confidence and tenure interval on careers that the model was not trained on.

    Args:
        model: In eval mode; the predictions on val are torch's, which the graph must match later.
        val: The careers: those of val, or of the calibration window.
        coverage: Nominal coverage of the tenure interval.
        name: What to call them in the record: `VAL` or `WINDOW`.

    Raises:
        TrainingError: If val is too small.
    """
    examples = examples_of(val.arrays, "last")
    on_val = predict(model, val.arrays, examples)
    calibrator = train_calibrator(on_val.confidence, on_val.correct)
    table = table_of(calibrator)
    outcomes = with_outcomes(on_val, partial(predict, model, val.arrays), val.arrays).outcomes
    margin = conformal_margin(outcomes.tenure, outcomes.tenure_months, coverage)
    folded = cross_fitted(on_val.confidence, on_val.correct)
    record: dict[str, Any] = {
        "method": METHOD.format(name),
        "fitted_on": name,
        "num_examples": len(on_val),
        "num_knots": len(table.breakpoints),
        "compared_on_val": compare_calibrations(
            model, val.arrays, examples, on_val.confidence, on_val.correct
        ),
        "reliability_val_raw": reliability(on_val.confidence, on_val.correct),
        "reliability_val": None if folded is None else reliability(folded, on_val.correct),
        "tenure_nominal_coverage": coverage,
        "tenure_margin_months": margin,
        "tenure_num_ended": int((~np.isnan(outcomes.tenure_months)).sum()),
    }
    if len(on_val) < ENOUGH:
        record["warning"] = (
            f"{name} has {len(on_val)} people, under {ENOUGH}: the calibration is itself uncertain by many "
            "points"
        )
    if margin is None:
        record["tenure_margin_months_reason"] = (
            f"too few roles of {name} have ended; the interval is the model's"
        )
    return Calibrated(
        ExportedModule(model, model.vocab_size, table, margin or 0.0).eval(), calibrator, table, record
    )


def export_checked(
    module: ExportedModule, path: Path, careers: Sequence[NDArray[np.int64]]
) -> dict[str, Any]:
    """Export, simplify, and check the graph against the contract and against torch.

    Args:
        module: The module to export.
        path: The ONNX file.
        careers: Title ids of real careers for the comparison.

    Raises:
        ExportError: If the graph does not match the model, or not the contract.
    """
    export_to_onnx(module, path)
    simplify_onnx(path)
    return {**check_graph(path), **check_parity(Graph(path), module, careers)}

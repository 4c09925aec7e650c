"""Turns a trained model into the exported graph: calibrates it, exports it and compares it with torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.bundle.graph import Graph
from trajtune.dataset.arrays import CareerArrays, Examples, examples_of
from trajtune.dataset.encode import SplitData
from trajtune.experiment.settings import FinalizeSettings
from trajtune.finalizing.calibrate.comparison import compare_calibrations, cross_fitted
from trajtune.finalizing.calibrate.conformal import TenureCorrection, conformal_correction
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import (
    ENOUGH,
    CalibrationTable,
    as_scikit_learn,
    fit_calibration,
)
from trajtune.finalizing.calibrate.priors import Priors
from trajtune.finalizing.calibrate.title_sets import MOST_TITLES, SetRule, fit_sets
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.parity import check_parity
from trajtune.finalizing.export.to_onnx import check_graph, export_to_onnx, simplify_onnx
from trajtune.model.censoring import hireability_weights, tenure_weights
from trajtune.model.metrics import reliability
from trajtune.model.network.average import CareerModel
from trajtune.model.predict import predict, top_probabilities, with_outcomes
from trajtune.model.predictions import Predictions

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

VAL: Final = "val"
WINDOW: Final = "the calibration window"
"""Names of the calibration careers in the record and the report."""

METHOD: Final = (
    "isotonic regression of correctness on the top title's probability, shrunk toward that probability, "
    "fitted on {}"
)


@dataclass(frozen=True)
class Calibrated:
    """A network with its calibration.

    Attributes:
        module: The module to export.
        corrections: The corrections that the module applies to the network's outputs.
        record: The entry ``calibration`` of ``metrics.json``.
    """

    module: ExportedModule
    corrections: Corrections
    record: dict[str, Any]

    @property
    def table(self) -> CalibrationTable:
        """Calibration of the confidence."""
        return self.corrections.confidence

    @property
    def calibrator(self) -> "IsotonicRegression":
        """Calibration of the confidence as a scikit-learn object."""
        return as_scikit_learn(self.table)


def calibrate(
    model: CareerModel,
    val: SplitData,
    settings: FinalizeSettings,
    name: str,
    priors: Priors,
) -> Calibrated:
    """Fit every correction on careers that the model was not trained on.

    Args:
        model: The model, in eval mode. Predictions are made with torch; the graph must match them later.
        val: The careers of val or of the calibration window.
        settings: Settings with the nominal coverages of the tenure interval and of the title sets.
        name: Name of the careers in the record: `VAL` or `WINDOW`.
        priors: Result of `priors_of` for the training.

    Raises:
        TrainingError: If val is too small.
    """
    examples = examples_of(val.arrays, "last")
    on_val = predict(model, val.arrays, examples)
    on_outcomes = with_outcomes(on_val, partial(predict, model, val.arrays), val.arrays)
    confidence = fit_calibration(on_val.confidence, on_val.correct)
    tenure, tenure_record = _tenure(on_outcomes.outcomes, settings.tenure_coverage, name, priors)
    hireability, hireability_record = _hireability(on_outcomes.labelled, name, priors)
    sets, sets_record = _sets(model, val.arrays, examples, on_val, settings.set_coverage)
    folded = cross_fitted(on_val.confidence, on_val.correct)
    record: dict[str, Any] = {
        "method": METHOD.format(name),
        "fitted_on": name,
        "num_examples": len(on_val),
        "num_knots": len(confidence.table.breakpoints),
        "pseudo_count": confidence.pseudo_count,
        "compared_on_val": compare_calibrations(
            model, val.arrays, examples, on_val.confidence, on_val.correct
        ),
        "reliability_val_raw": reliability(on_val.confidence, on_val.correct),
        "reliability_val": None if folded is None else reliability(folded, on_val.correct),
        **tenure_record,
        **hireability_record,
        **sets_record,
    }
    if len(on_val) < ENOUGH:
        record["warning"] = (
            f"{name} has {len(on_val)} people, fewer than {ENOUGH}: the calibration is uncertain by many "
            "percentage points"
        )
    corrections = Corrections(confidence.table, tenure, hireability, priors, sets)
    return Calibrated(ExportedModule(model, model.vocab_size, corrections).eval(), corrections, record)


def _tenure(
    outcomes: Predictions, coverage: float, name: str, priors: Priors
) -> tuple[TenureCorrection, dict[str, Any]]:
    """Return the correction of the tenure interval and its part of the record."""
    interval = outcomes.tenure
    if priors.tenure_from == "prior":
        interval = np.tile(np.array(priors.tenure_months, np.float32), (len(outcomes), 1))
    weights = tenure_weights(outcomes.tenure_months, outcomes.tenure_at_least)
    correction = conformal_correction(interval, outcomes.tenure_months, coverage, weights)
    record: dict[str, Any] = {
        "tenure_nominal_coverage": coverage,
        "tenure_from": priors.tenure_from,
        "tenure_num_labels": priors.num_tenures,
        "tenure_prior_months": list(priors.tenure_months),
        "tenure_correction": None if correction is None else asdict(correction),
        "tenure_num_ended": int((~np.isnan(outcomes.tenure_months)).sum()),
    }
    if correction is None:
        source = "the model's" if priors.tenure_from == "model" else "train's"
        record["tenure_correction_reason"] = f"too few roles in {name} have ended; the interval is {source}"
    return correction or TenureCorrection(), record


def _hireability(
    labelled: Predictions, name: str, priors: Priors
) -> tuple[CalibrationTable | None, dict[str, Any]]:
    """Return the calibration of the hireability and its part of the record."""
    known = ~np.isnan(labelled.hireability) & ~np.isnan(labelled.hireable)
    record: dict[str, Any] = {
        "hireability_from": priors.hireability_from,
        "hireability_num_labels": priors.num_hireabilities,
        "hireability_prior": priors.hireability,
        "hireability_num_known": int(known.sum()),
        "hireability_pseudo_count": None,
    }
    if priors.hireability_from == "prior":
        return None, {**record, "hireability_reason": "training had no known outcome; train's rate is used"}
    # Outcomes in a short window depend on each other: with fewer, calibration was worse on real data sets.
    if known.sum() < ENOUGH:
        reason = f"fewer than {ENOUGH} outcomes in {name} are known; the model's probability is used"
        return None, {**record, "hireability_reason": reason}
    weights = hireability_weights(labelled.hireable, labelled.tenure_months, labelled.tenure_at_least)
    fitted = fit_calibration(labelled.hireability[known], labelled.hireable[known] == 1, weights[known])
    return fitted.table, {**record, "hireability_pseudo_count": fitted.pseudo_count}


def _sets(
    model: CareerModel, arrays: CareerArrays, examples: Examples, on_val: Predictions, coverage: float
) -> tuple[SetRule | None, dict[str, Any]]:
    """Return the rule for the title sets and its part of the record."""
    top = top_probabilities(model, arrays, examples, min(MOST_TITLES, model.vocab_size - 1))
    rule, reason = fit_sets(top, on_val.rank, coverage)
    record: dict[str, Any] = {
        "set_nominal_coverage": coverage,
        "set_rule": None if rule is None else asdict(rule),
        "set_mean_size": None if rule is None else float(rule.sizes(top).mean()),
    }
    return rule, record if rule else {**record, "set_reason": reason}


def export_checked(
    module: ExportedModule, path: Path, careers: Sequence[NDArray[np.int64]]
) -> dict[str, Any]:
    """Export, simplify, and check the graph against the contract and against torch.

    Args:
        module: The module to export.
        path: The ONNX file.
        careers: Title ids of real careers for the comparison.

    Raises:
        ExportError: If the graph does not match the model or the contract.
    """
    export_to_onnx(module, path)
    simplify_onnx(path)
    return {**check_graph(path), **check_parity(Graph(path), module, careers)}

"""Calibration of a probability by shrunk isotonic regression, and the table that stores the curve.

`shrinkage` fits the curve. It is written as the service's JSON table and as the pickle that the specification
requires; trajtune never reads the pickle.
"""

# E examples, K knots

import io
import json
import pickle
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajtune.errors import BundleError, TrainingError
from trajtune.finalizing.calibrate.shrinkage import choose_pseudo_count, isotonic_blocks, shrunk_knots
from trajtune.searching.readiness import TOO_FEW
from trajtune.storage.atomic import write_atomically

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

ENOUGH: Final = 200
"""With fewer val examples the calibration is reported as uncertain."""

DECIMALS: Final = 4
"""Number of decimals to which confidences are rounded before the fit.

The confidence of a career differs in the seventh decimal between batches. Without rounding, a step of the
curve could lie between two values for the same career.
"""


@dataclass(frozen=True)
class CalibrationTable:
    """The calibration in the service's form: linear between breakpoints, constant outside.

    Attributes:
        breakpoints: Confidences, strictly increasing, in 0..1.
        values: Calibrated confidences, non-decreasing, in 0..1.

    Examples:
        >>> CalibrationTable((0.2, 0.6), (0.1, 0.5))([0.0, 0.4, 0.9]).round(3).tolist()
        [0.1, 0.3, 0.5]
    """

    breakpoints: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, confidence: ArrayLike) -> NDArray[np.float64]:
        """Calibrate confidences of any shape, in float64."""
        return np.asarray(np.interp(np.asarray(confidence, np.float64), self.breakpoints, self.values))

    def to_json(self) -> dict[str, Any]:
        """Return the serving contract's form."""
        return {
            "breakpoints": list(self.breakpoints),
            "values": list(self.values),
            "minX": self.breakpoints[0],
            "maxX": self.breakpoints[-1],
        }

    def save(self, path: Path) -> None:
        """Write the contract's JSON file; the same table gives the same bytes."""
        write_atomically(path, (json.dumps(self.to_json(), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> "CalibrationTable":
        """Read the contract's JSON file.

        Raises:
            BundleError: If the file is missing or not in the contract's form.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            x, y = (tuple(float(v) for v in content[key]) for key in ("breakpoints", "values"))
        except FileNotFoundError as error:
            raise BundleError(f"There is no calibration at {path}. Finalize the run again.") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"{path} is not a calibration table: {error!r}. Finalize the run again."
            ) from error
        if not x or len(x) != len(y) or any(a >= b for a, b in pairwise(x)):
            raise BundleError(
                f"{path}: breakpoints must increase, and each must have a value. Finalize the run again."
            )
        return cls(x, y)


def refuse_too_few(num_examples: int) -> None:
    """Raise if val is too small to calibrate anything.

    Raises:
        TrainingError: If there are fewer than `TOO_FEW` examples.
    """
    if num_examples < TOO_FEW:
        raise TrainingError(
            f"Calibration needs at least {TOO_FEW} examples in val, but there are {num_examples}. "
            "Move the cutoffs apart or load more careers."
        )


@dataclass(frozen=True)
class Calibration:
    """A fitted curve.

    Attributes:
        table: The curve.
        pseudo_count: Number of pseudo-observations in each block, chosen by cross-fitting.
    """

    table: CalibrationTable
    pseudo_count: float


def fit_calibration(
    probability: ArrayLike, came_true: ArrayLike, weight: NDArray[np.floating] | None = None
) -> Calibration:
    """Fit shrunk isotonic regression of outcomes on their predicted probabilities.

    Args:
        probability: Predicted probability on careers that the model was not trained on, 0..1, ``[E]``.
        came_true: Whether the predicted event occurred, bool ``[E]``.
        weight: Weights of the examples, at least 0 and not all 0, ``[E]``; None: all are 1.

    Raises:
        TrainingError: If there are fewer than `TOO_FEW` examples.
    """
    x: NDArray[np.float64] = np.asarray(probability, np.float64).round(DECIMALS)
    y = np.asarray(came_true, np.float64)
    refuse_too_few(len(x))
    weights = None if weight is None else np.asarray(weight, np.float64)
    if weights is not None:
        known = weights > 0
        x, y, weights = x[known], y[known], weights[known]
    pseudo_count = choose_pseudo_count(x, y, weights)
    knots_x, knots_y = shrunk_knots(isotonic_blocks(x, y, weights), pseudo_count)
    return Calibration(CalibrationTable(tuple(knots_x.tolist()), tuple(knots_y.tolist())), pseudo_count)


def train_calibrator(confidence: ArrayLike, correct: ArrayLike) -> "IsotonicRegression":
    """Return the curve of `fit_calibration` as a scikit-learn object (``out_of_bounds='clip'``).

    Args:
        confidence: Confidence of the top title on val, 0..1, ``[E]``.
        correct: Whether the top title was right, bool ``[E]``.

    Returns:
        The fitted curve.

    Raises:
        TrainingError: If there are fewer than `TOO_FEW` examples.
    """
    return as_scikit_learn(fit_calibration(confidence, correct).table)


def as_scikit_learn(table: CalibrationTable) -> "IsotonicRegression":
    """Return a table as a scikit-learn object; isotonic regression passes through points that increase."""
    from sklearn.isotonic import IsotonicRegression

    calibrator = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    calibrator.fit(table.breakpoints, table.values)
    return calibrator


def table_of(calibrator: "IsotonicRegression") -> CalibrationTable:
    """Return the curve of a fitted calibrator, with all its knots."""
    return CalibrationTable(
        tuple(float(x) for x in calibrator.X_thresholds_), tuple(float(y) for y in calibrator.y_thresholds_)
    )


def save_calibrator(calibrator: "IsotonicRegression", path: Path) -> None:
    """Write ``calibrator.pkl`` for tools that need a scikit-learn object; trajtune never loads it.

    Args:
        calibrator: Result of `train_calibrator`.
        path: The file, written atomically.
    """
    content = io.BytesIO()
    pickle.dump(calibrator, content, protocol=4)
    write_atomically(path, content.getvalue())

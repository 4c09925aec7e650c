from pathlib import Path

import numpy as np
import pytest

from trajtune.bundle.graph import Graph
from trajtune.errors import ExportError
from trajtune.finalizing.calibrate.conformal import TenureCorrection
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.parity import _compare, _compare_top, check_parity, tolerance


def test_padded_batches_give_the_same_result_as_each_career_alone(
    exported_onnx: Path, exported_module: ExportedModule
) -> None:
    real = [np.array([1, 2, 3], np.int64), np.array([49], np.int64)]
    found = check_parity(Graph(exported_onnx), exported_module, real)
    assert found["parity_passed"]
    assert found["parity_rows"] == 3 * 4 * (1 + 2 + 7 + 64) + 3 * (1 + 2 + 2 + 2)
    assert 0 < found["parity_max_abs_error"] < 1e-4


def test_parity_names_the_output_that_differs(exported_onnx: Path, exported_module: ExportedModule) -> None:
    other = ExportedModule(
        exported_module.model,
        50,
        Corrections(CalibrationTable((0.0, 1.0), (0.0, 1.0)), TenureCorrection(0.5)),
    ).eval()
    with pytest.raises(
        ExportError, match=r"tenure_pred must be within .* of torch's .*, but is .* at batch 1, length 1"
    ):
        check_parity(Graph(exported_onnx), other, [])


def test_float_noise_of_a_small_value_among_large_ones_is_tolerated() -> None:
    _compare("tenure_pred", np.array([[0.036896, 61.0]]), np.array([[0.03688, 61.0]]), "here")
    assert tolerance(np.array([[-1e4, 2.0, 30.0]]))[0].tolist() == pytest.approx([1.0003, 5e-4, 3.3e-3])


def test_the_message_has_the_worst_value_beyond_the_tolerance() -> None:
    expected = np.array([[1000.0, 0.5, 0.25]])
    found = expected + np.array([[0.05, 0.02, 0.04]])  # the largest error is within the tolerance
    with pytest.raises(ExportError, match=r"within 1\.0e-02 of torch's 0\.25, but is 0\.29 at here"):
        _compare("hireability", found, expected, "here")
    with pytest.raises(ExportError, match=r"but is nan"):
        _compare("hireability", np.array([[0.5, np.nan]]), np.array([[0.5, 0.5]]), "here")


def test_titles_with_nearly_equal_logits_may_swap_ranks() -> None:
    _compare_top(np.array([[1.0, 1.000001]]), np.array([[1.000001, 1.0]]), "here")
    with pytest.raises(ExportError, match="top title differs"):
        _compare_top(np.array([[1.0, 1.1]]), np.array([[1.1, 1.0]]), "here")

from pathlib import Path

import numpy as np
import pytest

from trajtune.bundle.graph import Graph
from trajtune.errors import ExportError
from trajtune.finalize.calibrate.isotonic import CalibrationTable
from trajtune.finalize.export.exported_module import ExportedModule
from trajtune.finalize.export.parity import check_parity


def test_padded_batches_give_what_each_career_gives_alone(
    exported_onnx: Path, exported_module: ExportedModule
) -> None:
    real = [np.array([1, 2, 3], np.int64), np.array([49], np.int64)]
    found = check_parity(Graph(exported_onnx), exported_module, real)
    assert found["parity_passed"]
    assert found["parity_rows"] == 3 * 4 * (1 + 2 + 7 + 64) + 3 * (1 + 2 + 2 + 2)
    assert 0 < found["parity_max_abs_error"] < 1e-4


def test_parity_names_the_output_that_differs(exported_onnx: Path, exported_module: ExportedModule) -> None:
    other = ExportedModule(exported_module.model, 50, CalibrationTable((0.0, 1.0), (0.0, 1.0)), 3.5).eval()
    with pytest.raises(
        ExportError, match=r"tenure_pred differs from torch by 1\.0e\+00 at batch 1, length 1"
    ):
        check_parity(Graph(exported_onnx), other, [])

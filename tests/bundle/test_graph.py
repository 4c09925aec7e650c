from pathlib import Path

import numpy as np
import pytest

from trajtune.bundle.graph import Graph
from trajtune.errors import BundleError


def test_invalid_ids_and_lengths_that_onnxruntime_accepts_are_refused(exported_onnx: Path) -> None:
    graph = Graph(exported_onnx)
    one = np.array([1])
    for ids in ([[-1]], [[50]]):
        with pytest.raises(BundleError, match=r"Title ids must be in 0\.\.49"):
            graph.run(np.array(ids), one)
    for length in (0, 2):
        with pytest.raises(BundleError, match=r"Lengths must be in 1\.\.1"):
            graph.run(np.array([[1]]), np.array([length]))

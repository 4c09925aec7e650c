import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trajtune.bundle.graph import Graph
from trajtune.errors import BundleError, TrainingError
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import (
    CalibrationTable,
    fit_calibration,
    save_calibrator,
    table_of,
    train_calibrator,
)
from trajtune.finalizing.evaluate.evaluate import evaluate_calibration
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.to_onnx import export_to_onnx, simplify_onnx


@pytest.fixture
def overconfident() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    confidence = random.random(4000).astype(np.float32)
    return confidence, random.random(4000) < confidence**2


class _Sweep(nn.Module):
    """A network whose top probability runs over a grid while its title runs over the vocabulary."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        p = torch.linspace(1 / (vocab_size - 1), 1, vocab_size + 2)[1:-1]
        self.odds = nn.Parameter(torch.log(p / (1 - p) * (vocab_size - 2))[:, None])
        self.register_buffer("first", (torch.arange(vocab_size) == 1).float()[None])
        self.register_buffer("floor", (torch.arange(vocab_size) == 0).float()[None] * -1e4)

    def forward(self, title_ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        odds = nn.functional.embedding(title_ids[:, 0], self.odds) + 0 * lengths[:, None]
        return odds * self.first + self.floor, torch.cat([odds, odds], 1), torch.sigmoid(odds)


def test_table_pickle_and_graph_agree_on_a_dense_grid(
    overconfident: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    confidence, correct = overconfident
    some = (confidence > 0.1) & (confidence < 0.9)  # so that the grid extends beyond both ends
    calibrator = train_calibrator(confidence[some], correct[some])
    table = table_of(calibrator)
    table.save(tmp_path / "c.json")
    save_calibrator(calibrator, tmp_path / "c.pkl")
    size = 4000
    module = ExportedModule(_Sweep(size), size, Corrections(table)).eval()
    export_to_onnx(module, tmp_path / "x.onnx")
    simplify_onnx(tmp_path / "x.onnx")
    ids = np.arange(size)[:, None]
    names = ("top5_probabilities", "next_role_confidence")
    out = Graph(tmp_path / "x.onnx").run(ids, np.ones(size, np.int64), names)
    grid = out["top5_probabilities"][:, 0].astype(np.float64)
    assert grid.min() < 0.01
    assert grid.max() > 0.99
    assert np.diff(grid).max() < 1e-3
    assert len(table.breakpoints) > 20
    by_table = CalibrationTable.load(tmp_path / "c.json")(grid)
    by_pickle = pickle.loads((tmp_path / "c.pkl").read_bytes()).predict(grid)
    np.testing.assert_allclose(out["next_role_confidence"][:, 0], by_table, atol=1e-6)
    np.testing.assert_allclose(by_pickle, by_table, atol=1e-6)


def test_the_same_career_in_another_batch_gets_the_same_confidence() -> None:
    confidence = np.repeat([0.3, 0.6], 100)
    confidence[::2] += 1e-8
    correct = np.tile([True, False], 100)
    assert fit_calibration(confidence, correct).table.breakpoints == (0.3, 0.6)


def test_the_file_has_the_contracts_form(tmp_path: Path) -> None:
    CalibrationTable((0.25, 0.5), (0.1, 0.75)).save(tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text()) == {
        "breakpoints": [0.25, 0.5],
        "values": [0.1, 0.75],
        "minX": 0.25,
        "maxX": 0.5,
    }


@pytest.mark.parametrize(
    "content", ["", "[]", '{"breakpoints": [], "values": []}', '{"breakpoints": [1, 0], "values": [0, 1]}']
)
def test_a_file_that_is_not_a_table_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(BundleError, match=r"c\.json"):
        CalibrationTable.load(tmp_path / "c.json")


def test_too_few_examples_are_refused_with_the_remedy() -> None:
    with pytest.raises(TrainingError, match="at least 30 examples in val, but there are 29"):
        train_calibrator(np.full(29, 0.5), np.ones(29, bool))


def test_calibration_lowers_the_error_of_an_overconfident_model(
    overconfident: tuple[np.ndarray, np.ndarray],
) -> None:
    confidence, correct = overconfident
    table = table_of(train_calibrator(confidence[:2000], correct[:2000]))
    found = evaluate_calibration(confidence[2000:], table(confidence[2000:]), correct[2000:])
    assert found["ece_raw"] == pytest.approx(1 / 6, abs=0.03)  # the mean of x - x² over 0..1
    assert found["ece"] < 0.05
    assert found["brier"] < found["brier_raw"]

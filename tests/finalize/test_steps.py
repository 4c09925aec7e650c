import json
from pathlib import Path

import numpy as np
import pytest

from trajtune.bundle import Graph
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import openings
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import BundleError, ExportError, TrainingError
from trajtune.finalize.calibrate import CalibrationTable
from trajtune.finalize.steps import calibrate_checkpoint, evaluate_checkpoint, export_checkpoint

pytestmark = pytest.mark.slow


def test_a_checkpoint_exports_with_its_vocabulary_beside_it(finalized: Path, tmp_path: Path) -> None:
    vocab = finalized / "trajectory-lstm-vocab.json"
    found = export_checkpoint(finalized / "best.pt", vocab, tmp_path / "models" / "x.onnx")
    assert found["opset"] == 17
    assert (tmp_path / "models" / "x-vocab.json").read_bytes() == vocab.read_bytes()
    ids, lengths = np.array([[1, 2, 3]]), np.array([3])
    alone = Graph(tmp_path / "models" / "x.onnx").run(ids, lengths)["next_role_logits"]
    bundled = Graph(finalized / "trajectory-lstm.onnx").run(ids, lengths)["next_role_logits"]
    np.testing.assert_allclose(alone, bundled, atol=1e-5)


def test_a_checkpoint_of_another_vocabulary_is_refused(finalized: Path, tmp_path: Path) -> None:
    TitleEncoder.fit(["Nurse", "Baker"]).save(tmp_path / "v.json")
    with pytest.raises(TrainingError, match=r"best\.pt was trained on \d+ titles, but .*v\.json has 2"):
        export_checkpoint(finalized / "best.pt", tmp_path / "v.json", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_a_checkpoint_of_as_many_other_titles_is_refused(finalized: Path, tmp_path: Path) -> None:
    own = TitleEncoder.load(finalized / "trajectory-lstm-vocab.json")
    titles = [own.decode(index) for index in range(1, own.vocab_size)]
    TitleEncoder.fit({title: count for count, title in enumerate(titles, start=1)}).save(tmp_path / "v.json")
    with pytest.raises(TrainingError, match=r"best\.pt was trained on other titles than .*v\.json has"):
        export_checkpoint(finalized / "best.pt", tmp_path / "v.json", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_the_models_file_must_be_named_as_one(finalized: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"must end in \.onnx"):
        export_checkpoint(finalized / "best.pt", tmp_path / "v.json", tmp_path / "x")


def test_calibrating_a_checkpoint_gives_the_bundles_table(
    finalized: Path, changing_snapshot: Snapshot, tmp_path: Path
) -> None:
    found = calibrate_checkpoint(finalized / "best.pt", changing_snapshot.path, tmp_path / "c")
    name = "trajectory-lstm-calibration.json"
    assert (tmp_path / "c" / name).read_bytes() == (finalized / name).read_bytes()
    assert CalibrationTable.load(tmp_path / "c" / name).breakpoints
    assert found["cross_fitted"]
    assert 0 <= found["ece"] <= 1


def test_evaluating_a_checkpoint_gives_the_bundles_numbers_and_is_recorded(
    finalized: Path, changing_snapshot: Snapshot, tmp_path: Path
) -> None:
    before = len(openings(changing_snapshot))
    evaluate_checkpoint(finalized / "best.pt", changing_snapshot.path, tmp_path / "e")
    written = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert written["test"] == json.loads((finalized / "metrics.json").read_text())["test"]
    assert [entry["purpose"] for entry in openings(changing_snapshot)[before:]] == ["evaluate"]
    with pytest.raises(BundleError, match="never overwritten"):
        evaluate_checkpoint(finalized / "best.pt", changing_snapshot.path, tmp_path / "e")

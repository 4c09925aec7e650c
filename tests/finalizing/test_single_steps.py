import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.careers import changing_careers, loaded
from trajtune import cli
from trajtune.bundle.graph import Graph
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import openings
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import BundleError, ExportError, SnapshotError, TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.single_steps import calibrate_checkpoint, evaluate_checkpoint, export_checkpoint


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A function that runs a command, which must succeed, and returns its output."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["trajtune", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        assert not caught.value.code, err
        return out

    return run


def test_a_checkpoint_exports_with_its_vocabulary_beside_it(
    finalized: Path, tmp_path: Path, typed: Callable[..., str]
) -> None:
    vocab, output = finalized / "trajectory-lstm-vocab.json", tmp_path / "models" / "x.onnx"
    arguments = ("--checkpoint", finalized / "best.pt", "--vocab", vocab, "--output", output)
    found = json.loads(typed("export", *arguments))
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


def test_a_checkpoint_with_equally_many_other_titles_is_refused(finalized: Path, tmp_path: Path) -> None:
    own = TitleEncoder.load(finalized / "trajectory-lstm-vocab.json")
    titles = [own.decode(index) for index in range(1, own.vocab_size)]
    TitleEncoder.fit({title: count for count, title in enumerate(titles, start=1)}).save(tmp_path / "v.json")
    with pytest.raises(TrainingError, match=r"best\.pt was trained on other titles than those in .*v\.json"):
        export_checkpoint(finalized / "best.pt", tmp_path / "v.json", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_the_models_file_must_end_in_onnx(finalized: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"must end in \.onnx"):
        export_checkpoint(finalized / "best.pt", tmp_path / "v.json", tmp_path / "x")


@pytest.mark.parametrize("name", ["a.onnx.onnx", "folder.onnx/a.onnx"])
def test_a_model_whose_vocabulary_the_service_would_not_find_is_refused(
    finalized: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BundleError, match=r"a folder has `\.onnx` in its name"):
        export_checkpoint(finalized / "best.pt", finalized / "trajectory-lstm-vocab.json", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_calibrating_a_checkpoint_gives_the_bundles_table(
    finalized: Path, changing_snapshot: Snapshot, tmp_path: Path, typed: Callable[..., str]
) -> None:
    data = ("--checkpoint", finalized / "best.pt", "--data-path", changing_snapshot.path)
    found = json.loads(typed("calibrate", *data, "--output", tmp_path / "c"))
    name = "trajectory-lstm-calibration.json"
    assert (tmp_path / "c" / name).read_bytes() == (finalized / name).read_bytes()
    assert CalibrationTable.load(tmp_path / "c" / name).breakpoints
    assert found["cross_fitted"]
    assert 0 <= found["ece"] <= 1


def test_evaluating_a_checkpoint_gives_the_bundles_numbers_and_is_recorded(
    finalized: Path, changing_snapshot: Snapshot, tmp_path: Path, typed: Callable[..., str]
) -> None:
    before = len(openings(changing_snapshot))
    data = ("--checkpoint", finalized / "best.pt", "--data-path", changing_snapshot.path)
    assert typed("evaluate", *data, "--output", tmp_path / "e").strip() == str(
        tmp_path / "e" / "evaluation_report.md"
    )
    written = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert sorted(file.name for file in (tmp_path / "e").iterdir()) == [
        "evaluation_report.md",
        "metrics.json",
        "report.html",
    ]
    assert written["test"] == json.loads((finalized / "metrics.json").read_text())["test"]
    assert [entry["purpose"] for entry in openings(changing_snapshot)[before:]] == ["evaluate"]
    with pytest.raises(BundleError, match="A result must have a new path"):
        evaluate_checkpoint(finalized / "best.pt", changing_snapshot.path, tmp_path / "e")


def test_a_test_split_with_one_hireability_class_is_measured_without_an_auc(
    finalized: Path, tmp_path: Path
) -> None:
    careers = changing_careers(1600)
    everybody = pa.array([True] * len(careers), careers.schema.field("hireable").type)
    careers = careers.set_column(careers.schema.get_field_index("hireable"), "hireable", everybody)
    settings = {"storage": {"snapshots": str(tmp_path)}, "data": {"hireable_key": "hireable"}}
    snapshot = snapshot_of(loaded(careers), validate(Experiment, settings, "test"))
    found = evaluate_checkpoint(finalized / "best.pt", snapshot.path, tmp_path / "e")["test"]
    assert found["hireability_auc"] is None
    reason = f"all {found['num_examples']} known outcomes are the same"
    assert found["hireability_auc_reason"] == reason
    assert found["hireability_base_rate"] == 1
    report = (tmp_path / "e" / "report.html").read_text()
    assert "The label is label hireable. AUC not known: " + reason in report


def test_a_directory_of_snapshots_resolves_to_the_one_of_the_checkpoint(
    finalized: Path, changing_snapshot: Snapshot, tmp_path: Path
) -> None:
    local_copy = tmp_path / "snapshots"
    shutil.copytree(changing_snapshot.path, local_copy / "one")
    checkpoint = finalized / "best.pt"
    found = calibrate_checkpoint(checkpoint, local_copy, tmp_path / "models" / "c.pkl")
    assert found == calibrate_checkpoint(checkpoint, local_copy / "one", tmp_path / "c")
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"c.pkl", "c.json"}
    shutil.copytree(local_copy / "one", local_copy / "two")
    with pytest.raises(SnapshotError, match="of 2 these do: one, two. Give the snapshot's own directory"):
        calibrate_checkpoint(checkpoint, local_copy, tmp_path / "d.pkl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SnapshotError, match="of 0 these do: none"):
        calibrate_checkpoint(checkpoint, tmp_path / "empty", tmp_path / "d.pkl")


@pytest.mark.parametrize("taken", ["report.md", "report.json", "report.html"])
def test_no_file_beside_a_report_is_overwritten(finalized: Path, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(BundleError, match=f"must have a new path, but .*{taken} exists already"):
        evaluate_checkpoint(finalized / "best.pt", tmp_path / "no snapshot", tmp_path / "report.md")
    assert (tmp_path / taken).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [taken]

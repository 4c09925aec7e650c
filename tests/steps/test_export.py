"""Models that cannot be exported from a path."""

from pathlib import Path

import pytest
import torch
from torch import nn

import trajtune
from trajtune.errors import TrainingError


def test_weights_of_a_model_with_options_are_refused(tmp_path: Path) -> None:
    trajtune.TitleEncoder.fit(["Nurse", "Baker"]).save(tmp_path / "vocab.json")
    model: nn.Module = trajtune.CareerTrajectoryLSTM(3, tie_weights=True)
    torch.save(model.state_dict(), tmp_path / "best.pt")
    with pytest.raises(TrainingError, match="must be of a model without options"):
        trajtune.export_to_onnx(tmp_path / "best.pt", tmp_path / "vocab.json", tmp_path / "x.onnx")


def test_a_model_with_another_vocabulary_is_refused(tmp_path: Path) -> None:
    trajtune.TitleEncoder.fit(["Nurse", "Baker"]).save(tmp_path / "vocab.json")
    torch.save(trajtune.CareerTrajectoryLSTM(7).state_dict(), tmp_path / "best.pt")
    with pytest.raises(TrainingError, match="was trained on 6 titles, but the vocabulary has 2"):
        trajtune.export_to_onnx(tmp_path / "best.pt", tmp_path / "vocab.json", tmp_path / "x.onnx")

"""Training one configuration without a search: exactly resumable, never overwritten."""

import json
from pathlib import Path

import pytest
import torch

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.model.checkpoint import load_checkpoint
from trajtune.searching.train_single import train_single

EXPERIMENT = validate(
    Experiment, {"training": {"embedding_dim": 8, "hidden_dim": 4, "num_layers": 1, "max_epochs": 4}}, "test"
)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = load_checkpoint(directory / "last.pt")["model"]
    return state


@pytest.mark.parametrize("interrupted_after", [1, 3])
def test_an_interrupted_training_ends_with_the_same_weights(
    ladder_snapshot: Snapshot, tmp_path: Path, interrupted_after: int
) -> None:
    uninterrupted = list(train_single(EXPERIMENT, ladder_snapshot, tmp_path / "uninterrupted"))
    epochs = train_single(EXPERIMENT, ladder_snapshot, tmp_path / "cut")
    for _ in range(interrupted_after):
        next(epochs)
    epochs.close()  # type: ignore[attr-defined]
    list(train_single(EXPERIMENT, ladder_snapshot, tmp_path / "cut", resume=True))
    expected, found = weights(tmp_path / "uninterrupted"), weights(tmp_path / "cut")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    logged = [json.loads(line) for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    without_time = [{name: value for name, value in report.items() if name != "seconds"} for report in logged]
    assert without_time == [
        {name: value for name, value in report.items() if name != "seconds"} for report in uninterrupted
    ]
    assert (tmp_path / "cut" / "curves.html").stat().st_size > 1_000_000


def test_the_curves_name_the_best_epoch_by_the_metric_of_best_pt(
    ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    search = EXPERIMENT.search.model_copy(update={"metric": "val_tenure_mae_months"})
    experiment = EXPERIMENT.model_copy(update={"search": search})

    list(train_single(experiment, ladder_snapshot, tmp_path / "models"))

    epoch = load_checkpoint(tmp_path / "models" / "best.pt")["epoch"]
    page = (tmp_path / "models" / "curves.html").read_text("utf-8")
    assert f"Best val_tenure_mae_months at epoch {epoch} of 4." in page


def test_a_training_is_never_overwritten(ladder_snapshot: Snapshot, tmp_path: Path) -> None:
    next(train_single(EXPERIMENT, ladder_snapshot, tmp_path / "models"))
    with pytest.raises(RunError, match="must not exist.*--resume"):
        next(train_single(EXPERIMENT, ladder_snapshot, tmp_path / "models"))


def test_a_directory_without_a_training_is_not_resumed(ladder_snapshot: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(RunError, match="no training to resume"):
        next(train_single(EXPERIMENT, ladder_snapshot, tmp_path, resume=True))
    (tmp_path / "origin.json").write_text('{"snapshot": "another"}')
    with pytest.raises(RunError, match="trained on snapshot another"):
        next(train_single(EXPERIMENT, ladder_snapshot, tmp_path, resume=True))

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.test_data_parallel import part_of
from tests.support.full_disk import no_file_larger_than
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError, TrainingError
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.finalizing import refit
from trajtune.finalizing.refit_tasks import Job, _train_alone
from trajtune.finalizing.selection import Finalist, Refit, selection, winner
from trajtune.model.checkpoint import load_checkpoint
from trajtune.model.network.title_words import words_of
from trajtune.model.training.fit import fit
from trajtune.searching.trial import train_trial

IMPATIENT = Params(
    hidden_dim=4, embedding_dim=8, num_layers=1, patience=1, schedule="constant", learning_rate=0.2
)
"""Params for which patience ends training early, because the learning rate is too high."""


def refitted(finalist: Finalist, snapshot: Snapshot, folder: Path, lines: list[str]) -> Path:
    """Train one refit with seed 0 and return its file."""
    (found,) = refit.refit_all([finalist], [0], snapshot, folder, progress=lines.append)
    assert isinstance(found.checkpoint, Path)
    return found.checkpoint


def started(finalist: Finalist, snapshot: Snapshot, folder: Path) -> Iterator[dict[str, Any]]:
    """Start a training that a test interrupts, like a killed worker."""
    encoder = snapshot.encoder()
    return train_trial(
        *(finalist.params, snapshot.read("train").arrays, snapshot.read("val").arrays, encoder.vocab_size),
        folder,
        title_words=words_of(encoder),
        metric=finalist.metric,
        seed=0,
    )


def test_refits_resume_with_the_same_bytes_and_a_full_disk_is_a_one_line_error(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    small = Finalist("trial 1", Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=1), 2.0)
    lines: list[str] = []

    def refitted() -> list[Refit]:
        lines.clear()
        return refit.refit_all([small], [0, 1], changing_snapshot, tmp_path, progress=lines.append)

    first, second = (found.checkpoint for found in refitted())
    assert first
    assert second
    before = first.read_bytes()
    assert before != second.read_bytes()
    first.unlink()
    with no_file_larger_than(2_000), pytest.raises(TrainingError, match="finished refits are kept"):
        refitted()
    trained = first.with_suffix("")
    assert set(tmp_path.iterdir()) == {second, trained}
    refitted()
    assert set(tmp_path.iterdir()) == {first, second}
    assert lines == ["refitted trial 1, seed 0 (2 of 2)"]
    assert first.read_bytes() == before


def test_a_killed_refit_continues_after_its_last_epoch(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=4, schedule="constant")
    finalist = Finalist("trial 1", params, 2.0)
    uninterrupted = refitted(finalist, changing_snapshot, tmp_path / "whole", [])
    in_progress = tmp_path / "killed" / uninterrupted.stem
    epochs = started(finalist, changing_snapshot, in_progress)
    seconds = [next(epochs)["seconds"] for _ in range(3)]

    with monkeypatch.context() as patched:
        patched.setattr(refit, "remove_tree", lambda path: None)
        resumed = refitted(finalist, changing_snapshot, tmp_path / "killed", [])
    reports = load_checkpoint(in_progress / "last.pt")["reports"]
    assert [report["seconds"] for report in reports][:3] == seconds, "the recorded epochs were trained again"
    assert len(reports) == 4
    assert resumed.read_bytes() == uninterrupted.read_bytes()


def test_a_damaged_checkpoint_of_a_refit_is_reported_and_trained_again(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    params = Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=2)
    finalist = Finalist("trial 1", params, 2.0)
    uninterrupted = refitted(finalist, changing_snapshot, tmp_path / "whole", [])
    in_progress = tmp_path / "killed" / uninterrupted.stem

    next(started(finalist, changing_snapshot, in_progress))
    (in_progress / "last.pt").write_bytes(b"damaged")
    lines: list[str] = []
    again = refitted(finalist, changing_snapshot, tmp_path / "killed", lines)
    assert again.read_bytes() == uninterrupted.read_bytes()
    assert lines[0] == "trial 1, seed 0: damaged: last.pt; training started again"

    again.unlink()
    for _ in started(finalist, changing_snapshot, in_progress):
        pass
    (in_progress / "best.pt").write_bytes(b"damaged")
    with pytest.raises(
        TrainingError, match=r"The checkpoint was deleted\. Finalize again; finished refits are kept"
    ):
        refitted(finalist, changing_snapshot, tmp_path / "killed", [])
    again = refitted(finalist, changing_snapshot, tmp_path / "killed", [])
    assert again.read_bytes() == uninterrupted.read_bytes()


def test_a_damaged_refit_is_trained_again(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    finalist = Finalist("trial 1", Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=1), 2.0)
    kept = refitted(finalist, changing_snapshot, tmp_path, [])
    before = kept.read_bytes()
    kept.write_bytes(b"damaged")

    lines: list[str] = []
    assert refitted(finalist, changing_snapshot, tmp_path, lines).read_bytes() == before
    assert lines[0] == f"{kept.name} is damaged; training trial 1 again"


def test_refits_on_missing_gpus_are_refused_and_not_trained_on_the_cpu(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    finalist = Finalist("trial 1", Params(max_epochs=1), 2.0)
    with pytest.raises(RunError, match="`search.gpus_per_trial` is 0.5, but Ray finds 0 GPUs"):
        refit.refit_all([finalist], [0], changing_snapshot, tmp_path, gpus=0.5)


def test_a_refit_is_kept_at_the_best_epoch_of_the_searchs_metric(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    params = Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=6, learning_rate=0.02)
    finalist = Finalist("trial 1", params, 0.5, metric="val_top1")
    train, val = changing_snapshot.read("train").arrays, changing_snapshot.read("val").arrays
    encoder = changing_snapshot.encoder()
    (found,) = refit.refit_all([finalist], [0], changing_snapshot, tmp_path)
    of_epochs = [
        result.metrics["val_top1"]
        for result in fit(params, train, val, encoder.vocab_size, seed=0, title_words=words_of(encoder))
    ]
    assert found.metrics["val_top1"] == max(value for value in of_epochs if value is not None)
    assert found.epoch == of_epochs.index(found.metrics["val_top1"]) + 1


def test_a_configuration_that_fails_is_reported_and_not_chosen(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    finalists = [
        Finalist("trial 1", Params(learning_rate=1e6, hidden_dim=4, embedding_dim=8), 0.1),
        Finalist("trial 2", Params(hidden_dim=4, embedding_dim=8, num_layers=1, max_epochs=1), 2.0),
    ]
    refits = refit.refit_all(finalists, [0, 1], changing_snapshot, tmp_path)
    assert [(r.finalist.name, r.seed) for r in refits] == [
        ("trial 1", 0),
        ("trial 1", 1),
        ("trial 2", 0),
        ("trial 2", 1),
    ]
    assert "Training needs a loss below" in (refits[0].error or "")
    assert winner(refits).name == "trial 2"
    assert selection(refits)["trial 1"] == {
        "mean": None,
        "spread": None,
        "search_value": 0.1,
        "as_exported": None,
    }
    with pytest.raises(TrainingError, match="No configuration could be refitted: Training needs"):
        winner(refits[:2])


def selected(finalist: Finalist, epoch: int) -> Refit:
    """Return a refit of a finalist with seed 0 whose best epoch is ``epoch``."""
    return Refit(finalist, 0, None, epoch, {}, None)


def test_the_winner_is_trained_again_for_exactly_the_epochs_that_were_best_on_val(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    params = IMPATIENT.model_copy(update={"max_epochs": 6})
    division = changing_snapshot.refit
    train, window, encoder = division.read("train").arrays, division.read("val").arrays, division.encoder()
    words = words_of(encoder)
    patient = params.model_copy(update={"patience": 6})
    epochs = []
    for result in fit(patient, train, window, encoder.vocab_size, seed=0, title_words=words):
        epochs.append((result.best_epoch, result.checkpoint()["model"]))
    best_on_window, expected = epochs[4]
    assert len(epochs) == 6
    assert best_on_window < 4, "neither patience nor the best epoch would have given another model"

    lines: list[str] = []
    finalist = Finalist("trial 1", params, 2.0, metric="val_top1")
    (found,) = refit.refit_on_known([selected(finalist, 5)], division, tmp_path, progress=lines.append)
    assert found.epoch == 5
    assert found.checkpoint
    state = load_checkpoint(found.checkpoint)
    assert state["params"] == params.model_dump(mode="json")
    assert state["model"].keys() == expected.keys()
    assert all(torch.equal(values, expected[name]) for name, values in state["model"].items())
    assert lines == ["trained trial 1 on everything known, seed 0 (1 of 1)"]

    # It is reused only for the same epochs and the same division.
    keys = {
        refit._key(finalist, 0, snapshot_id, 1, epochs)
        for snapshot_id in (division.id, changing_snapshot.id)
        for epochs in (None, 4, 5)
    }
    assert len(keys) == 6
    kept = found.checkpoint.read_bytes()
    lines.clear()
    refit.refit_on_known([selected(finalist, 5)], division, tmp_path, progress=lines.append)
    assert lines == []
    found.checkpoint.unlink()

    in_progress = tmp_path / found.checkpoint.name.removesuffix(".pt")
    interrupted = train_trial(
        *(patient, train, window, encoder.vocab_size, in_progress),
        title_words=words,
        metric="val_next_role_nll",
        seed=0,
    )
    for _ in range(3):
        next(interrupted)
    refit.refit_on_known([selected(finalist, 5)], division, tmp_path)
    assert found.checkpoint.read_bytes() == kept


def test_the_calibration_window_does_not_affect_the_weights(
    tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    params = IMPATIENT.model_copy(update={"max_epochs": 3})
    division = changing_snapshot.refit
    train, encoder = division.read("train").arrays, division.encoder()
    windows = {"window": division.read("val").arrays, "others": part_of(train, 0, 40)}
    models = []
    for name, window in windows.items():
        job = Job(params, 0, "val_next_role_nll", tmp_path / name, stop_after=3)
        data = (train.to_dict(), window.to_dict(), encoder.vocab_size, words_of(encoder))
        models.append(_train_alone(job, *data, "cpu")["state"]["model"])
    assert all(torch.equal(values, models[1][name]) for name, values in models[0].items())


def test_a_winner_that_cannot_be_trained_on_everything_known_is_a_one_line_error(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    breaks = Finalist("trial 1", Params(learning_rate=1e6, hidden_dim=4, embedding_dim=8), 0.1)
    reason = (
        r"trial 1 could not be trained on everything known: Training needs .*Set `finalize.refit_on: train`"
    )
    with pytest.raises(TrainingError, match=reason):
        refit.refit_on_known([selected(breaks, 3)], changing_snapshot.refit, tmp_path)


def test_the_finalists_are_different_configurations_with_the_research_default_first() -> None:
    best = [(0, RESEARCH_DEFAULT.model_dump(mode="json"), 1.0), (3, {"dropout": 0.2}, 1.1)]
    found = refit.finalists(best, 1.0)
    assert [finalist.name for finalist in found] == ["research default", "trial 3"]

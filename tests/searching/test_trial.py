"""One trial without Ray: reports, checkpoints, and resuming after an interruption at any point."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import Params
from trajtune.model.checkpoint import build_model, load_checkpoint
from trajtune.model.network.title_words import words_of
from trajtune.searching.trial import BEST, DAMAGE, LAST, PREVIOUS, train_trial

METRIC = "val_next_role_nll"
PARAMS = plain(embedding_dim=16, hidden_dim=8, num_layers=1, batch_size=64, learning_rate=0.02, max_epochs=5)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Use one thread, like in a trial's process; with a model this small, two threads only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trial(
    snapshot: Snapshot, directory: Path, params: Params = PARAMS, recorded: int | None = None
) -> Iterator[dict[str, Any]]:
    return train_trial(
        params,
        snapshot.read("train").arrays,
        snapshot.read("val").arrays,
        snapshot.encoder().vocab_size,
        directory,
        title_words=words_of(snapshot.encoder()),
        metric=METRIC,
        seed=1,
        recorded=recorded,
    )


def results(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in report.items() if key != "seconds"} for report in reports]


@pytest.fixture(scope="module")
def uninterrupted(
    ladder_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    return results(list(trial(ladder_snapshot, tmp_path_factory.mktemp("trial"))))


def test_each_epoch_is_reported_once_with_its_metrics(uninterrupted: list[dict[str, Any]]) -> None:
    assert [report["epoch"] for report in uninterrupted] == [1, 2, 3, 4, 5]
    assert uninterrupted[-1][METRIC] < uninterrupted[0][METRIC], "the model learns"


@pytest.mark.parametrize("epochs_before", [1, 2, 4])
def test_a_trial_resumed_from_its_last_checkpoint_equals_an_uninterrupted_one(
    ladder_snapshot: Snapshot, tmp_path: Path, uninterrupted: list[dict[str, Any]], epochs_before: int
) -> None:
    running = trial(ladder_snapshot, tmp_path)
    before = [next(running) for _ in range(epochs_before)]
    running.close()

    after = list(trial(ladder_snapshot, tmp_path))

    assert results(after)[0] == results(before)[-1], "the last epoch is reported again"
    assert results(before[:-1] + after) == uninterrupted


@pytest.mark.parametrize("recorded", [0, 1, 2, 3, 4])
def test_epochs_missing_in_the_record_are_reported_again(
    ladder_snapshot: Snapshot, tmp_path: Path, uninterrupted: list[dict[str, Any]], recorded: int
) -> None:
    running = trial(ladder_snapshot, tmp_path)
    for _ in range(4):
        next(running)
    running.close()

    after = results(list(trial(ladder_snapshot, tmp_path, recorded=recorded)))

    assert after == uninterrupted[min(recorded, 3) :], "the epoch of the checkpoint is always reported"


def test_a_flipped_byte_in_the_last_checkpoint_costs_one_epoch(
    ladder_snapshot: Snapshot, tmp_path: Path, uninterrupted: list[dict[str, Any]]
) -> None:
    running = trial(ladder_snapshot, tmp_path)
    for _ in range(3):
        next(running)
    content = bytearray((tmp_path / LAST).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / LAST).write_bytes(content)

    after = list(trial(ladder_snapshot, tmp_path))

    assert after[0].pop(DAMAGE) == "damaged: last.pt; training continued after epoch 2"
    assert results(after) == uninterrupted[1:], "training continues after epoch 2, which is reported again"


def test_a_trial_without_an_intact_checkpoint_starts_again(
    ladder_snapshot: Snapshot, tmp_path: Path, uninterrupted: list[dict[str, Any]]
) -> None:
    running = trial(ladder_snapshot, tmp_path)
    for _ in range(3):
        next(running)
    for name in (LAST, PREVIOUS):
        (tmp_path / name).write_bytes(b"not a checkpoint")

    after = list(trial(ladder_snapshot, tmp_path))
    assert after[0].pop(DAMAGE) == "damaged: last.pt, previous.pt; training started again"
    assert results(after) == uninterrupted


def test_the_best_checkpoint_has_the_weights_of_the_best_epoch(
    ladder_snapshot: Snapshot, tmp_path: Path, uninterrupted: list[dict[str, Any]]
) -> None:
    list(trial(ladder_snapshot, tmp_path))
    best = load_checkpoint(tmp_path / BEST)

    assert best["epoch"] == min(uninterrupted, key=lambda report: report[METRIC])["epoch"]
    assert not build_model(best).training


def test_a_complete_trial_reports_its_last_epoch_again_and_ends(
    ladder_snapshot: Snapshot, tmp_path: Path, uninterrupted: list[dict[str, Any]]
) -> None:
    list(trial(ladder_snapshot, tmp_path))

    assert results(list(trial(ladder_snapshot, tmp_path))) == uninterrupted[-1:]

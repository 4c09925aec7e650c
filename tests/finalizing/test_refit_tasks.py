"""Refits with several workers of Ray Train."""

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.model.test_data_parallel import part_of
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.finalizing import refit
from trajtune.finalizing.selection import Finalist
from trajtune.model.checkpoint import load_checkpoint
from trajtune.model.data_parallel import Workers
from trajtune.model.network.title_words import words_of
from trajtune.model.training.fit import fit
from trajtune.searching.trial import LAST, predicting, train_trial

PARAMS = Params(hidden_dim=8, embedding_dim=8, num_layers=1, max_epochs=8, batch_size=65, learning_rate=0.02)


def _uninterrupted(rank: int, size: int, folder: Path, snapshot_path: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    snapshot = open_snapshot(snapshot_path)
    own = []
    for arrays in (snapshot.read("train").arrays, snapshot.read("val").arrays):
        cut = [arrays.num_careers * place // size for place in (rank, rank + 1)]
        own.append(part_of(arrays, *cut))
    words = words_of(snapshot.encoder())
    for _ in train_trial(
        *(PARAMS, *own, snapshot.encoder().vocab_size, folder),
        title_words=words,
        metric="val_next_role_nll",
        seed=0,
        workers=Workers(rank, size),
    ):
        pass
    dist.destroy_process_group()


def kill_a_worker(folder: Path, seconds: list[float], killed: list[psutil.Process]) -> None:
    """Kill one of two workers after a checkpoint; note the times of epochs that must not be trained again."""
    while not (kept := list(folder.glob(f"*/{LAST}"))):
        time.sleep(0.01)
    while not seconds:
        with suppress(TrainingError):  # the file may be missing for a moment during the rename
            seconds += [report["seconds"] for report in load_checkpoint(kept[0])["reports"]]
    found = [
        p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in " ".join(p.cmdline())
    ]
    if len(found) == 2:  # an assert would be lost in this thread
        found[-1].kill()
        killed.append(found[-1])


@pytest.mark.slow
def test_two_workers_train_the_same_model_even_if_one_is_killed(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    mp.spawn(_uninterrupted, (2, alone, changing_snapshot.path), nprocs=2)  # type: ignore[no-untyped-call]
    expected = predicting(load_checkpoint(alone / "best.pt"))

    seconds: list[float] = []
    killed: list[psutil.Process] = []
    killer = threading.Thread(target=kill_a_worker, args=(tmp_path / "refits", seconds, killed), daemon=True)
    killer.start()
    monkeypatch.setattr(refit, "remove_tree", lambda path: None)
    finalist = Finalist("trial 1", PARAMS, 2.0)
    (found,) = refit.refit_all([finalist], [0], changing_snapshot, tmp_path / "refits", workers=2)
    killer.join(30)
    assert len(killed) == 1
    assert 0 < len(seconds) < PARAMS.max_epochs, "the kill was too late for the test"
    assert isinstance(found.checkpoint, Path)

    reports = load_checkpoint(found.checkpoint.with_suffix("") / LAST)["reports"]
    assert [report["seconds"] for report in reports][: len(seconds)] == seconds, (
        "the recorded epochs were trained again"
    )
    assert len(reports) == PARAMS.max_epochs
    state = load_checkpoint(found.checkpoint)
    assert found.metrics == expected["best_metrics"]
    assert all(torch.equal(values, state["model"][name]) for name, values in expected["model"].items())
    assert found.metrics["val_next_role_nll"] == pytest.approx(
        _best_of_one_worker(changing_snapshot), abs=0.03
    )


def _best_of_one_worker(snapshot: Snapshot) -> float | None:
    encoder = snapshot.encoder()
    data: Any = (snapshot.read("train").arrays, snapshot.read("val").arrays, encoder.vocab_size)
    epochs = list(fit(PARAMS, *data, seed=0, title_words=words_of(encoder)))
    return epochs[epochs[-1].best_epoch - 1].metrics["val_next_role_nll"]


@pytest.mark.parametrize(
    ("workers", "batch_size", "reason"),
    [
        (3, 64, r"`finalize.workers` is 3, but Ray finds 2 CPUs. Set it to at most 2\."),
        (2, 1, r"`finalize.workers` is 2, but the smallest batch_size is 1. Set it to at most 1\."),
    ],
)
def test_more_workers_than_cpus_or_examples_in_a_batch_are_refused(
    ray_local: None, tmp_path: Path, changing_snapshot: Snapshot, workers: int, batch_size: int, reason: str
) -> None:
    finalist = Finalist("trial 1", PARAMS.model_copy(update={"batch_size": batch_size}), 2.0)
    with pytest.raises(TrainingError, match=reason):
        refit.refit_all([finalist], [0], changing_snapshot, tmp_path, workers=workers)
    assert not list(tmp_path.iterdir())


def test_refits_with_another_number_of_workers_are_not_reused(
    tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    finalist = Finalist("trial 1", PARAMS, 2.0)
    keys = {refit._key(finalist, 0, changing_snapshot.id, workers) for workers in (1, 2, 3)}
    assert len(keys) == 3

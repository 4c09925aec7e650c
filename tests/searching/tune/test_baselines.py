"""The baselines of a search: measured once, in a Ray task, after the first epoch."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray

from tests.searching.runs.created import create
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.snapshot import Snapshot
from trajtune.searching.shared_careers import SharedCareers
from trajtune.searching.tune.baselines import BaselineTask
from trajtune.searching.val_baselines import measure_baselines

EARLIER = {"markov": {"val_next_role_nll": 3.1}, "markov2": {"val_next_role_nll": 3.0}}
"""Content of a run of an earlier version."""

pytestmark = pytest.mark.usefixtures("ray_local")


def shared(train: CareerArrays, val: CareerArrays) -> SharedCareers:
    return {"train": ray.put(train.to_dict()), "val": ray.put(val.to_dict())}


def test_the_task_starts_after_the_first_epoch_and_writes_what_was_measured(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    run, vocab_size = create(tmp_path), small_snapshot.encoder().vocab_size
    train, val = small_snapshot.arrays("train"), small_snapshot.arrays("val")
    task = BaselineTask(run, shared(train, val), vocab_size)
    task.on_event("start")
    assert task._task is None
    deadline = time.monotonic() + 120
    while not run.baselines() and time.monotonic() < deadline:
        task.on_event("epoch")
        time.sleep(0.1)
    metrics, choice = measure_baselines(train, val, vocab_size)
    assert (run.baselines(), run.ngram_choice()) == (metrics, choice)


def test_a_resumed_search_of_an_earlier_version_gets_the_new_baselines_even_without_an_epoch(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    run = create(tmp_path)
    run.write_baselines(EARLIER)
    train, val = small_snapshot.arrays("train"), small_snapshot.arrays("val")
    BaselineTask(run, shared(train, val), small_snapshot.encoder().vocab_size).finish()
    assert list(run.baselines()) == ["majority", "current_title", "markov", "ngram"]


def test_baselines_are_measured_once(small_snapshot: Snapshot, tmp_path: Path) -> None:
    run, vocab_size = create(tmp_path), small_snapshot.encoder().vocab_size
    train, val = small_snapshot.arrays("train"), small_snapshot.arrays("val")
    run.write_baselines(*measure_baselines(train, val, vocab_size))
    before = (run.path / "baselines.json").read_bytes()
    task = BaselineTask(run, shared(val, train), vocab_size)
    task.on_event("epoch")
    task.finish()
    assert task._task is None
    assert (run.path / "baselines.json").read_bytes() == before


def test_the_driver_process_of_a_search_does_not_import_torch() -> None:
    modules = "trajtune.searching.search, trajtune.searching.tune.execute"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Faults of the environment of a search: full disks, missing links, missing GPUs, too few careers."""

import errno
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.searching.faults.killing import check_invariants
from tests.searching.test_run import experiment
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import RunError, SnapshotError, StorageError
from trajtune.searching import readiness
from trajtune.searching.run import resume_search, start_search
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.doctor import examine
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials

pytestmark = pytest.mark.usefixtures("ray_local")


@pytest.mark.slow
def test_a_full_disk_ends_the_search_and_fails_no_trial(small_snapshot: Snapshot, tmp_path: Path) -> None:
    run = start_search(experiment(tmp_path, trials=1, max_failures=0), small_snapshot)
    folder = run.path / "trials" / "0001"
    folder.mkdir()
    # The checkpoint of trial 1 is written to /dev/full, which accepts no byte.
    (folder / ".best.pt.new").symlink_to("/dev/full")

    with pytest.raises(StorageError, match=r"trials unfinished: .*No space left on device\. Fix that, then"):
        resume_search(run.path, trials=2)

    trials = read_trials(read_study(run.path))
    assert [trial.state for trial in trials] == ["COMPLETE", "RUNNING"]
    shutil.rmtree(folder)
    check_invariants(resume_search(run.path), 2)


@pytest.mark.slow
def test_a_process_that_is_killed_fails_no_trial(small_snapshot: Snapshot, tmp_path: Path) -> None:
    run = start_search(experiment(tmp_path, trials=1, max_failures=0), small_snapshot)
    ended = threading.Event()
    killer = threading.Thread(target=kill_trainers, args=(ended,))
    killer.start()
    try:
        with pytest.raises(
            StorageError, match=r"trials unfinished: the process of trial 1 died in every attempt"
        ):
            resume_search(run.path, trials=2)
    finally:
        ended.set()
        killer.join()

    trials = read_trials(read_study(run.path))
    assert [trial.state for trial in trials] == ["COMPLETE", "RUNNING"]
    check_invariants(resume_search(run.path), 2)


def kill_trainers(ended: threading.Event) -> None:
    """Kill each process that trains, before it has trained an epoch."""
    while not ended.wait(0.02):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "ResourceTrainable" in " ".join(child.cmdline()):
                    child.kill()


@pytest.mark.slow
def test_a_full_disk_in_the_search_process_is_a_one_line_error(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_search(experiment(tmp_path, trials=1), small_snapshot)

    def full(own: Run, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(own.path / "best.json"))

    monkeypatch.setattr(Run, "write_best", full)
    with pytest.raises(
        StorageError, match=r"best\.json: No space left on device\. Fix that, then continue with"
    ):
        resume_search(run.path, trials=2)

    monkeypatch.undo()
    check_invariants(resume_search(run.path), 2)


def test_a_search_without_the_requested_gpu_is_refused_and_no_run_is_created(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    asked = experiment(tmp_path, trials=2, gpus_per_trial=0.5)
    with pytest.raises(RunError, match="gpus_per_trial` is 0.5, but Ray finds 0 GPUs"):
        start_search(asked, small_snapshot, name="no-gpu")
    assert not (tmp_path / "runs").exists()


def test_a_directory_where_no_run_can_be_created_is_a_one_line_error(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(
        RunError, match=r"^Cannot make a run in .*/runs: .*(exists|Not a directory)\. Free disk space"
    ):
        start_search(experiment(tmp_path, trials=1), small_snapshot)


def test_runs_work_on_a_file_system_without_links(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original_symlink = os.symlink

    def refused(source: str, link: str, *options: Any, **named: Any) -> None:
        if str(link).startswith(str(tmp_path)):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        original_symlink(source, link, *options, **named)

    monkeypatch.setattr(os, "symlink", refused)
    run = start_search(experiment(tmp_path, trials=1), small_snapshot)
    assert open_run(None, run.experiment.storage).path == run.path
    assert examine(run) == []


def test_an_empty_vocabulary_is_refused_and_a_small_val_is_reported_before_the_search(
    small_snapshot: Snapshot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(readiness, "TOO_FEW", 99)
    readiness.check_ready(experiment(tmp_path), small_snapshot)
    people = small_snapshot.refit.manifest["splits"]["val"]["careers"]
    assert f"the calibration window has {people} people, and calibration needs 99" in capsys.readouterr().err
    monkeypatch.setattr(Snapshot, "encoder", lambda snapshot: TitleEncoder.fit([]))
    with pytest.raises(
        SnapshotError, match=r"no title in train occurs 1 times\. Lower `vocabulary.min_count`"
    ):
        start_search(experiment(tmp_path), small_snapshot)
    assert not (tmp_path / "runs").exists()

"""Other faults during a search: a node, a raylet, a byte of a checkpoint, the end of the study."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.searching.faults.killing import (
    ROOT,
    check_invariants,
    kill_driver,
    opened,
    results,
    search_under_fire,
    start,
    wait_for_records,
)
from tests.searching.faults.test_kill import TRIALS, experiment
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import save_experiment
from trajtune.experiment.settings import Experiment
from trajtune.model.checkpoint import load_checkpoint
from trajtune.searching.show.status import status_of
from trajtune.searching.study.journal import JOURNAL
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, read_trials
from trajtune.searching.trial import LAST, PREVIOUS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_trials_of_a_killed_node_continue_on_another_node(
    ladder_snapshot: Snapshot, tmp_path: Path, short_tmp: Path
) -> None:
    settings, path, pid = experiment(tmp_path), tmp_path / "experiment.yaml", tmp_path / "raylet.pid"
    save_experiment(settings, path)
    log = tmp_path / "driver.log"
    with log.open("wb") as output:
        driver = subprocess.Popen(
            [sys.executable, "-m", "tests.searching.faults.cluster_driver", path, ladder_snapshot.path, pid],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(short_tmp)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for_records(driver, tmp_path, 60)
        trainers = trainers_of(raylet := psutil.Process(int(pid.read_text())))
        assert trainers, "the second node trains"
        raylet.kill()
        psutil.wait_procs(trainers, timeout=30)
        assert driver.wait(200) == 0, log.read_text()
    finally:
        if driver.poll() is None:
            kill_driver(driver, with_children=True)

    check_invariants(opened(settings), TRIALS)


def trainers_of(raylet: psutil.Process) -> list[psutil.Process]:
    """Return the node's training processes; between two trials there may be none for a moment."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [
            child for child in raylet.children(recursive=True) if "TrialActor" in " ".join(child.cmdline())
        ]
        if found:
            return found
        time.sleep(0.05)
    return []


def test_the_raylet_of_the_only_node_is_killed_and_the_search_resumes(
    ladder_snapshot: Snapshot, tmp_path: Path, short_tmp: Path, uninterrupted: list[dict[str, Any]]
) -> None:
    settings = experiment(tmp_path, max_concurrent=1)
    driver = start(settings, ladder_snapshot.path, tmp_path, temporary=short_tmp)
    wait_for_records(driver, tmp_path, 120)
    (raylet,) = [p for p in psutil.Process(driver.pid).children(recursive=True) if p.name() == "raylet"]
    started = psutil.Process(driver.pid).children(recursive=True)
    raylet.kill()
    # The training process may outlive its raylet; then the search ends normally.
    driver.wait(120)
    agents_too = psutil.wait_procs(started, timeout=90)[1]
    assert agents_too == [], "no process is left behind"

    assert finished(settings, ladder_snapshot, tmp_path) == uninterrupted


def test_a_flipped_byte_in_a_checkpoint_costs_one_epoch_and_is_reported(
    ladder_snapshot: Snapshot, tmp_path: Path, short_tmp: Path, uninterrupted: list[dict[str, Any]]
) -> None:
    settings = experiment(tmp_path, max_concurrent=1)
    run = killed_after(60, settings, ladder_snapshot, tmp_path, short_tmp)
    # The kill may happen between two trials, or between the two renames of one checkpoint.
    while not (running := running_with_two_checkpoints(run)):
        killed_after(3, settings, ladder_snapshot, tmp_path, short_tmp)
    checkpoint = run / running.directory / LAST
    epoch = load_checkpoint(checkpoint)["epoch"]
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)

    assert finished(settings, ladder_snapshot, tmp_path) == uninterrupted

    message = f"damaged: {LAST}; training continued after epoch {epoch - 1}"
    assert f"trial {running.number}: {message}" in (tmp_path / "driver.log").read_text()
    assert status_of(opened(settings))["trials"][running.number]["damage"] == message


@pytest.mark.parametrize("cut", [25, 1, 80])
def test_a_study_cut_off_in_its_last_record_continues_without_that_record(
    ladder_snapshot: Snapshot, tmp_path: Path, short_tmp: Path, uninterrupted: list[dict[str, Any]], cut: int
) -> None:
    settings = experiment(tmp_path, max_concurrent=1)
    journal = killed_after(45 + cut, settings, ladder_snapshot, tmp_path, short_tmp) / JOURNAL
    content = journal.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    journal.write_bytes(content[: max(last + 1, len(content) - cut)])
    assert not journal.read_bytes().endswith(b"\n")

    assert finished(settings, ladder_snapshot, tmp_path) == uninterrupted


def running_with_two_checkpoints(run: Path) -> TrialRecord | None:
    """Return the trial that was killed while it had both of its checkpoints, if there is one."""
    for trial in read_trials(read_study(run)):
        kept = [(run / trial.directory / name).exists() for name in (LAST, PREVIOUS)]
        if trial.state == "RUNNING" and all(kept):
            return trial
    return None


def killed_after(
    records: int, settings: Experiment, snapshot: Snapshot, directory: Path, temporary: Path
) -> Path:
    """Start a search, kill all its processes and return its run's directory."""
    driver = start(settings, snapshot.path, directory, temporary=temporary)
    wait_for_records(driver, directory, records)
    kill_driver(driver, with_children=True)
    return opened(settings).path


def finished(settings: Experiment, snapshot: Snapshot, directory: Path) -> list[dict[str, Any]]:
    """Resume the search to its end and return its results."""
    search_under_fire(settings, snapshot.path, directory, kills=0, seed=0)
    return results(check_invariants(opened(settings), TRIALS))


@pytest.fixture(scope="module")
def uninterrupted(
    ladder_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Results of an uninterrupted search."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    return finished(experiment(directory, max_concurrent=1), ladder_snapshot, directory)

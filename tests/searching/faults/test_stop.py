"""Ctrl-C, and no trace of a password during a search and afterwards."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.searching.faults.killing import (
    check_invariants,
    opened,
    search_under_fire,
    start,
    wait_for_records,
)
from tests.searching.faults.test_kill import TRIALS, experiment
from tests.support.marked_password import PASSWORD, check_password_shows_nowhere
from trajtune.dataset.snapshot import Snapshot
from trajtune.searching.show.status import status_of

pytestmark = pytest.mark.slow


def test_ctrl_c_stops_a_search_that_can_be_resumed_and_leaves_nothing_behind(
    ladder_snapshot: Snapshot, tmp_path: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_tmp))
    settings = experiment(tmp_path)
    driver = start(settings, ladder_snapshot.path, tmp_path)
    wait_for_records(driver, tmp_path, 40)
    children = psutil.Process(driver.pid).children(recursive=True)
    assert status_of(opened(settings))["searching"]

    os.killpg(driver.pid, signal.SIGINT)  # to every process of the session, like a terminal
    driver.wait(60)

    resume = f"trajtune search --resume {opened(settings).path}"
    assert resume in (tmp_path / "driver.log").read_text()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not list(short_tmp.glob("trajtune-*")), "the directory of the Ray session is removed"
    stopped = status_of(opened(settings))
    assert not stopped["searching"]
    assert stopped["counts"]["RUNNING"] > 0
    assert not list(opened(settings).path.glob(".*"))

    search_under_fire(settings, ladder_snapshot.path, tmp_path, kills=0, seed=0)
    check_invariants(opened(settings), TRIALS)


def test_a_password_in_the_environment_is_never_written(
    ladder_snapshot: Snapshot, tmp_path: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://somebody:{PASSWORD}@localhost/people")
    monkeypatch.setenv("TMPDIR", str(short_tmp))
    settings = experiment(tmp_path, trials=2)
    driver = start(settings, ladder_snapshot.path, tmp_path)
    wait_for_records(driver, tmp_path, 40)

    check_password_shows_nowhere(driver, tmp_path, short_tmp)

"""Only one process at a time locks a run, and a killed process releases it."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tests.searching.runs.created import create
from trajtune.errors import RunError
from trajtune.searching.runs.directory import open_run


def test_two_processes_cannot_search_in_one_run_and_a_dead_one_releases_it(tmp_path: Path) -> None:
    run = create(tmp_path)
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    other = context.Process(target=hold, args=(run.path, held))
    other.start()
    assert held.wait(60)

    assert run.is_searching()
    with pytest.raises(RunError, match="Another process searches in"), run.locked():
        pass
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join()

    assert not run.is_searching()
    with run.locked():
        assert run.is_searching()


def hold(path: Path, held: object) -> None:
    with open_run(path).locked():
        held.set()  # type: ignore[attr-defined]
        signal.pause()

"""The run directory: whole or not at all, unique, and held by one process at a time."""

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trajtune.errors import RunError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.search.runs.create import create_run
from trajtune.search.runs.directory import Run, open_run


def experiment(directory: Path) -> Experiment:
    return validate(
        Experiment, {"search": {"space": "smoke"}, "storage": {"runs": str(directory / "runs")}}, "test"
    )


def create(directory: Path, name: str | None = None) -> Run:
    return create_run(
        experiment(directory),
        load_space("smoke"),
        name=name,
        snapshot_path=directory / "snapshot",
        snapshot_id="abc",
    )


def test_a_run_opens_as_it_was_created(tmp_path: Path) -> None:
    run = create(tmp_path, "mine")

    assert open_run(run.path) == run
    assert open_run("mine", run.experiment.storage) == run
    assert open_run(None, run.experiment.storage) == run
    assert (run.snapshot_id, run.requested) == ("abc", 50)


def test_runs_made_at_once_have_different_names_that_sort_by_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = [run.name for run in pool.map(lambda _: create(tmp_path), range(16))]

    assert len(set(names)) == 16
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name.startswith(".")]
    first = min(names)
    assert all(name.startswith(first[:8]) for name in names)


def test_a_name_that_is_taken_or_is_a_path_is_refused(tmp_path: Path) -> None:
    create(tmp_path, "mine")

    with pytest.raises(RunError, match="There is a run mine already"):
        create(tmp_path, "mine")
    for name in ("a/b", "latest", "..", ".hidden"):
        with pytest.raises(RunError, match="must be a plain file name"):
            create(tmp_path, name)


def test_a_run_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    storage = experiment(tmp_path).storage
    with pytest.raises(RunError, match="There is no run in"):
        open_run(None, storage)
    create(tmp_path, "mine")
    with pytest.raises(RunError, match="No run yours in .* There are: mine"):
        open_run("yours", storage)


def test_a_run_without_a_result_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="`trajtune search --resume .*/runs/mine`"):
        create(tmp_path, "mine").best()


def test_two_processes_cannot_search_in_one_run_and_a_dead_one_does_not_hold_it(tmp_path: Path) -> None:
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

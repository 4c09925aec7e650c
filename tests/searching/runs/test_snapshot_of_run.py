"""The snapshot of a run is found at its recorded path or, in a moved project, by its id."""

import os
import shutil
from pathlib import Path

import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import SnapshotError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import open_run
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run


@pytest.fixture
def project(small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a snapshot and a run that was moved after the run was created."""
    original, moved = tmp_path / "original", tmp_path / "moved"
    snapshot = original / "snapshots" / small_snapshot.id[:16]
    shutil.copytree(str(small_snapshot.path), snapshot)
    monkeypatch.chdir(original)
    experiment = validate(Experiment, {"search": {"space": "smoke"}}, "test")
    create_run(
        experiment, load_space("smoke"), name="mine", snapshot_path=snapshot, snapshot_id=small_snapshot.id
    )
    os.rename(original, moved)
    monkeypatch.chdir(moved)
    return moved


def test_a_moved_projects_snapshot_is_found_by_its_id(project: Path, small_snapshot: Snapshot) -> None:
    found = snapshot_of_run(open_run("mine"))
    assert found.id == small_snapshot.id
    assert found.path == project / "snapshots" / small_snapshot.id[:16]


def test_a_snapshot_is_found_beside_the_runs_from_another_directory(
    project: Path, small_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert snapshot_of_run(open_run(project / "runs" / "mine")).id == small_snapshot.id


def test_a_missing_snapshot_is_an_error_with_the_searched_directories(project: Path) -> None:
    shutil.rmtree(project / "snapshots")
    with pytest.raises(
        SnapshotError, match=r"it is not at .*/original/.*, .*/moved/snapshots/.* with --snapshot\."
    ):
        snapshot_of_run(open_run("mine"))


def test_a_given_snapshot_must_be_the_runs(
    project: Path, small_snapshot: Snapshot, ladder_snapshot: Snapshot
) -> None:
    run = open_run("mine")
    assert snapshot_of_run(run, small_snapshot.path).path == small_snapshot.path
    with pytest.raises(SnapshotError, match=rf"needs snapshot {small_snapshot.id[:16]}, but"):
        snapshot_of_run(run, ladder_snapshot.path)

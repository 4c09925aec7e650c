"""A new run is created atomically, with a unique name."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.searching.runs.created import create
from trajtune.errors import RunError
from trajtune.searching.runs import create as module


def test_runs_created_at_the_same_time_have_different_names_that_sort_by_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = [run.name for run in pool.map(lambda _: create(tmp_path), range(16))]

    assert len(set(names)) == 16
    assert not [path for path in (tmp_path / "runs").iterdir() if path.name.startswith(".")]
    first = min(names)
    assert all(name.startswith(first[:8]) for name in names)


def test_a_taken_name_or_a_path_as_name_is_refused(tmp_path: Path) -> None:
    create(tmp_path, "mine")

    with pytest.raises(RunError, match="mine exists already"):
        create(tmp_path, "mine")
    for name in ("a/b", "latest", "..", ".hidden"):
        with pytest.raises(RunError, match="must be a plain file name"):
            create(tmp_path, name)


def test_a_directory_that_is_not_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "runs/mine").mkdir(parents=True)
    (tmp_path / "runs/mine/notes.txt").write_text("mine")

    with pytest.raises(RunError, match="mine exists already"):
        create(tmp_path, "mine")
    assert [path.name for path in (tmp_path / "runs/mine").iterdir()] == ["notes.txt"]


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        create(tmp_path, "mine")
    assert list((tmp_path / "runs").iterdir()) == []

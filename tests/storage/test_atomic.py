"""Atomic writes of files and directories on this machine."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trajtune.storage import atomic
from trajtune.storage.atomic import (
    atomic_path,
    local_staging_directory,
    process_space,
    rename_directory,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "taken", b"content")

    assert names(tmp_path) == ["taken"]


def test_a_failed_block_keeps_the_previous_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"former")

    def interrupted() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"former"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"former"
    assert names(tmp_path) == ["file"]


def test_the_temporary_file_of_a_killed_writer_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_bytes(b"half, and longer than the next content")

    write_atomically(tmp_path / "file", b"content")

    assert (tmp_path / "file").read_bytes() == b"content"
    assert names(tmp_path) == ["file"]


def test_two_processes_can_write_at_once_with_unique_temporary_paths(tmp_path: Path) -> None:
    write = (
        "import sys; from pathlib import Path; from trajtune.storage.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1]), unique=True) as temporary: temporary.write_bytes(b'theirs')"
    )
    with atomic_path(tmp_path / "file", unique=True) as temporary:
        temporary.write_bytes(b"ours")
        subprocess.run([sys.executable, "-c", write, tmp_path / "file"], check=True)
        assert (tmp_path / "file").read_bytes() == b"theirs"

    assert (tmp_path / "file").read_bytes() == b"ours"
    assert names(tmp_path) == ["file"]


def test_a_directory_appears_when_it_is_renamed(tmp_path: Path) -> None:
    target = tmp_path / "below" / "target"
    with local_staging_directory(target) as folder:
        (folder / "file").touch()
        assert not target.exists()
        rename_directory(folder, target)

    assert names(target) == ["file"]
    assert names(target.parent) == ["target"]


@pytest.mark.parametrize("fails", [True, False])
def test_a_directory_that_is_not_renamed_is_deleted(tmp_path: Path, fails: bool) -> None:
    def stage() -> None:
        with local_staging_directory(tmp_path / "target") as folder:
            (folder / "file").touch()
            if fails:
                raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            stage()
    else:
        stage()
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_an_existing_target_is_refused(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("theirs")
    else:
        (target / "theirs").mkdir(parents=True)

    with pytest.raises(FileExistsError), local_staging_directory(target) as folder:
        rename_directory(folder, target)
    assert names(tmp_path) == ["target"]


def test_only_staging_directories_of_killed_processes_are_deleted(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = process_space()
    for pid in (dead.pid, os.getppid()):
        (tmp_path / f".target.new-abc-{pid}@{here}").mkdir()
    kept = [f".another.new-abc-{dead.pid}@{here}", f".target.new-abc-{dead.pid}@other-{here}"]
    for name in kept:  # for another target, and of another host, where that process may be running
        (tmp_path / name).mkdir()

    with local_staging_directory(tmp_path / "target"), local_staging_directory(tmp_path / "target"):
        pass

    assert names(tmp_path) == sorted([*kept, f".target.new-abc-{os.getppid()}@{here}"])


def test_containers_with_the_same_host_name_can_share_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ids are equal, or one of them does not exist in the other container."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (os.getpid(), dead.pid):
        with monkeypatch.context() as other, local_staging_directory(tmp_path / "target") as theirs:
            (theirs / "file").touch()
            other.setattr(atomic, "process_space", lambda: f"{socket.gethostname()}-anotherone")
            other.setattr(os, "getpid", lambda pid=pid: pid)
            with local_staging_directory(tmp_path / "target") as ours:
                assert ours != theirs
                other.undo()
                with local_staging_directory(tmp_path / "target"):
                    assert ours.exists()
            assert (theirs / "file").exists()
    assert names(tmp_path) == []


def test_a_process_space_identifies_the_host_and_its_pid_namespace() -> None:
    assert process_space().startswith(f"{socket.gethostname()}-")
    same = [sys.executable, "-c", "from trajtune.storage.atomic import process_space; print(process_space())"]
    assert subprocess.run(same, capture_output=True, text=True, check=True).stdout.strip() == process_space()
    if shutil.which("unshare") is None:
        return
    other = subprocess.run(["unshare", "--pid", "--fork", *same], capture_output=True, text=True, check=False)
    if other.returncode == 0:  # a sandbox may forbid it
        assert other.stdout.strip() != process_space()

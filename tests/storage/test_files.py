"""Writing, appending, linking and publishing work the same on a disk and in a store."""

import errno
import os
from pathlib import Path

import pytest

from tests.support.full_disk import no_file_larger_than
from trajtune.errors import StorageError
from trajtune.storage.files import (
    append_line,
    appended_lines,
    check_writable,
    follow_link,
    open_log,
    open_new_file,
    publish_directory,
    repair_directory,
    set_link,
    staging_directory,
    write_file,
    write_json,
)
from trajtune.storage.path import ObjectPath, StoredPath, children


@pytest.fixture(params=["disk", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> StoredPath:
    """An existing folder on a disk, and a folder in a store."""
    return tmp_path if request.param == "disk" else request.getfixturevalue("bucket")


def test_a_file_is_written_and_replaced(folder: StoredPath) -> None:
    write_file(folder / "file", b"first")
    write_file(folder / "file", b"second")
    assert (folder / "file").read_bytes() == b"second"
    assert [path.name for path in children(folder)] == ["file"]


def test_a_new_file_can_be_read_back_and_replaces_the_previous_one_at_the_end(folder: StoredPath) -> None:
    path = folder / "below" / "file"
    with open_new_file(path) as file:
        file.write(b"former")
    with open_new_file(path) as file:
        file.write(b"content")
        file.seek(0)
        assert file.read() == b"content"
        assert path.read_bytes() == b"former"
    assert path.read_bytes() == b"content"


def test_a_failed_block_keeps_the_previous_file(folder: StoredPath) -> None:
    def interrupted() -> None:
        with open_new_file(folder / "file") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    write_file(folder / "file", b"former")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (folder / "file").read_bytes() == b"former"
    assert [path.name for path in children(folder)] == ["file"]


def test_json_is_indented_and_refuses_nan(folder: StoredPath) -> None:
    write_json(folder / "file.json", {"city": "Zürich"})
    assert (folder / "file.json").read_text("utf-8") == '{\n  "city": "Zürich"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(folder / "file.json", {"loss": float("nan")})
    write_json(folder / "file.json", {"loss": float("nan")}, allow_nan=True)
    assert "NaN" in (folder / "file.json").read_text("utf-8")


def test_appended_lines_come_back_in_order(folder: StoredPath) -> None:
    assert appended_lines(folder / "ledger.jsonl") == []
    for number in range(3):
        append_line(folder / "ledger.jsonl", f"line {number}")
    write_file(folder / "another.jsonl", b"not ours\n")
    assert appended_lines(folder / "ledger.jsonl") == ["line 0", "line 1", "line 2"]


def test_a_log_is_appended_to_by_the_next_session(folder: StoredPath) -> None:
    for session in (b"first\n", b"second\n"):
        with open_log(folder / "search.log") as log:
            log.write(session)
            log.write(b"end\n")
    assert (folder / "search.log").read_bytes() == b"first\nend\nsecond\nend\n"


def test_a_link_can_be_set_and_changed(folder: StoredPath) -> None:
    assert follow_link(folder / "latest") is None
    for name in ("one", "two"):
        write_file(folder / name, name.encode())
        set_link(folder / "latest", name)
        target = follow_link(folder / "latest")
        assert target is not None
        assert target.read_bytes() == name.encode()


def test_without_os_symlink_a_link_is_a_file_with_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refused)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        set_link(tmp_path / "latest", name)
        assert follow_link(tmp_path / "latest") == tmp_path / name
    assert sorted(os.listdir(tmp_path)) == ["latest", "one", "two"]
    monkeypatch.undo()
    set_link(tmp_path / "latest", "one")
    assert follow_link(tmp_path / "latest") == tmp_path / "one"


def test_a_directory_is_published_with_its_content(folder: StoredPath) -> None:
    with staging_directory(folder / "target") as staged:
        (staged / "below").mkdir()
        (staged / "below" / "file").write_bytes(b"content")
        (staged / "manifest.json").write_bytes(b"{}")
        publish_directory(staged, folder / "target", last="manifest.json")
    assert (folder / "target/below/file").read_bytes() == b"content"
    assert [path.name for path in children(folder)] == ["target"]


def test_a_published_directory_is_never_overwritten(folder: StoredPath) -> None:
    for content in (b"first", b"second"):
        with staging_directory(folder / "target") as staged:
            (staged / "manifest.json").write_bytes(content)
            if content == b"first":
                publish_directory(staged, folder / "target", last="manifest.json")
                continue
            with pytest.raises(FileExistsError):
                publish_directory(staged, folder / "target", last="manifest.json")
    assert (folder / "target/manifest.json").read_bytes() == b"first"
    assert [path.name for path in children(folder)] == ["target"]


def test_the_file_that_completes_a_directory_is_written_last_in_a_store(
    bucket: ObjectPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "manifest.json", "z"):
        (tmp_path / name).touch()
    written: list[str] = []
    monkeypatch.setattr(ObjectPath, "write_bytes", lambda path, content: written.append(path.name))
    publish_directory(tmp_path, bucket / "target", last="manifest.json")
    assert written == ["a", "z", "manifest.json"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_on_a_file_system_without_links_a_link_is_a_file_with_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: Path, target: str) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    set_link(tmp_path / "latest", "one")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    set_link(tmp_path / "latest", "two")
    assert not (tmp_path / "latest").is_symlink()
    assert follow_link(tmp_path / "latest") == tmp_path / "two"
    monkeypatch.undo()
    set_link(tmp_path / "latest", "one")
    assert follow_link(tmp_path / "latest") == tmp_path / "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one", "two"]


def test_repairing_a_directory_writes_missing_files_and_keeps_the_others(
    folder: StoredPath, tmp_path_factory: pytest.TempPathFactory
) -> None:
    staged = tmp_path_factory.mktemp("staged")
    for name in ("same", "altered", "below/missing", "manifest.json"):
        (staged / name).parent.mkdir(exist_ok=True)
        (staged / name).write_text(name)
    target = folder / "target"
    if isinstance(target, Path):
        target.mkdir()
        (target / "below").write_text("a file where a directory belongs")
    write_file(target / "same", b"same")
    write_file(target / "altered", b"{}")
    write_file(target / "ledger.jsonl", b"kept")
    assert repair_directory(staged, target, last="manifest.json", kept=("same",)) == [
        "altered",
        "below/missing",
        "manifest.json",
    ]
    assert (target / "below" / "missing").read_text() == "below/missing"
    assert (target / "ledger.jsonl").read_text() == "kept"
    assert repair_directory(staged, target, last="manifest.json") == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv/x", "dangling", "dangling/x"])
def test_a_directory_that_cannot_be_created_is_detected_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("id")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(StorageError, match=f"^Cannot write to .*{name}: .* not a directory.*`x.y`") as caught:
        check_writable(tmp_path / name, "x.y")
    assert "\n" not in str(caught.value)


def test_a_read_only_file_system_is_detected_before_any_work() -> None:
    with pytest.raises(StorageError, match="^Cannot write to /proc/nope: .*set `x.y` to another directory"):
        check_writable(Path("/proc/nope"), "x.y")


def test_a_full_disk_is_detected_before_any_work_and_no_file_is_left(tmp_path: Path) -> None:
    with (
        no_file_larger_than(16_000),
        pytest.raises(StorageError, match=r"^Cannot write to .*/new/snapshots: File too large"),
    ):
        check_writable(tmp_path / "new" / "snapshots", "storage.snapshots")
    check_writable(tmp_path / "new" / "snapshots", "storage.snapshots")
    assert list(tmp_path.iterdir()) == []

"""Paths in a real S3 server: written whole, listed, waited for, and never with a key in what is said."""

import pickle
import threading
from pathlib import Path

import pytest

from tests.support.gate import gate_to
from tests.support.s3 import S3Store
from trajtune.errors import StorageError
from trajtune.storage import path as paths
from trajtune.storage.path import ObjectPath, children, is_uri, remove_tree, rename, stored_path, write_whole


@pytest.fixture
def bucket(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ObjectPath:
    """A folder of the test's own in a bucket that is there."""
    for name, value in s3_store.environment.items():
        monkeypatch.setenv(name, value)
    s3_store.put("runs", "other/file", b"not ours")
    return ObjectPath(f"s3://runs/{abs(hash(request.node.nodeid))}")


def test_what_is_written_is_read(bucket: ObjectPath) -> None:
    path = bucket / "a" / "one.json"

    assert not path.exists()
    write_whole(path, b"first")
    write_whole(path, b"second")

    assert path.read_text() == "second"
    assert path.is_file()
    assert (bucket / "a").exists()
    assert not (bucket / "a").is_file()
    assert pickle.loads(pickle.dumps(path)).read_bytes() == b"second"


def test_a_folder_lists_what_lies_directly_in_it_and_goes_as_a_whole(bucket: ObjectPath) -> None:
    for name in ("b.pt", "a.pt", "a.txt"):
        write_whole(bucket / "x" / name, name.encode())
    write_whole(bucket / "x" / "deeper" / "c.pt", b"c")

    assert [found.name for found in children(bucket / "x", "*.pt")] == ["a.pt", "b.pt"]
    assert children(bucket / "missing") == []
    rename(bucket / "x" / "a.pt", "b.pt")
    assert (bucket / "x" / "b.pt").read_bytes() == b"a.pt"
    assert not (bucket / "x" / "a.pt").exists()
    remove_tree(bucket / "x")
    remove_tree(bucket / "x")
    assert not (bucket / "x" / "deeper" / "c.pt").exists()


def test_what_is_missing_is_said_as_on_a_disk(bucket: ObjectPath) -> None:
    with pytest.raises(FileNotFoundError):
        (bucket / "nothing").read_bytes()
    (bucket / "nothing").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (bucket / "nothing").unlink()


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(StorageError, match="There is no bucket nowhere in the store") as raised:
        ObjectPath("s3://nowhere/runs").check()
    assert "\n" not in str(raised.value)


def test_a_store_that_does_not_answer_is_waited_for(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3_store.put("away", "there", b"all the time")
    with gate_to(s3_store.url) as (gate, url):
        for name, value in S3Store(url).environment.items():
            monkeypatch.setenv(name, value)
        paths._filesystem_of.cache_clear()
        gate.shut()
        threading.Timer(5, gate.open).start()

        assert ObjectPath("s3://away/there").read_bytes() == b"all the time"

    assert "does not answer; trying again for 120 s" in capsys.readouterr().err


def test_a_store_that_stays_away_is_given_up_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in S3Store("http://127.0.0.1:9").environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(paths, "PATIENCE_S", 0.5)
    paths._filesystem_of.cache_clear()

    with pytest.raises(StorageError, match="does not answer") as raised:
        ObjectPath("s3://gone/file").write_bytes(b"", patience_s=0.5)
    assert "\n" not in str(raised.value)
    assert "http://127.0.0.1:9" in str(raised.value)


def test_a_text_names_a_path_on_this_machine_or_in_a_store() -> None:
    assert stored_path("runs") == Path("runs")
    assert stored_path("s3://bucket/runs/") == ObjectPath("s3://bucket/runs")
    assert ObjectPath("s3://bucket/runs").parent == ObjectPath("s3://bucket")
    assert ObjectPath("s3://bucket").parent == ObjectPath("s3://bucket")
    assert is_uri("s3://bucket")
    assert not is_uri("./s3")


def test_a_file_that_cannot_be_written_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "taken", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]

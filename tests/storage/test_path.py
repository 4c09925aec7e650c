"""Paths on a real S3 server: listing, waiting and errors."""

import pickle
import threading
from pathlib import Path

import pytest

from tests.support.gate import gate_to
from tests.support.s3 import S3Store
from trajtune.errors import StorageError
from trajtune.storage import path as paths
from trajtune.storage.files import write_file
from trajtune.storage.path import ObjectPath, children, is_uri, local_path, remove_tree, rename, stored_path


def test_an_object_round_trips(bucket: ObjectPath) -> None:
    path = bucket / "a" / "one.json"

    assert not path.exists()
    write_file(path, b"first")
    write_file(path, b"second")

    assert path.read_text() == "second"
    assert path.is_file()
    assert (bucket / "a").exists()
    assert not (bucket / "a").is_file()
    assert path.open("rb").read() == b"second"
    assert pickle.loads(pickle.dumps(path)).read_bytes() == b"second"


def test_a_folder_lists_its_direct_children_and_is_deleted_with_its_content(bucket: ObjectPath) -> None:
    for name in ("b.pt", "a.pt", "a.txt"):
        write_file(bucket / "x" / name, name.encode())
    write_file(bucket / "x" / "deeper" / "c.pt", b"c")

    assert [found.name for found in children(bucket / "x", "*.pt")] == ["a.pt", "b.pt"]
    assert children(bucket / "missing") == []
    rename(bucket / "x" / "a.pt", "b.pt")
    assert (bucket / "x" / "b.pt").read_bytes() == b"a.pt"
    assert not (bucket / "x" / "a.pt").exists()
    remove_tree(bucket / "x")
    remove_tree(bucket / "x")
    assert not (bucket / "x" / "deeper" / "c.pt").exists()


def test_a_missing_object_raises_file_not_found(bucket: ObjectPath) -> None:
    with pytest.raises(FileNotFoundError):
        (bucket / "nothing").read_bytes()
    (bucket / "nothing").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (bucket / "nothing").unlink()


@pytest.mark.usefixtures("bucket")
def test_a_missing_bucket_is_a_one_line_error() -> None:
    with pytest.raises(StorageError, match="There is no bucket nowhere in the store") as raised:
        ObjectPath("s3://nowhere/runs").check()
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_an_operation_waits_for_an_unresponsive_store(
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


def test_an_unresponsive_store_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in S3Store("http://127.0.0.1:9").environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(paths, "WAIT_S", 0.5)
    paths._filesystem_of.cache_clear()

    with pytest.raises(StorageError, match="does not answer") as raised:
        ObjectPath("s3://gone/file").write_bytes(b"", wait_s=0.5)
    assert "\n" not in str(raised.value)
    assert "http://127.0.0.1:9" in str(raised.value)


def test_a_text_is_read_as_a_local_path_or_an_object_path() -> None:
    assert stored_path("runs") == Path("runs")
    assert stored_path("s3://bucket/runs/") == ObjectPath("s3://bucket/runs")
    assert ObjectPath("s3://bucket/runs").parent == ObjectPath("s3://bucket")
    assert ObjectPath("s3://bucket").parent == ObjectPath("s3://bucket")
    assert is_uri("s3://bucket")
    assert not is_uri("./s3")
    assert local_path(Path("runs")) == Path("runs")
    assert local_path(ObjectPath("s3://bucket/runs")) is None

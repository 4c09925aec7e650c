"""A snapshot in an object store: the same content as on a disk, whole or not there, opened on the record."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.careers import ladder_careers, loaded
from tests.support.s3 import S3Store
from trajtune.dataset.data_report import DATA_REPORT
from trajtune.dataset.prepare import prepare, snapshot_of
from trajtune.dataset.snapshot import MANIFEST, Snapshot, open_snapshot
from trajtune.dataset.test_split import open_test_split, openings
from trajtune.errors import SnapshotError, StorageError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.storage import path as paths
from trajtune.storage.path import ObjectPath, children

SNAPSHOTS = "s3://careers/snapshots"


def experiment(snapshots: Path | str) -> Experiment:
    content = {"source": {"kind": "simulated", "careers": 100}, "storage": {"snapshots": str(snapshots)}}
    return validate(Experiment, content, "test")


@pytest.fixture
def stored(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Snapshot]:
    """The snapshot of the ladder careers in a store that had none."""
    s3_store.put("careers", "there", b"")
    for name, value in s3_store.environment.items():
        monkeypatch.setenv(name, value)
    paths._filesystem_of.cache_clear()
    yield snapshot_of(loaded(ladder_careers()), experiment(SNAPSHOTS))
    ObjectPath(SNAPSHOTS).remove_tree()
    paths._filesystem_of.cache_clear()


def test_a_store_holds_the_same_bytes_as_a_disk(stored: Snapshot, ladder_snapshot: Snapshot) -> None:
    assert stored.path == ObjectPath(f"{SNAPSHOTS}/{ladder_snapshot.id[:16]}")
    assert isinstance(ladder_snapshot.path, Path)
    for file in ladder_snapshot.path.rglob("*"):
        name = str(file.relative_to(ladder_snapshot.path))
        if file.is_file() and not name.startswith("ledger"):
            assert (stored.path / name).read_bytes() == file.read_bytes(), name
    opened = open_snapshot(str(stored.path))
    assert opened.encoder().title_to_idx == ladder_snapshot.encoder().title_to_idx
    for split in ("train", "val"):
        there, here = opened.read(split), ladder_snapshot.read(split)
        assert there.titles.equals(here.titles)
        np.testing.assert_array_equal(there.arrays.title_ids, here.arrays.title_ids)
        np.testing.assert_array_equal(there.arrays.offsets, here.arrays.offsets)


def test_a_file_is_fetched_once_to_be_verified_and_read(
    stored: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: Counter[str] = Counter()
    read_bytes = ObjectPath.read_bytes

    def counted(path: ObjectPath) -> bytes:
        fetched[path.uri.removeprefix(f"{stored.path}/")] += 1
        return read_bytes(path)

    monkeypatch.setattr(ObjectPath, "read_bytes", counted)
    opened = open_snapshot(stored.path)
    train, _ = opened.read("train"), opened.read("val")
    open_test_split(opened, run="one", purpose="finalize")

    assert [fetched[f"{split}/careers.parquet"] for split in ("train", "val", "test")] == [1, 1, 1]
    assert opened.read("train").titles.equals(train.titles)


def test_the_report_stands_beside_it(stored: Snapshot) -> None:
    assert "Data report" in (stored.path / DATA_REPORT).read_text()


def test_preparing_again_writes_what_is_damaged_and_leaves_the_rest(
    stored: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    (stored.path / "val/careers.parquet").write_bytes(b"altered")
    with pytest.raises(SnapshotError, match=r"val/careers\.parquet was altered"):
        open_snapshot(stored.path)
    again = snapshot_of(loaded(ladder_careers()), experiment(SNAPSHOTS))
    assert open_snapshot(again.path).id == stored.id
    assert f"{stored.path} was damaged; written again: val/careers.parquet." in capsys.readouterr().err


def test_an_incomplete_snapshot_does_not_count_and_is_written_again(stored: Snapshot) -> None:
    (stored.path / MANIFEST).unlink()
    (stored.path / "train/careers.parquet").write_bytes(b"half")
    with pytest.raises(SnapshotError, match=f"No snapshot at {stored.path}"):
        open_snapshot(stored.path)
    again = snapshot_of(loaded(ladder_careers()), experiment(SNAPSHOTS))
    assert open_snapshot(again.path).id == stored.id


def test_every_opening_of_the_test_split_is_kept(stored: Snapshot) -> None:
    assert openings(stored) == []
    open_test_split(stored, run="one", purpose="finalize")
    (stored.path / "test/careers.parquet").write_bytes(b"altered")
    with pytest.raises(SnapshotError, match="was altered"):
        open_test_split(stored, run="two", purpose="finalize")
    assert [entry["run"] for entry in openings(open_snapshot(stored.path))] == ["one", "two"]
    assert len(children(stored.path, "ledger*")) == 2


@pytest.mark.usefixtures("stored")
def test_a_missing_bucket_is_an_error_before_anything_is_read() -> None:
    with pytest.raises(StorageError, match="There is no bucket nowhere in the store"):
        prepare(experiment("s3://nowhere/snapshots"))


@pytest.mark.slow
def test_the_command_trains_on_it(stored: Snapshot, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("trajtune"), "train", "--snapshot", str(stored.path)]
    said = subprocess.run(
        [*command, "--epochs", "1", "--output", "out"],
        cwd=tmp_path,
        env={**os.environ, "POSTGRES_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"out"}

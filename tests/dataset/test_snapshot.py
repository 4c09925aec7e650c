"""A snapshot is what its hash says, and nothing after a cutoff changes what is before it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.careers import ladder_careers, loaded
from tests.support.full_disk import no_file_larger_than
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot, open_snapshot
from trajtune.dataset.test_split import open_test_split, openings
from trajtune.errors import SnapshotError, SourceError, StorageError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment


def experiment(folder: Path, **sections: object) -> Experiment:
    return validate(Experiment, {"storage": {"snapshots": str(folder)}, **sections}, "test")


def test_preparing_the_same_careers_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = snapshot_of(loaded(ladder_careers()), experiment(tmp_path / "a"))
    second = snapshot_of(loaded(ladder_careers()), experiment(tmp_path / "b"))
    assert first.id == second.id
    for file in sorted(path.relative_to(first.path) for path in first.path.rglob("*") if path.is_file()):
        assert (first.path / file).read_bytes() == (second.path / file).read_bytes()


def test_careers_after_the_cutoff_change_no_byte_of_train_nor_of_the_vocabulary(tmp_path: Path) -> None:
    cutoffs = {"split": {"by": "career", "train_cutoff": "2012-01-01", "val_cutoff": "2016-01-01"}}
    careers = ladder_careers()
    later = ladder_careers(50, seed=9).to_pylist()
    for row in later:
        row["candidate_id"] = "later-" + row["candidate_id"]
        row["titles"] = ["Astronaut", *row["titles"][1:]]
        row["ends"] = [*row["ends"][:-1], row["starts"][-1].replace(year=2030)]
    more = pa.concat_tables([careers, pa.Table.from_pylist(later, schema=careers.schema)]).sort_by(
        "candidate_id"
    )
    before = snapshot_of(loaded(careers), experiment(tmp_path / "before", **cutoffs))
    after = snapshot_of(
        loaded(more, as_of=loaded(careers).as_of.replace(year=2031)),
        experiment(tmp_path / "after", **cutoffs),
    )
    assert before.id != after.id
    for name in ("train/careers.parquet", "vocabulary.json"):
        assert (before.path / name).read_bytes() == (after.path / name).read_bytes()


@pytest.mark.slow
def test_more_text_than_an_array_holds_is_said_in_one_line(tmp_path: Path) -> None:
    careers = ladder_careers(1800)
    chunk = pa.Array.from_buffers(
        pa.string(),
        600,
        [
            None,
            pa.py_buffer(np.arange(601, dtype=np.int32) * 2_000_000),
            pa.py_buffer(np.zeros(1_200_000_000, "u1")),
        ],
    )
    where = careers.column_names.index("candidate_id")
    careers = careers.set_column(where, "candidate_id", pa.chunked_array([chunk] * 3))
    with pytest.raises(SourceError, match="must be less than 2 GB of text"):
        snapshot_of(loaded(careers), experiment(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_vocabulary_never_sees_val_or_test_titles(ladder_snapshot: Snapshot) -> None:
    encoder = ladder_snapshot.encoder()
    train = set(ladder_snapshot.read("train").titles.values.to_pylist())
    assert set(encoder.idx_to_title.values()) == train | {"<UNK>"}


def test_a_snapshot_round_trips_every_array(ladder_snapshot: Snapshot) -> None:
    data = ladder_snapshot.read("train")
    encoder = ladder_snapshot.encoder()
    assert (
        data.arrays.num_careers
        == ladder_snapshot.manifest["splits"]["train"]["careers"]
        == len(data.candidate_ids)
    )
    assert data.arrays.title_ids.tolist() == [
        encoder.encode(title) for title in data.titles.values.to_pylist()
    ]
    assert data.arrays.title_ids.dtype == np.int32
    assert data.arrays.tenure_months.dtype == np.float32
    assert np.isnan(data.arrays.tenure_months).any()


def test_every_opening_of_the_test_split_is_written_down(ladder_snapshot: Snapshot) -> None:
    before = len(openings(ladder_snapshot))
    data = open_test_split(ladder_snapshot, run="run-1", purpose="evaluate")
    assert data.arrays.num_careers == ladder_snapshot.manifest["splits"]["test"]["careers"]
    entries = openings(ladder_snapshot)
    assert len(entries) == before + 1
    assert (entries[-1]["run"], entries[-1]["purpose"]) == ("run-1", "evaluate")
    assert open_snapshot(ladder_snapshot.path).id == ladder_snapshot.id


def test_a_snapshot_does_not_give_the_test_split_by_name(ladder_snapshot: Snapshot) -> None:
    with pytest.raises(SnapshotError, match="Only finalize opens test"):
        ladder_snapshot.read("test")  # type: ignore[arg-type]


def test_searching_needs_no_test_split_on_disk(ladder_snapshot: Snapshot, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ladder_snapshot.path, copy)
    shutil.rmtree(copy / "test")
    snapshot = open_snapshot(copy)
    assert snapshot.read("train").arrays.num_careers
    with pytest.raises(SnapshotError, match="lacks"):
        open_test_split(snapshot, run="r", purpose="p")


@pytest.mark.parametrize("name", ["train/careers.parquet", "vocabulary.json", "quarantine.parquet"])
def test_an_altered_file_is_named(ladder_snapshot: Snapshot, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ladder_snapshot.path, copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(SnapshotError, match=f"{name} was altered"):
        open_snapshot(copy)


def test_an_altered_test_split_is_refused_when_it_is_opened(
    ladder_snapshot: Snapshot, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ladder_snapshot.path, copy)
    shutil.copy(copy / "val/careers.parquet", copy / "test/careers.parquet")
    with pytest.raises(SnapshotError, match="test/careers.parquet was altered"):
        open_test_split(open_snapshot(copy), run="r", purpose="p")


def test_an_altered_manifest_is_refused(ladder_snapshot: Snapshot, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ladder_snapshot.path, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["cutoffs"]["train"] = "2001-01-01"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SnapshotError, match="does not hash to its id"):
        open_snapshot(copy)


def test_a_missing_snapshot_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="No snapshot at .*prepare"):
        open_snapshot(tmp_path / "nowhere")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "altered": lambda path: (path / "vocabulary.json").write_text("{}"),
    "split": lambda path: (path / "test/careers.parquet").write_bytes(b""),
    "manifest": lambda path: (path / "manifest.json").write_text("{"),
    "not_json": lambda path: (path / "manifest.json").write_text("[]"),
    "missing": lambda path: (path / "refit/manifest.json").unlink(),
    "folder": lambda path: shutil.rmtree(path / "train"),
    "emptied": lambda path: [shutil.rmtree(path), path.mkdir()],
    "file_for_folder": lambda path: [shutil.rmtree(path / "val"), (path / "val").write_text("")],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_written_again_and_keeps_its_ledger(
    ladder_snapshot: Snapshot, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(ladder_snapshot.path, Path)
    copy = tmp_path / ladder_snapshot.path.name
    shutil.copytree(ladder_snapshot.path, copy)
    (copy / "ledger.jsonl").write_text('{"run": "one"}\n')
    DAMAGES[damage](copy)
    again = snapshot_of(loaded(ladder_careers()), experiment(tmp_path))
    assert again.path == copy
    open_test_split(again, run="two", purpose="p")
    kept = [] if damage == "emptied" else ["one"]
    assert [entry["run"] for entry in openings(again)] == [*kept, "two"]
    for file in ladder_snapshot.path.rglob("*"):
        if file.is_file() and file.name != "ledger.jsonl":
            assert (copy / file.relative_to(ladder_snapshot.path)).read_bytes() == file.read_bytes()
    assert ("was damaged; written again" in capsys.readouterr().err) == (damage != "emptied")
    assert sorted(path.name for path in tmp_path.iterdir()) == [copy.name]


def test_an_intact_snapshot_of_other_versions_is_left_as_it_is(
    ladder_snapshot: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / ladder_snapshot.path.name
    shutil.copytree(str(ladder_snapshot.path), copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"versions": {"trajtune": "0"}}))
    before = (copy / "manifest.json").read_bytes()
    snapshot_of(loaded(ladder_careers()), experiment(tmp_path))
    assert (copy / "manifest.json").read_bytes() == before
    assert capsys.readouterr().err == ""


def test_a_disk_that_fills_while_a_snapshot_is_written_is_one_line(tmp_path: Path) -> None:
    with (
        no_file_larger_than(4_000),
        pytest.raises(StorageError, match="^Cannot write to .*: .*set `storage.snapshots`") as caught,
    ):
        snapshot_of(loaded(ladder_careers()), experiment(tmp_path / "snapshots"))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_a_snapshot_shows_itself_and_its_quarantine(ladder_snapshot: Snapshot) -> None:
    assert repr(ladder_snapshot).startswith(f"<Snapshot {ladder_snapshot.id[:16]}: train ")
    shown = ladder_snapshot._repr_html_()
    assert all(f"<td>{split}</td>" in shown for split in ("train", "val", "test"))
    quarantine = ladder_snapshot.quarantine()
    assert {"reason", "detail", "num_rows"} <= set(quarantine.columns)
    assert len(quarantine) == sum(ladder_snapshot.manifest["quarantine"].values())

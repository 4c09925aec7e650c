"""Several partitions hold what one partition holds, and the same bytes from any blocks."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.dataset.test_leakage import by_person, files_of
from trajtune.careers.exchange.partitioned import partitioned
from trajtune.careers.read import load_career_sequences
from trajtune.dataset.prepare import prepare, write_content
from trajtune.dataset.snapshot import Snapshot, open_snapshot, read_split, split_files
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

pytestmark = pytest.mark.usefixtures("ray_local")

CAREERS = 300
FEW = 40
"""Careers in a partition, so that there are eight."""

TITLES = ("Nurse", "Sr. Nurse", "senior nurse", "工程师", "Pilot", "Head of Ops", "C++", "")
OPTIONS: Mapping[str, dict[str, Any]] = {
    "move": {},
    "career": {"split": {"by": "career"}, "data": {"merge_repeats": True, "max_quarantine_fraction": 1}},
    "transition": {"split": {"by": "transition"}, "vocabulary": {"min_count": 30}},
}


def roles_of(number: int) -> list[dict[str, Any]]:
    draw = random.Random(number)
    year, roles = draw.randint(1990, 2015), []
    for _ in range(draw.randint(1, 6)):
        end = year + draw.randint(0, 3)
        form = draw.choice(["{}", "{}-03", "{}-03-17"])
        roles.append(
            {
                "title": draw.choice(TITLES),
                "start_date": form.format(year),
                "end_date": draw.choice([None, form.format(end), "nonsense" if number % 50 == 0 else None]),
            }
        )
        year = end
    if number == 7:  # held for more than seventy years
        roles = [{"title": title, "start_date": "1890", "end_date": None} for title in ("Nurse", "Pilot")]
    return roles


def written(folder: Path, layout: str, *, shuffled: bool = False, rows_in_a_group: int = 10_000) -> Path:
    """The careers as Parquet, a third of which have an id that another one has, and some none."""
    ids = [None if number % 97 == 0 else f"p{number % (CAREERS - 20)}" for number in range(CAREERS)]
    people = [(who, roles_of(number)) for number, who in enumerate(ids)]
    rows: list[dict[str, Any]]
    if layout == "json":
        rows = [{"id": who, "work_history": roles} for who, roles in people]
    else:
        rows = [{"candidate_id": who, **role} for who, roles in people for role in roles]
    if shuffled:
        rows = random.Random(1).sample(rows, len(rows))
    path = folder / "careers"
    path.mkdir(parents=True)
    for at in range(0, len(rows), rows_in_a_group):
        pq.write_table(pa.Table.from_pylist(rows[at : at + rows_in_a_group]), path / f"{at:06}.parquet")
    return path


def experiment(path: Path, layout: str, snapshots: Path, options: dict[str, Any]) -> Experiment:
    columns = {"id_column": "candidate_id"} if layout == "roles" else {}
    source = {"kind": "parquet", "path": str(path), "layout": {"layout": layout, **columns}}
    content = {"source": source, "storage": {"snapshots": str(snapshots)}, **options}
    content["data"] = {"max_quarantine_fraction": 1, **content.get("data", {})}
    return validate(Experiment, content, "test")


def content_of(snapshot: Snapshot) -> dict[str, bytes]:
    assert isinstance(snapshot.path, Path)
    return files_of(snapshot.path)


@pytest.mark.parametrize("layout", [pytest.param("json", marks=pytest.mark.slow), "roles"])
@pytest.mark.parametrize(
    "name", ["move", *(pytest.param(name, marks=pytest.mark.slow) for name in ("career", "transition"))]
)
def test_several_partitions_hold_what_one_holds_and_any_blocks_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, name: str
) -> None:
    options = OPTIONS[name]
    monkeypatch.chdir(tmp_path)  # the manifest names the source's path
    (tmp_path / "a").mkdir()

    def made(folder: str, size: int, **how: Any) -> Snapshot:
        where = tmp_path / folder
        path = written(where, layout, **how)
        path.rename(tmp_path / "source")
        source = experiment(Path("source"), layout, where / "snapshots", options)
        snapshot = prepare(source, careers_in_a_partition=size)
        (tmp_path / "source").rename(path)
        return snapshot

    one = made("one", 10_000)
    several = made("several", FEW)
    again = made("again", FEW, shuffled=True, rows_in_a_group=37)
    assert len(split_files(one, "train")) == 1
    assert len(split_files(several, "train")) == 8
    assert content_of(several) == content_of(again)

    for division, whole in ((several, one), (several.refit, one.refit)):
        assert division.encoder().title_to_idx == whole.encoder().title_to_idx
        for split in ("train", "val", "test"):
            parts, together = (read_split(split_files(of, split)) for of in (division, whole))
            assert by_person(parts) == by_person(together)
            assert _title_ids(parts) == _title_ids(together)
        left_out = ("files", "id", "schema_version")
        described, expected = (
            {key: value for key, value in _without_chance(of.manifest).items() if key not in left_out}
            for of in (division, whole)
        )
        assert described == expected
    quarantine = [pq.read_table(str(of.path / "quarantine.parquet")) for of in (several, one)]
    assert quarantine[0].equals(quarantine[1])
    assert open_snapshot(several.path).manifest["schema_version"] == 3

    # The same in this process, from careers that were read as one table.
    source = experiment(Path("source"), layout, tmp_path / "here", options)
    (tmp_path / "one/careers").rename(tmp_path / "source")
    loaded = load_career_sequences(source.source, source.data)
    here, _ = write_content(partitioned(loaded, FEW), source)
    assert here.id == several.id


def _title_ids(data: Any) -> dict[str, list[int]]:
    ends = data.arrays.offsets.tolist()
    ids = data.arrays.title_ids.tolist()
    people = data.candidate_ids.to_pylist()
    return {who: ids[start:end] for who, start, end in zip(people, ends, ends[1:], strict=False)}


def _without_chance(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest without the index by chance, whose random divisions depend on the order of the people."""
    splits = {
        name: {key: value for key, value in split.items() if key != "psi_by_chance"}
        for name, split in manifest["splits"].items()
    }
    return {**manifest, "splits": splits}

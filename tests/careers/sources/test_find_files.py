"""Finding the files of a path, a directory or a glob."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.careers.sources.test_files import ROWS, load, write_csv

pytestmark = pytest.mark.usefixtures("ray_local")


def test_a_directory_reads_every_file_of_its_kind_and_names_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(person: str) -> list[dict[str, Any]]:
        return [{**row, "candidate_id": person} for row in ROWS[2:4]]

    write_csv(tmp_path / "a.csv", rows("a"))
    write_csv(tmp_path / "C.CSV", rows("c"))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(write_csv(tmp_path / "b.tmp", rows("b")).read_bytes()))
    for name in ("_x.csv", ".~lock.csv", "_temporary/0.csv", ".ipynb_checkpoints/a.csv", "_delta_log/0.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_csv(tmp_path / name, rows("hidden"))
    assert load("csv", tmp_path).careers["candidate_id"].to_pylist() == ["a", "b", "c"]
    said = capsys.readouterr().err
    assert "files are not read: " in said
    assert "and 1 more" in said
    assert load("csv", tmp_path / "**/*.csv").careers["candidate_id"].to_pylist() == ["a"]
    assert load("csv", tmp_path / "_x.csv").careers["candidate_id"].to_pylist() == ["hidden"]


def test_an_existing_path_takes_precedence_over_a_glob(tmp_path: Path) -> None:
    folder = tmp_path / "data [2024]"
    folder.mkdir()
    write_csv(folder / "x[1].csv", ROWS)
    for path in (folder, folder / "x[1].csv"):
        assert load("csv", path).careers["candidate_id"].to_pylist() == ["1", "2"]

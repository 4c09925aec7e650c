"""`trajtune prepare`: every row is accounted for, and errors are one line."""

import json
from pathlib import Path

import psycopg2
import pytest

from tests.cli.running import Trajtune, assert_one_line, write_csv
from tests.support.careers import ladder_careers


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("{kind: postgres, table: candidate}", ["candidate", "candidates"]),
        (
            "{kind: postgres, layout: {layout: json, history_column: history}}",
            ["history", "work_history"],
        ),
        ("{kind: postgres, table: nobody}", ["nobody", "empty"]),
    ],
)
def test_a_wrong_table_or_column_or_an_empty_table(
    trajtune: Trajtune,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    own_database: str,
    source: str,
    parts: list[str],
    ray_local: None,
) -> None:
    connection = psycopg2.connect(own_database)
    with connection, connection.cursor() as cursor:
        cursor.execute("create table candidates (id bigint, work_history jsonb)")
        cursor.execute("create table nobody (id bigint, work_history jsonb)")
        cursor.execute("insert into candidates values (1, '[]')")
    connection.close()
    monkeypatch.setenv("POSTGRES_URL", own_database)
    (tmp_path / "e.yaml").write_text(f"source: {source}")
    assert_one_line(trajtune("prepare", "e.yaml"), "SourceError", *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["e.yaml"]


def test_cutoffs_that_leave_a_split_empty(trajtune: Trajtune, tmp_path: Path, ray_local: None) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text(
        "source: {kind: csv, path: roles.csv}\nsplit: {train_cutoff: 1950-01-01, val_cutoff: 1960-01-01}"
    )
    assert_one_line(trajtune("prepare", "e.yaml"), "SplitError", "train has none", "1950-01-01")
    assert not (tmp_path / "snapshots").exists()


def test_prepare_accounts_for_every_row(trajtune: Trajtune, tmp_path: Path, ray_local: None) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}")
    outcome = trajtune("prepare", "e.yaml")
    assert outcome.code == 0, outcome.err
    (snapshot,) = (tmp_path / "snapshots").iterdir()
    counts = json.loads((snapshot / "manifest.json").read_text())["counts"]
    assert (
        counts["rows_in"]
        == counts["rows_kept"]
        == sum(len(roles) for roles in ladder_careers()["titles"].to_pylist())
    )
    assert f"rows        {counts['rows_in']:,} in" in outcome.out


def test_a_quiet_prepare_prints_only_json(
    trajtune: Trajtune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_local: None
) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}")
    outcome = trajtune("prepare", "e.yaml", "--json", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert Path(json.loads(outcome.out)["snapshot"]).parent == Path("snapshots")


@pytest.mark.parametrize("place", ["roles.csv", "roles.csv/x", "/proc/nope"])
def test_unwritable_snapshots_are_reported_before_anything_is_read(
    trajtune: Trajtune, tmp_path: Path, place: str
) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text(
        f"source: {{kind: csv, path: missing.csv}}\nstorage: {{snapshots: {place}}}"
    )
    assert_one_line(trajtune("prepare", "e.yaml"), "StorageError", place, "`storage.snapshots`")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.yaml", "roles.csv"]


def test_an_as_of_date_in_the_future_is_refused(trajtune: Trajtune, tmp_path: Path) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}\ndata: {as_of: 2999-01-01}")
    assert_one_line(trajtune("prepare", "e.yaml"), "SourceError", "`data.as_of`", "future", "2999-01-01")


@pytest.mark.parametrize(
    "text", ["source: {kind: simulated, seed: -5}", "search: {seed: -1}", "search: {seed: 4294967296}"]
)
def test_an_invalid_seed_is_one_line(trajtune: Trajtune, tmp_path: Path, text: str) -> None:
    (tmp_path / "e.yaml").write_text(text)
    assert_one_line(trajtune("prepare", "e.yaml"), "ExperimentError", "seed`: Input should be ")

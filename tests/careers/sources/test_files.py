"""Reading files through Ray Data's own readers."""

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trajtune.careers.read import load_career_sequences
from trajtune.careers.schema import LoadedCareers
from trajtune.errors import ExperimentError, SourceError
from trajtune.experiment.load import validate
from trajtune.experiment.settings import DataSettings, Experiment
from trajtune.experiment.sources import FileSource, JsonHistory, RoleRows

pytestmark = pytest.mark.usefixtures("ray_local")
LENIENT = DataSettings(max_quarantine_fraction=1)

ROWS = [
    {"candidate_id": "1", "title": "B", "start_date": "2001-02-03", "end_date": None},
    {"candidate_id": "1", "title": 'Söme, "A"\nB', "start_date": "2000-01-01", "end_date": "2001-01-31"},
    {"candidate_id": "2", "title": "C", "start_date": "1999-05-05", "end_date": "2000-05-05"},
    {"candidate_id": "2", "title": "NA", "start_date": "2000-05-05", "end_date": "2002-05-05"},
    {"candidate_id": "3", "title": "Only", "start_date": "2000-05-05", "end_date": "2002-05-05"},
]  # fmt: skip
KEYS = ("title", "start_date", "end_date")
HISTORIES = [
    {
        "id": person,
        "work_history": [{key: r[key] for key in KEYS} for r in ROWS if r["candidate_id"] == person],
    }
    for person in ("1", "2", "3")
]


def load(kind: Any, path: object, data: DataSettings = LENIENT, **source: Any) -> LoadedCareers:
    return load_career_sequences(FileSource(kind=kind, path=str(path), **source), data)


def write_csv(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def typed(rows: list[dict[str, Any]] = ROWS) -> pa.Table:
    """Return the rows with a warehouse's types: integers, dates, timestamps."""
    return pa.table(
        {
            "candidate_id": pa.array([int(r["candidate_id"]) for r in rows]),
            "title": pa.array([r["title"] for r in rows]).dictionary_encode(),
            "start_date": pa.array([date.fromisoformat(r["start_date"]) for r in rows]),
            "end_date": pa.array(
                [r["end_date"] and datetime.fromisoformat(r["end_date"]) for r in rows],
                pa.timestamp("us", "UTC"),
            ),
        }
    )


def write_csv_histories(path: Path) -> Path:
    return write_csv(path, [{**row, "work_history": json.dumps(row["work_history"])} for row in HISTORIES])


def as_parquet(path: Path) -> Path:
    pq.write_table(typed(), path)
    return path


def as_parquet_histories(path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(HISTORIES), path)
    return path


def as_parquet_json(path: Path) -> Path:
    rows = [{**row, "work_history": json.dumps(row["work_history"])} for row in HISTORIES]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(
    ("kind", "write", "layout"),
    [
        ("csv", write_csv, RoleRows()),
        ("csv", write_csv_histories, JsonHistory()),
        ("parquet", as_parquet, RoleRows()),
        ("parquet", as_parquet_histories, JsonHistory()),
        ("parquet", as_parquet_json, JsonHistory()),
        ("jsonl", lambda path: write_jsonl(path, ROWS), RoleRows()),
        ("jsonl", lambda path: write_jsonl(path, HISTORIES), JsonHistory()),
    ],
)
def test_every_kind_of_file_gives_the_same_careers(
    tmp_path: Path, kind: str, write: Callable[[Path], Path], layout: Any
):
    loaded = load(kind, write(tmp_path / f"careers.{kind}"), layout=layout)
    assert loaded.careers.to_pylist() == [
        {
            "candidate_id": "1",
            "titles": ['Söme, "A"\nB', "B"],
            "starts": [date(2000, 1, 1), date(2001, 2, 3)],
            "ends": [date(2001, 1, 31), None],
            "precisions": [1, 1],
            "end_precisions": [1, None],
            "hireable": None,
        },
        {
            "candidate_id": "2",
            "titles": ["C", "NA"],
            "starts": [date(1999, 5, 5), date(2000, 5, 5)],
            "ends": [date(2000, 5, 5), date(2002, 5, 5)],
            "precisions": [1, 1],
            "end_precisions": [1, 1],
            "hireable": None,
        },
    ]
    assert loaded.quarantine.to_pylist() == [
        {
            "candidate_id": "3",
            "level": "career",
            "reason": "too_few_roles",
            "detail": "1 good role",
            "num_rows": 1,
        }
    ]
    assert loaded.as_of == date(2002, 5, 5)


def test_a_directory_and_a_glob_read_all_their_files(tmp_path: Path):
    for name, rows in (("a.csv", ROWS[:2]), ("b.csv", ROWS[2:])):
        write_csv(tmp_path / name, rows)
    (tmp_path / "notes.txt").write_text("no careers")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "deep").mkdir()
    write_csv(tmp_path / "deep" / "c.csv", [{**row, "candidate_id": "4"} for row in ROWS[2:4]])
    assert load("csv", tmp_path).careers["candidate_id"].to_pylist() == ["1", "2", "4"]
    for pattern, ids in (
        ("[ab].csv", ["1", "2"]),
        ("*.csv", ["1", "2"]),
        ("*/*.csv", ["4"]),
        ("**/*.csv", ["1", "2", "4"]),
        ("**/d*/c.csv", ["4"]),
    ):
        assert load("csv", tmp_path / pattern).careers["candidate_id"].to_pylist() == ids


def test_years_that_became_floats_are_years(tmp_path: Path):
    columns = {
        "candidate_id": [1, 1],
        "title": ["A", "B"],
        "start_date": [2000.0, 2001.0],
        "end_date": [2001.0, None],
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "x.parquet")
    career = load("parquet", tmp_path / "x.parquet").careers.to_pylist()[0]
    assert (career["starts"], career["precisions"]) == ([date(2000, 1, 1), date(2001, 1, 1)], [3, 3])


def test_labels_come_from_a_column_or_a_key(tmp_path: Path):
    data = DataSettings(max_quarantine_fraction=1, hireable_key="good")
    write_csv(
        tmp_path / "x.csv", [{**row, "good": "yes" if row["candidate_id"] == "1" else ""} for row in ROWS]
    )
    assert load("csv", tmp_path / "x.csv", data).careers["hireable"].to_pylist() == [1.0, None]
    write_jsonl(tmp_path / "x.jsonl", [{**row, "good": row["id"] == "1"} for row in HISTORIES])
    loaded = load("jsonl", tmp_path / "x.jsonl", data, layout=JsonHistory())
    assert loaded.careers["hireable"].to_pylist() == [1.0, 0.0]


def test_the_name_that_says_whether_a_role_is_held_may_be_chosen(tmp_path: Path):
    rows = [{**row, "end_date": "2003-03-03", "held": row["title"] == "B"} for row in ROWS[:2]]
    layout = RoleRows(current_column="held")
    loaded = load("jsonl", write_jsonl(tmp_path / "x.jsonl", rows), layout=layout)
    assert loaded.careers["ends"].to_pylist() == [[date(2003, 3, 3), None]]
    person = {"id": 1, "work_history": rows}
    path = write_jsonl(tmp_path / "y.jsonl", [person])
    loaded = load("jsonl", path, layout=JsonHistory(current_key="held"))
    assert loaded.careers["ends"].to_pylist() == [[date(2003, 3, 3), None]]


def test_a_label_is_found_whatever_else_is_in_the_block(tmp_path: Path):
    roles = [{"title": title, "start_date": "2000"} for title in "AB"]
    rows = [
        {"id": "1", "good": "yes", "profile": {"jobs": roles}},
        {"id": "2", "profile": {"jobs": roles, "good": "no"}},
    ]
    layout = JsonHistory(history_column="profile", history_key="jobs")
    data = DataSettings(hireable_key="good")
    loaded = load("jsonl", write_jsonl(tmp_path / "x.jsonl", rows), data, layout=layout)
    assert loaded.careers["hireable"].to_pylist() == [1.0, 0.0]


def test_a_line_separator_in_a_title_does_not_split_the_line(tmp_path: Path):
    rows = [{**row, "title": f"A\u2028\x85{at}"} for at, row in enumerate(ROWS)]
    loaded = load("jsonl", write_jsonl(tmp_path / "x.jsonl", rows))
    assert loaded.careers["titles"].to_pylist() == [
        ["A\u2028\x851", "A\u2028\x850"],
        ["A\u2028\x852", "A\u2028\x853"],
    ]


def test_broken_lines_are_accounted_for(tmp_path: Path):
    path = write_jsonl(tmp_path / "x.jsonl", HISTORIES)
    path.write_text(path.read_text("utf-8") + '{"id": 9, "work_history": [\n[1]\n"x"\n{"id": 7}\n\n', "utf-8")
    loaded = load("jsonl", path, layout=JsonHistory())
    assert loaded.counts["rows_in"] == 7
    assert sorted(loaded.quarantine["reason"].to_pylist()) == [
        *["too_few_roles"] * 2,
        *["unreadable_history"] * 3,  # a line that is not an object has no id that could be missing
    ]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (
            "csv",
            b"candidate_id,titel,start_date,end_date\n1,A,2000,\n",
            "no column title. Did you mean `titel`",
        ),
        ("csv", b"candidate_id,title,start_date,end_date\n1,\xe4,2000,\n", "x.csv is not UTF-8"),
        ("csv", b"candidate_id,title,start_date,end_date\n1,A,2000\n", "Expected 4 columns, got 3"),
        ("csv", b"candidate_id,title,start_date,end_date\n", "is empty|holds no row"),
        ("csv", b"", "is empty"),
        ("parquet", b"not parquet", "Cannot read .*x.parquet as parquet"),
        ("jsonl", b'{"candidate_id": "\xe4"}\n', "x.jsonl is not UTF-8"),
        ("jsonl", b"", "is empty|holds no row"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, kind: Any, content: bytes, message: str):
    (tmp_path / f"x.{kind}").write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        load(kind, tmp_path / f"x.{kind}")
    assert "\n" not in str(caught.value)


def test_a_path_without_files_is_one_line(tmp_path: Path):
    for path in (tmp_path / "x.csv", tmp_path, tmp_path / "*.csv"):
        with pytest.raises(SourceError, match="There is no file"):
            load("csv", path)


@pytest.mark.parametrize("name", ["uk_ministers", "us_diplomats", "austrian_mps_jobs"])
def test_real_careers_are_counted_as_pandas_counts_them(real_data: Path, name: str):
    frame = pd.read_csv(real_data / f"{name}.csv", dtype=str)
    loaded = load("csv", real_data / f"{name}.csv")
    assert loaded.counts["rows_in"] == len(frame)
    assert loaded.counts["careers_in"] == frame["candidate_id"].nunique()

    frame["start"] = frame["start_date"].str.strip()
    frame["end"] = frame["end_date"].str.strip()
    broken = frame["start"].isna() | (frame["end"].notna() & (frame["end"] < frame["start"]))
    frame["title"] = frame["title"].str.strip()
    unique = frame[~broken].drop_duplicates(["candidate_id", "title", "start"])
    assert loaded.counts["rows_duplicate"] == (~broken).sum() - len(unique)
    roles = unique.groupby("candidate_id").size()
    kept = roles[roles >= 2]
    assert loaded.counts["careers"] == len(kept)
    assert loaded.counts["rows_kept"] == kept.sum()
    titles = unique["title"][unique["candidate_id"].isin(kept.index)]
    got = pd.Series(loaded.careers["titles"].combine_chunks().flatten().to_pylist())
    assert got.value_counts().to_dict() == titles.value_counts().to_dict()


@pytest.mark.parametrize(
    "path",
    ["s3://AKIA:secret@bucket/x.csv", "s3://AKIA:sec/ret@bucket/x.csv", "abfs://:secret@account/x.csv"],
)
def test_keys_in_a_path_are_refused_and_never_shown(path: str):
    with pytest.raises(ExperimentError, match="`path` must not contain keys. Put them into") as caught:
        validate(Experiment, {"source": {"kind": "csv", "path": path}}, "experiment.yaml")
    assert "sec" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("path", ["data/x@y:z.csv", "s3://bucket/x@y:z.csv", "hdfs://host:8020/x@y.csv"])
def test_a_path_without_keys_is_accepted(path: str):
    assert FileSource(kind="csv", path=path).path == path

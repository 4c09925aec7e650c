"""JSON files that are not JSON lines, names with dots, ranges, and files with one person each."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.careers.sources.test_files import HISTORIES, LENIENT, ROWS, load
from trajtune.careers.nested_keys import list_at, value_at
from trajtune.careers.sources.json_documents import documents
from trajtune.errors import SourceError
from trajtune.experiment.sources import JsonHistory, RoleRows

NAMES = {"layout": JsonHistory()}


def test_a_name_with_dots_is_a_path_unless_a_key_has_that_name() -> None:
    value = {"a": {"b": {"c": 1}}, "x.y": 2, "x": {"y": 3}, "list": [{"n": None}, {"n": 4}]}
    assert value_at(value, "a.b.c") == 1
    assert value_at(value, "x.y") == 2
    assert value_at(value, "list.n") == 4
    assert value_at(value, "a.missing.c") is None
    assert value_at("text", "a.b") is None
    assert list_at({"groups": [{"roles": [1, 2]}, {}, {"roles": [3]}]}, "groups.roles") == [1, 2, 3]
    assert list_at({"groups": []}, "groups.roles") is None


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": "x]"}, {"b": 2}]',
        '\ufeff [\n {"a": "x]"},\n {"b": 2}\n]\n',
        '{"a": "x]"}\n{"b": 2}',
        '{\n "a": "x]"\n}\n{\n"b": 2}\n',
        '[{"a": "x]"}]\n[{"b": 2}]',
    ],
)
def test_arrays_and_objects_over_many_lines_are_split(text: str) -> None:
    assert [json.loads(found) for found in documents(text, "x.json")] == [{"a": "x]"}, {"b": 2}]


def test_an_invalid_json_line_affects_no_other_line() -> None:
    assert list(documents('{"a": 1}\n{bad\n{"b": 2}', "x.json")) == ['{"a": 1}', "{bad", '{"b": 2}']


@pytest.mark.parametrize("text", ['[{"a": 1}, {"b"', '[{"a": 1} {"b": 2}]', '[\n{"a": 1},\n'])
def test_an_array_that_breaks_off_names_the_file_and_line(text: str) -> None:
    with pytest.raises(SourceError, match=r"x\.json is not JSON: the array breaks off at line \d"):
        list(documents(text, "x.json"))


def test_an_array_under_a_key_is_found_or_the_keys_are_named() -> None:
    text = '{"meta": 1, "data": {"people": [{"a": 1}]}}'
    assert list(documents(text, "x.json", "data.people")) == ['{"a": 1}']
    with pytest.raises(SourceError, match="`source.rows_key` people must lead to an array.*meta, data"):
        list(documents(text, "x.json", "people"))


@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_gives_the_careers_of_json_lines(kind: str, indent: int | None, tmp_path: Path) -> None:
    path, lines = tmp_path / "people.json", tmp_path / "people.jsonl"
    path.write_text(json.dumps(HISTORIES, indent=indent, ensure_ascii=False), "utf-8")
    lines.write_text("\n".join(json.dumps(history) for history in HISTORIES), "utf-8")
    expected = load("jsonl", lines, **NAMES)
    assert load(kind, path, **NAMES).careers.equals(expected.careers)
    assert expected.counts["careers"] == 2
    roles = tmp_path / "roles.json"
    roles.write_text(json.dumps({"data": ROWS}, indent=indent), "utf-8")
    assert load(kind, roles, rows_key="data").careers.equals(expected.careers)


@pytest.mark.usefixtures("ray_local")
def test_pretty_printed_objects_and_compressed_files_are_read(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(history, indent=1) for history in HISTORIES)
    (tmp_path / "people.json").write_text(text, "utf-8")
    expected = load("json", tmp_path / "people.json", **NAMES).careers
    assert len(expected) == 2
    assert load("jsonl", tmp_path / "people.json", **NAMES).careers.equals(expected)
    (tmp_path / "people.json.gz").write_bytes(gzip.compress(text.encode()))
    assert load("json", tmp_path / "people.json.gz", **NAMES).careers.equals(expected)


@pytest.mark.usefixtures("ray_local")
def test_names_with_dots_and_dates_as_objects_reach_the_careers(tmp_path: Path) -> None:
    people: list[dict[str, Any]] = [
        {
            "id": {"bioguide": person},
            "Person": {
                "Roles": [
                    {"title": {"name": "A"}, "from": {"year": 2010, "month": 3}, "to": {"year": 2012}},
                    {"title": {"name": "B"}, "from": {"year": 2012}, "to": None},
                ]
            },
        }
        for person in ("p", "q")
    ]
    path = tmp_path / "people.jsonl"
    path.write_text("\n".join(json.dumps(person) for person in people), "utf-8")
    layout = JsonHistory(
        id_column="id.bioguide",
        history_column="Person.Roles",
        title_key="title.name",
        start_key="from",
        end_key="to",
    )
    loaded = load("jsonl", path, layout=layout).careers
    from_the_top = layout.model_copy(update={"history_column": "work_history", "history_key": "Person.Roles"})
    assert load("jsonl", path, layout=from_the_top).careers.equals(loaded)
    careers = loaded.to_pylist()
    assert [career["candidate_id"] for career in careers] == ["p", "q"]
    assert careers[0]["titles"] == ["A", "B"]
    assert careers[0]["precisions"] == [2, 3]
    assert str(careers[0]["ends"][0]) == "2012-01-01"


@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_range_in_one_field_is_a_start_and_an_end(kind: str, tmp_path: Path) -> None:
    rows = [("1", "A", "Jan 2010 - Mar 2012"), ("1", "B", "2012-04 - present"), ("1", "C", "nonsense")]
    path = tmp_path / f"roles.{kind}"
    if kind == "csv":
        path.write_text("candidate_id,title,dates\n" + "\n".join(",".join(row) for row in rows), "utf-8")
    else:
        lines = [dict(zip(("candidate_id", "title", "dates"), row, strict=True)) for row in rows]
        path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    loaded = load(kind, path, layout=RoleRows(start_column="dates", end_column="dates"))
    (career,) = loaded.careers.to_pylist()
    assert [str(day) for day in career["starts"]] == ["2010-01-01", "2012-04-01"]
    assert [None if day is None else str(day) for day in career["ends"]] == ["2012-03-01", None]
    assert loaded.quarantine["reason"].to_pylist() == ["unreadable_start"]


@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_without_an_id_each_file_is_a_person(kind: str, tmp_path: Path) -> None:
    for person in ("ada", "bob"):
        folder = tmp_path / person
        folder.mkdir()
        if kind == "csv":
            (folder / "Positions.csv").write_text("Title,Started On,Finished On\nA,Jan 2010,\nB,2012,\n")
        else:
            roles = [{"Title": "A", "Started On": "Jan 2010"}, {"Title": "B", "Started On": "2012"}]
            (folder / "cv.json").write_text(json.dumps({"work": roles}, indent=1))
    names = ("Title", "Started On", "Finished On")
    if kind == "csv":
        layout: Any = RoleRows(
            id_column=None, title_column=names[0], start_column=names[1], end_column=names[2]
        )
    else:
        layout = JsonHistory(
            id_column=None, history_column="work", title_key=names[0], start_key=names[1], end_key=names[2]
        )
    careers = load(kind, tmp_path, LENIENT, layout=layout).careers.to_pylist()
    file = "Positions.csv" if kind == "csv" else "cv.json"
    assert [career["candidate_id"] for career in careers] == [f"ada/{file}", f"bob/{file}"]
    assert careers[0]["titles"] == ["A", "B"]


@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_name_with_dots_is_a_path_into_a_column(kind: str, tmp_path: Path) -> None:
    rows = [
        {"id": {"bioguide": str(person)}, "title": {"name": title}, "start_date": start, "end_date": None}
        for person in range(2)
        for title, start in (("A", "2010"), ("B", "2012"))
    ]
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        as_text = [{k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()} for row in rows]
        pd.DataFrame(as_text).to_csv(path, index=False)
    layout = RoleRows(id_column="id.bioguide", title_column="title.name")
    careers = load(kind, path, layout=layout).careers.to_pylist()
    assert [career["candidate_id"] for career in careers] == ["0", "1"]
    assert careers[0]["titles"] == ["A", "B"]

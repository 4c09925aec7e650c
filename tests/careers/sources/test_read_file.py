"""An odd value in a file affects one row, and an odd file gives one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.careers.sources.test_files import KEYS, ROWS, load, write_csv, write_jsonl
from trajtune.careers.schema import LoadedCareers
from trajtune.errors import SourceError
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import CsvSettings, JsonHistory

pytestmark = pytest.mark.usefixtures("ray_local")

HEADER = "candidate_id,title,start_date,end_date\n"
IDS = [f"p{number}" for number in range(10)]
NAMES = ("candidate_id", "title", "start_date", "end_date")


def table(**columns: pa.Array) -> pa.Table:
    """Return two roles for each of ten people, with some columns replaced."""
    usual: dict[str, Any] = {
        "candidate_id": [person for person in IDS for _ in range(2)],
        "title": ["A", "B"] * 10,
        "start_date": ["2001", "2003"] * 10,
        "end_date": ["2002", None] * 10,
    }
    return pa.table(usual | columns)


def odd(value: Any, usual: list[Any], kind: pa.DataType) -> pa.Array:
    """Return a column whose first value is odd."""
    return pa.array([value, *(usual * 10)[1:]], kind)


def read_parquet(folder: Path, content: pa.Table, **source: Any) -> LoadedCareers:
    pq.write_table(content, folder / "x.parquet")
    return load("parquet", folder / "x.parquet", **source)


def reasons(loaded: LoadedCareers) -> list[tuple[str, str]]:
    entries = loaded.quarantine.to_pylist()
    return [(entry["reason"], entry["detail"]) for entry in entries if entry["level"] == "role"]


def age(number: int) -> dict[str, int]:
    """An object that is not a date."""
    return {"age": number, "month": 3}


@pytest.mark.parametrize(
    ("column", "values", "reason", "detail"),
    [
        ("end_date", odd(float("nan"), [2002.0, None], pa.float64()), None, ""),
        ("end_date", odd(1e300, [2002.0, None], pa.float64()), "unreadable_end", "1e+300"),
        ("start_date", odd(2020.1, [2001.0, 2003.0], pa.float64()), "unreadable_start", "2020.1"),
        ("title", odd(b"Ing\xe9nieur", [b"A", b"B"], pa.binary()), "title_not_text", "Ing\\xe9nieur"),
        ("title", odd("N/A", ["A", "B"], pa.string()), "no_title", "2001 to 2002"),
        ("title", odd("NULL", ["A", "B"], pa.string()), "no_title", "2001 to 2002"),
    ],
)
def test_an_odd_value_affects_only_its_row(
    tmp_path: Path, column: str, values: pa.Array, reason: str | None, detail: str
) -> None:
    loaded = read_parquet(tmp_path, table(**{column: values}))
    assert reasons(loaded) == ([] if reason is None else [(reason, detail)])
    assert loaded.careers["candidate_id"].to_pylist() == (IDS if reason is None else IDS[1:])


@pytest.mark.parametrize(
    ("column", "value", "reason", "detail"),
    [
        ("start_date", age(2020), "unreadable_start", '{"age": 2020, "month": 3}'),
        ("title", {"name": "A"}, "title_not_text", '{"name": "A"}'),
        ("title", ["A"], "title_not_text", '["A"]'),
        ("title", [("a", 1)], "title_not_text", '{"a": 1}'),
    ],
)
def test_a_column_that_is_not_text_goes_to_quarantine_like_the_same_json(
    tmp_path: Path, column: str, value: Any, reason: str, detail: str
) -> None:
    kind = pa.map_(pa.string(), pa.int64()) if isinstance(value, list) and value != ["A"] else None
    content = pa.concat_tables(
        [table(), table(candidate_id=["q"] * 20)]  # only q's are odd
    ).drop_columns([column])
    pq.write_table(content.append_column(column, pa.array([value] * 40, kind)), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="are at fault") as caught:
        load("parquet", tmp_path / "x.parquet", DataSettings(max_quarantine_fraction=0.1))
    assert f"{reason} 40" in str(caught.value)
    assert detail.split("}")[0][:20] in str(caught.value)


def test_missing_ids_are_words_too(tmp_path: Path) -> None:
    ids = [*table()["candidate_id"].to_pylist()]
    ids[:8] = ["NULL", "null", "\\N", "\\N", "nan", "NaN", "N/A", "n/a"]
    loaded = read_parquet(tmp_path, table(candidate_id=pa.array(ids)))
    assert loaded.careers["candidate_id"].to_pylist() == IDS[4:]
    assert loaded.quarantine["reason"].to_pylist() == ["no_id"] * 8


A_MAP = pa.map_(pa.string(), pa.int64())


def nested(entry: Callable[[int], dict[str, Any]], kind: pa.DataType | None = None) -> pa.Table:
    good = {"title": "A", "start_date": "2001"}
    lists = [[{**good, **entry(at)}, {**good, "start_date": "2002", **entry(at)}] for at in range(3)]
    return pa.table({"id": ["a", "b", "c"], "work_history": pa.array(lists, kind)})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (nested(lambda at: {"start_date": age(2020)}), "unreadable_start"),
        (nested(lambda at: {"title": 7}), "title_not_text"),
        (pa.table({"id": ["a"], "work_history": pa.array([[("k", 1)]], A_MAP)}), "unreadable_history"),
        (pa.table({"id": ["a"], "work_history": pa.array([7])}), "unreadable_history"),
        (pa.table({"id": ["a"], "work_history": pa.array([["x"]])}), "not_a_role"),
    ],
)  # fmt: skip
def test_a_nested_history_of_any_type_is_named_in_one_line(
    tmp_path: Path, content: pa.Table, reason: str
) -> None:
    with pytest.raises(SourceError, match=reason):
        read_parquet(tmp_path, content, layout=JsonHistory())


def test_nested_titles_in_bytes_and_flags_in_lists_are_read(tmp_path: Path) -> None:
    loaded = read_parquet(tmp_path, nested(lambda at: {"title": b"A"}), layout=JsonHistory())
    assert loaded.careers["titles"].to_pylist() == [["A", "A"]] * 3
    loaded = read_parquet(tmp_path, nested(lambda at: {"is_current": [True]}), layout=JsonHistory())
    assert loaded.counts["currents_unreadable"] == 6


def test_a_map_is_a_role_like_an_object(tmp_path: Path) -> None:
    roles = [[[("title", title), ("start_date", "2001")] for title in "AB"]]
    kind = pa.list_(pa.map_(pa.string(), pa.string()))
    content = pa.table({"id": ["a"], "work_history": pa.array(roles, kind)})
    loaded = read_parquet(tmp_path, content, layout=JsonHistory())
    assert loaded.careers["titles"].to_pylist() == [["A", "B"]]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_second_file_that_lacks_a_column_is_named_with_it(tmp_path: Path, kind: Any) -> None:
    short = [{key: row[key] for key in NAMES[:3]} for row in ROWS]
    for name, rows in (("a", ROWS), ("b", short)):
        if kind == "csv":
            write_csv(tmp_path / f"{name}.csv", rows)
        else:
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    with pytest.raises(SourceError, match=rf"b\.{kind} has no column end_date\. ") as caught:
        load(kind, tmp_path / f"*.{kind}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER.strip().encode() + b",descri\xe7\xe3o\n1,A,2001,,\n", r"not UTF-8 \(its first line\)"),
        (HEADER.encode() + b"1,\xc4rztin,2001,\n1,B,2002,\n", r"x\.csv is not UTF-8 \(\\xc4rztin\)"),
        (HEADER.replace(",", ";").encode() + b"1;A;2001;\n", "only one column.*delimiter`, perhaps to ';'"),
        (HEADER.encode() + b"1,A\n1,B\n1,C,2001,\n", "Expected 4 columns, got 2"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff", "x.csv"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_the_expected_csv_is_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        load("csv", tmp_path / "x.csv")
    assert "\n" not in str(caught.value)


def test_delimiter_and_encoding_may_be_chosen(tmp_path: Path) -> None:
    text = HEADER.replace(",", ";") + "1;Ärztin;2001;2002\n1;Köchin, alt;2003;\n"
    (tmp_path / "x.csv").write_bytes(text.encode("cp1252"))
    loaded = load("csv", tmp_path / "x.csv", csv=CsvSettings(delimiter=";", encoding="cp1252"))
    assert loaded.careers["titles"].to_pylist() == [["Ärztin", "Köchin, alt"]]


def test_odd_rows_of_a_csv_file_affect_no_other_row(tmp_path: Path) -> None:
    good = "".join(
        f"{person},{title},{day},\n" for person in "ab" for title, day in (("Ä", 2001), ("É", 2002))
    )
    (tmp_path / "x.csv").write_bytes((HEADER + good).encode() + b"c,\xe4,2001,\nd,D,2001\n")
    loaded = load("csv", tmp_path / "x.csv")
    assert loaded.careers["candidate_id"].to_pylist() == ["a", "b"]
    assert loaded.counts["rows_in"] == 6
    assert sorted(reasons(loaded)) == [
        ("unreadable_row", "3 columns, not 4: d,D,2001"),
        ("unreadable_row", "not UTF-8: \\xe4"),
    ]


def test_lines_that_a_stray_quote_swallows_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [f"{number // 2},{title},200{number % 2},\n" for number, title in enumerate("AB" * 20)]
    broken = ['900,"A,2010-01-01,2011-01-01\n', *good[:20], '901,B",2010-01-01,2011-01-01\n']
    (tmp_path / "x.csv").write_text(HEADER + "".join(good[20:] + broken))
    loaded = load("csv", tmp_path / "x.csv")
    assert loaded.counts["lines_swallowed"] == 21
    assert ("unreadable_row", "21 line breaks in one field: a quote may be missing") in reasons(loaded)
    assert "21 lines of CSV lie within a field" in capsys.readouterr().err


def test_a_label_may_be_the_column_that_says_whether_a_role_is_held(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [{**row, "is_current": "yes"} for row in ROWS])
    loaded = load(
        "csv", tmp_path / "x.csv", DataSettings(hireable_key="is_current", max_quarantine_fraction=1)
    )
    assert loaded.careers["hireable"].to_pylist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("word", "is_held"), [("ja", True), ("oui", True), ("sim", True), ("vielleicht", False)]
)
def test_words_for_still_held_are_read_or_counted(tmp_path: Path, word: str, is_held: bool) -> None:
    text = HEADER.strip() + f",is_current\n1,A,2001,2002,nein\n1,B,2003,2012-01-01,{word}\n"
    (tmp_path / "x.csv").write_text(text)
    loaded = load("csv", tmp_path / "x.csv")
    assert (loaded.careers["ends"].to_pylist()[0][1] is None) == is_held
    assert loaded.counts["currents_unreadable"] == (not is_held)


@pytest.mark.parametrize(
    "line", ['{"id": "x\x01", "work_history": []}', "{bad", '["a"]', '{"id": 5} {"id": 6}']
)
def test_an_odd_line_affects_no_other_line(tmp_path: Path, line: str) -> None:
    path = write_jsonl(
        tmp_path / "x.jsonl",
        [{"id": who, "work_history": [{key: r[key] for key in KEYS} for r in ROWS[:2]]} for who in "ab"],
    )
    with path.open("a") as file:
        file.write(line + "\n")
    loaded = load("jsonl", path, layout=JsonHistory())
    assert loaded.careers["candidate_id"].to_pylist() == ["a", "b"]
    assert loaded.counts["rows_in"] == 3
    if "\x01" not in line:
        assert loaded.quarantine["reason"].to_pylist() == ["unreadable_history"]


def test_a_key_that_no_row_has_is_named_with_the_existing_keys(tmp_path: Path) -> None:
    people = [{"id": number, "profile": {"jobs": [], "name": "x"}} for number in range(5)]
    layout = JsonHistory(history_column="profile", history_key="jobz")
    with pytest.raises(SourceError, match=r"no row holds `profile\.jobz`.* the keys jobs, name"):
        load("jsonl", write_jsonl(tmp_path / "x.jsonl", people), DataSettings(), layout=layout)


def test_a_refusal_shows_an_example_and_the_setting_that_may_help(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(HEADER + "1,A,03/04/2001,\n1,B,05/06/2002,\n")
    with pytest.raises(
        SourceError, match=r"ambiguous_date: for example `03/04/2001 to None`, see `data\.day_first`"
    ):
        load("csv", tmp_path / "x.csv", DataSettings())


def test_careers_that_are_left_out_as_duplicates_are_in_no_count(tmp_path: Path) -> None:
    roles = [
        {"title": title, "start_date": "2001", "end_date": end} for title, end in (("A", "2002"), ("B", None))
    ]
    people = [{"id": who, "work_history": roles} for who in "abc" for _ in range(2)]
    loaded = load("jsonl", write_jsonl(tmp_path / "x.jsonl", people), layout=JsonHistory())
    assert loaded.counts["roles_without_end"] == 3
    assert loaded.counts["roles"] == 6


def test_an_unexpected_error_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trajtune.careers import read

    def fail(rows: pa.Table, **arguments: Any) -> pa.Table:
        raise KeyError("surprise")

    monkeypatch.setattr(read, "roles_block", fail)
    write_csv(tmp_path / "x.csv")
    with pytest.raises(
        SourceError, match=r"Cannot read .*x\.csv: KeyError: 'surprise' .*report it"
    ) as caught:
        load("csv", tmp_path / "x.csv")
    assert "\n" not in str(caught.value)


def test_json_in_a_csv_file_may_have_line_breaks(tmp_path: Path) -> None:
    history = json.dumps(
        [{"title": "A", "start_date": "2001"}, {"title": "B", "start_date": "2002"}], indent=1
    )
    write_csv(tmp_path / "x.csv", [{"id": 1, "work_history": history}])
    loaded = load("csv", tmp_path / "x.csv", layout=JsonHistory())
    assert loaded.careers["titles"].to_pylist() == [["A", "B"]]
    assert loaded.counts["lines_swallowed"] == 0

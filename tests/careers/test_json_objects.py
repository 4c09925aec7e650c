"""A text gives the same result singly and together with others, whatever is odd in them."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.careers.test_json_history import plain
from trajtune.careers.histories import Histories
from trajtune.careers.json_columns import MAX_DEPTH
from trajtune.careers.json_history import read_histories, read_lines, read_role_lines
from trajtune.careers.json_objects import parsed, read_lines_singly, read_objects
from trajtune.experiment.sources import JsonHistory, RoleRows

SCALARS = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        2020,
        -3,
        2020.0,
        2020.1,
        1e300,
        "2020",
        "2020-01-05",
        "A",
        "",
        " ",
        "é",
        "\ud800",
        "x\ny",
        "\x01",
    ]
)
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from(["year", "title"]), SCALARS, max_size=2)
)
KEYS = ["title", "role", "start_date", "from", "end_date", "is_current", "other"]
USUAL = st.fixed_dictionaries(
    {
        "title": st.sampled_from(["A", "B", "Söme one"]),
        "start_date": st.sampled_from(["2019", 2020, "2021-05"]),
    },
    optional={
        "end_date": st.sampled_from([None, 2022, "2022", 2022.0]),
        "is_current": st.none() | st.booleans(),
    },
)
ROLES = st.lists(
    USUAL | USUAL | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5) | SCALARS, max_size=4
)
RAW = st.sampled_from(
    [
        *("", "null", "[1", "{}", "{bad", "NaN", '"[]"', "\ufeff[]", "[{}}]"),
        *('[{"title": "A"}] x', "[], []", "[]]", '[], "y": [1]', "[] []", '[1]], "y": [[2]', "[]} {[]"),
        *('[{"title": "A", "title": "B"}]', '[{"title": NaN}]', '[{"t\\u0069tle": "A"}]'),
        *('[{"title": "a\nb", "start_date": "2020"}]', '[\n{"title": "a",\r\n"start_date": "2020"}\n]'),
        *('[{"title": "a\tb"}]', "[" * 990 + "]" * 990, "[" * 5000),
        '[{"title": "A", "skills": ' + "[" * 150 + "]" * 150 + "}]",
    ]
)


def written(value: Any) -> str:
    return json.dumps(value)


TEXTS = st.lists(st.none() | ROLES.map(written) | RAW, max_size=8)


@settings(max_examples=150)
@given(TEXTS)
def test_a_history_is_read_the_same_singly(texts: list[str | None]) -> None:
    layout = JsonHistory()
    alone = read_objects([parsed(text) for text in texts], layout)
    assert plain(read_histories(pa.array(texts, pa.string()), layout)) == plain(alone)


IN_OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "work_history": ROLES | SCALARS,
        "experience": ROLES,
        "jobs": ROLES,
        "profile": st.fixed_dictionaries({}, optional={"jobs": ROLES | SCALARS, "good": VALUES}),
        "good": VALUES,
        "id": VALUES,
        "candidate_id": VALUES,
        "person_id": VALUES,
        **dict.fromkeys(KEYS[:4], VALUES),
    },
)
LINES = st.lists(IN_OBJECTS.map(written) | RAW, max_size=8)


@settings(max_examples=100)
@given(
    LINES, st.sampled_from([None, "profile.jobs", "jobs"]), st.sampled_from([None, "good", "profile", "id"])
)
def test_an_object_is_read_the_same_singly(texts: list[str], key: str | None, label: str | None) -> None:
    layout = JsonHistory(history_key=key)
    alone = read_objects([parsed(text) for text in texts], layout, label)
    assert plain(read_histories(pa.array(texts, pa.string()), layout, label)) == plain(alone)


def everything(histories: Histories) -> tuple[Any, ...]:
    return plain(histories), histories.ids.to_pylist(), histories.absent.to_pylist()


@settings(max_examples=150)
@given(
    LINES,
    st.sampled_from(
        [
            JsonHistory(),
            JsonHistory(history_column="profile", history_key="jobs"),
            JsonHistory(history_column="profile"),
        ]
    ),
    st.sampled_from([None, "good", "id", "title", "jobs"]),
)
def test_a_line_is_read_the_same_singly(texts: list[str], layout: JsonHistory, label: str | None) -> None:
    alone = read_lines_singly(pa.array(texts, pa.string()), layout, label)
    assert everything(read_lines(pa.array(texts, pa.string()), layout, label)[1]) == everything(alone)


@settings(max_examples=150)
@given(LINES, st.sampled_from([None, "good", "id", "title", "is_current"]))
def test_a_role_line_is_read_the_same_singly(texts: list[str], label: str | None) -> None:
    layout = RoleRows()
    together = read_role_lines(pa.array(texts, pa.string()), layout, label)
    alone = [read_role_lines(pa.array([text], pa.string()), layout, label) for text in texts]
    assert together[0].to_pylist() == [row for table, _ in alone for row in table.to_pylist()]
    for at, column in enumerate(together[1].columns()):
        assert column.to_pylist() == [
            value for _, roles in alone for value in roles.columns()[at].to_pylist()
        ]
    assert together[1].faults.tolist() == [fault for _, roles in alone for fault in roles.faults.tolist()]


@pytest.mark.parametrize("number", [1, 16, 17, 100])
def test_one_odd_history_is_read_once_more_at_any_position(number: int) -> None:
    good = json.dumps([{"title": "A", "start_date": "2020"}])
    texts = [good] * number
    texts[number // 2] = "[{bad"
    found = read_histories(pa.array(texts), JsonHistory())
    assert [at for at, fault in enumerate(found.faults.to_pylist()) if fault] == [number // 2]
    assert len(found.owners) == number - 1


@pytest.mark.parametrize(
    "text",
    [
        '[{"title": "Software\nEngineer", "start_date": "2020"}]',
        '[\n{"title": "Software\nEngineer", "start_date": "2020"}]',
    ],
)
def test_a_raw_line_feed_in_a_title_is_kept_whatever_else_is_in_the_block(text: str) -> None:
    good = '[{"title": "A", "start_date": "2020"}]'
    for texts in ([text], [good, text], [text, good, "nonsense"]):
        titles = read_histories(pa.array(texts), JsonHistory()).roles.titles.to_pylist()
        assert "Software\nEngineer" in titles


def test_too_deeply_nested_json_is_refused_at_any_stack_depth() -> None:
    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    for text in (deep, f'[{{"title": "A", "x": {deep}}}]', "[" * 990 + "]" * 990, "[" * 100_000):
        fault = read_histories(pa.array([text, "[]"]), JsonHistory()).faults.to_pylist()[0]
        assert "200 lists and objects lie within each other" in fault
    shallow = json.dumps([{"title": "A", "x": "[" * 500}])
    assert read_histories(pa.array([shallow]), JsonHistory()).faults.to_pylist() == [None]

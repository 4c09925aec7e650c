import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trajtune.careers.histories import Histories
from trajtune.careers.json_columns import OddTextError, read_columns, with_quotes
from trajtune.careers.json_history import _form_of_history, read_histories
from trajtune.careers.json_objects import parsed, read_objects
from trajtune.careers.parse.text import value_text
from trajtune.careers.reasons import Reason
from trajtune.experiment.sources import JsonHistory

LAYOUT = JsonHistory()
KEYS = [
    "title",
    "role",
    "position",
    "start_date",
    "startDate",
    "from",
    "end_date",
    "to",
    "is_current",
    "firm",
]
TEXTS = st.sampled_from(["", " ", "Head", " Söme one\t", '"{', "2020-01", "\\u0041", "\x1c", "\x00", "x\ny"])
ROLE = st.dictionaries(st.sampled_from(KEYS), st.none() | TEXTS, max_size=6)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), children)
    ),
    max_leaves=12,
)


def plain(histories: Histories) -> dict[str, Any]:
    roles = histories.roles
    return {
        "owners": histories.owners.tolist(),
        "faults": histories.faults.to_pylist(),
        "labels": histories.labels.to_pylist(),
        "role_faults": roles.faults.tolist(),
        "details": roles.details.to_pylist(),
        "roles": list(
            zip(
                *(c.to_pylist() for c in (roles.titles, roles.starts, roles.ends, roles.currents)),
                strict=True,
            )
        ),
    }


def read(*values: Any, layout: JsonHistory = LAYOUT, label: str | None = None) -> dict[str, Any]:
    texts = [value if isinstance(value, str) or value is None else json.dumps(value) for value in values]
    return plain(read_histories(pa.array(texts, pa.string()), layout, label))


def at_once(texts: list[str], layout: JsonHistory, label: str | None = None) -> Histories | None:
    """Return what Arrow reads from all texts together; None if it cannot or is not sure."""
    form = next((form for text in texts if (form := _form_of_history(text, layout, label))), None)
    if form is None:
        return None
    try:
        histories, is_doubtful = read_columns(with_quotes(pa.array(texts, pa.string()), form), form)
    except OddTextError:
        return None
    return None if is_doubtful.any() else histories


def role(title: str | None = "A", start: str | None = "2020", end: str | None = None) -> dict[str, Any]:
    return {"title": title, "start_date": start, "end_date": end}


@given(st.lists(st.none() | st.lists(ROLE | st.none(), max_size=4), max_size=6), st.booleans())
@example([[{"title": "A", "role": "B"}], None, [{"role": "B"}]], False)
def test_both_ways_of_reading_give_the_same(values: list[Any], ascii_only: bool):
    texts = [None if value is None else json.dumps(value, ensure_ascii=ascii_only) for value in values]
    together = at_once([text for text in texts if text is not None], LAYOUT)
    one_by_one = read_objects([parsed(text) for text in texts], LAYOUT)
    if together is not None:
        assert plain(together) == plain(read_objects([parsed(text) for text in texts if text], LAYOUT))
    assert read(*texts) == plain(one_by_one)


LABELS = st.sampled_from(
    [
        st.none() | st.booleans(),
        st.none() | st.integers(-3, 2**70),
        st.none() | st.sampled_from(["yes", "", "ü\\ud83d\\ude00", "0", "\\u0000"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    ]
)


@given(st.data(), st.sampled_from([None, "profile.jobs"]), st.booleans())
def test_both_ways_of_reading_give_the_same_labels(data: st.DataObject, key: str | None, ascii_only: bool):
    layout = JsonHistory(history_key=key)
    roles = st.none() | st.lists(ROLE, max_size=2)
    beside = {"profile": st.fixed_dictionaries({"jobs": roles})} if key else {"work_history": roles}
    person = st.fixed_dictionaries(beside, optional={"good": data.draw(LABELS), "title": TEXTS})
    values = data.draw(st.lists(st.none() | person, max_size=6))
    texts = [None if value is None else json.dumps(value, ensure_ascii=ascii_only) for value in values]
    one_by_one = read_objects([parsed(text) for text in texts], layout, "good")
    assert read(*texts, layout=layout, label="good") == plain(one_by_one)


@pytest.mark.parametrize(
    "labels", [[True, None, False], [1, 0, None], ["yes", None, "no"], [None, None, None]]
)
@pytest.mark.parametrize("key", [None, "profile.jobs"])
def test_a_label_beside_the_list_is_read_in_columns(labels: list[Any], key: str | None):
    layout = JsonHistory(history_key=key)
    inside = {"profile": {"jobs": [role()]}} if key else {"work_history": [role()]}
    texts = [json.dumps({**inside, "good": label}) for label in labels] + [json.dumps(inside)]
    together = at_once(texts, layout, "good")
    assert together is not None
    words = [None if label is None else value_text(label) for label in labels]
    assert together.labels.to_pylist() == [*words, None]
    found = read(*texts[:-1], None, texts[-1], layout=layout, label="good")
    assert found["labels"] == [*words, None, None]
    assert found["owners"] == [0, 1, 2, 4]


def test_a_list_under_another_key_is_found_whatever_else_is_in_the_block():
    found = read({"work_history": [role("A")]}, {"experience": [role("B")]}, {"work_history": None})
    assert [title for title, *_ in found["roles"]] == ["A", "B"]
    assert found["faults"] == [None, None, 'no list of roles: {"work_history": null}']


def test_lists_without_a_label_are_read_in_columns():
    together = at_once([json.dumps([role()])], LAYOUT, "good")
    assert together is not None
    assert together.labels.to_pylist() == [None]


@given(st.lists(ANYTHING.map(json.dumps) | st.text() | st.none(), max_size=6))
def test_any_json_and_any_text_is_accounted_for(texts: list[str | None]):
    clean = [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]
    found = read(*clean)
    assert len(found["faults"]) == len(texts)
    assert len(found["owners"]) == len(found["roles"]) == len(found["role_faults"])
    assert all(found["faults"][owner] is None for owner in found["owners"])


def test_one_odd_history_affects_no_other():
    found = read([role("A"), role("B")], [role(7)], "nonsense", [role("C", end="2021")])
    assert found["owners"] == [0, 0, 1, 3]
    assert found["role_faults"] == [0, 0, Reason.TITLE_NOT_TEXT, 0]
    assert found["faults"] == [None, None, "no JSON: Expecting value: line 1 column 1 (char 0)", None]
    assert found["roles"][3] == ("C", "2020", "2021", None)


@pytest.mark.parametrize("value", [5, {"a": 1}, True, '"text"', "[1", "{}x", "[" * 100_000])
def test_a_history_that_is_not_a_list_of_roles_is_named(value: Any):
    assert read(value)["faults"][0] is not None


def test_entries_that_are_not_roles_are_named():
    found = read([None, 3, "Head", ["x"], role()])
    assert found["role_faults"] == [Reason.NOT_A_ROLE] * 4 + [0]
    assert found["details"] == ["null", "3", '"Head"', '["x"]', None]


@pytest.mark.parametrize(
    "entry",
    [
        {"title": "A", "start_date": "2019", "end_date": "2020"},
        {"role": "A", "startDate": "2019", "endDate": "2020"},
        {"position": "A", "start": "2019", "end": "2020"},
        {"title": "", "position": "A", "from": "2019", "to": "2020"},
    ],
)
def test_usual_keys_replace_the_default_ones(entry: dict[str, str]):
    assert read([entry])["roles"] == [("A", "2019", "2020", None)]
    assert read([entry], [{"title": 1}])["roles"][0] == ("A", "2019", "2020", None)


def test_a_chosen_key_has_no_alternatives():
    layout = JsonHistory(title_key="job")
    assert read([{"job": "A", "title": "Ms"}], [{"title": "Mr"}], layout=layout)["roles"] == [
        ("A", None, None, None),
        (None, None, None, None),
    ]


def test_a_list_may_be_in_an_object():
    assert len(read({"experience": [role(), role()]}, {"positions": [role()]})["roles"]) == 3
    layout = JsonHistory(history_key="profile.jobs")
    found = read({"profile": {"jobs": [role("A")]}}, {"profile": {}}, {"profile": 3}, layout=layout)
    assert found["roles"] == [("A", "2020", None, None)]
    assert found["faults"] == [None, None, None]


def test_numbers_are_read_as_their_digits():
    found = read([{"title": "A", "start_date": 1577836800000, "end_date": 2021.0}])
    assert found["roles"] == [("A", "1577836800000", "2021", None)]


def test_json_in_a_json_string_is_read():
    assert read(json.dumps(json.dumps([role("A")])))["roles"] == [("A", "2020", None, None)]


def test_half_a_surrogate_pair_is_not_text_and_affects_no_other_role():
    found = read('[{"title": "\\ud800", "start_date": "2020"}, {"title": "A", "start_date": "\\ud800"}]')
    assert found["roles"] == [('"\\ud800"', "2020", None, None), ("A", '"\\ud800"', None, None)]
    assert found["role_faults"] == [Reason.TITLE_NOT_TEXT, 0]
    assert found["details"] == ['"\\ud800"', None]


def test_a_label_beside_the_list_is_found():
    found = read({"hireable": True, "jobs": [role()]}, {"jobs": []}, label="hireable")
    assert found["labels"] == ["true", None]


def test_a_key_written_with_escapes_is_found():
    assert read('[{"r\\u006fle": "A", "start_date": "2020"}]')["roles"] == [("A", "2020", None, None)]

"""Texts that Arrow reads together, and texts that must be read singly."""

import json

import pyarrow as pa
import pytest

from trajtune.careers.histories import keys_by_field
from trajtune.careers.json_columns import Form, OddTextError, is_regular, odd_texts, read_columns, with_quotes
from trajtune.experiment.sources import JsonHistory

FORM = Form((), keys_by_field(JsonHistory()))
GOOD = json.dumps([{"title": "A", "start_date": "2020"}])
TYPED = json.dumps([{"title": "A", "start_date": 2020, "end_date": 2021.0, "is_current": False}])


def test_numbers_and_booleans_are_read_with_arrow() -> None:
    with pytest.raises(OddTextError):
        read_columns(pa.array([TYPED]), FORM)
    histories, is_doubtful = read_columns(with_quotes(pa.array([GOOD, TYPED] * 50), FORM), FORM)
    roles = histories.roles
    values = [column.to_pylist()[1] for column in (roles.starts, roles.ends, roles.currents)]
    assert values == ["2020", "2021", "false"]
    assert not is_doubtful.any()


def test_each_odd_text_is_found_at_any_position() -> None:
    texts = [GOOD] * 5_000
    places = [0, 7, 2_500, 4_999]
    for place, text in zip(places, ("[{bad", '[{"title": 5}]', "[] []", "[]}"), strict=True):
        texts[place] = text
    assert odd_texts(pa.array(texts), FORM).nonzero()[0].tolist() == places


def test_a_text_with_another_beginning_is_not_regular() -> None:
    texts = pa.array([GOOD, " " + GOOD, "{}", "", "null", "[" * 300])
    assert is_regular(texts, FORM).tolist() == [True, True, False, False, False, False]

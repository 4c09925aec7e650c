"""Conversion of columns of any type to text."""

import pyarrow as pa

from trajtune.careers.parse.text import as_text, blank_to_null, id_column, text_column


def test_integral_floats_lose_their_fraction_and_others_keep_it():
    assert as_text(pa.array([2020.0, 123456789012.0, 0.5, None])).to_pylist() == [
        "2020",
        "123456789012",
        "0.5",
        None,
    ]


def test_dictionaries_and_integers_are_text():
    assert as_text(pa.array(["a", "b", "a"]).dictionary_encode()).to_pylist() == ["a", "b", "a"]
    assert as_text(pa.array([123456789012.0]).dictionary_encode()).to_pylist() == ["123456789012"]
    assert as_text(pa.array([7, None])).to_pylist() == ["7", None]


def test_a_missing_column_is_null():
    assert text_column(pa.table({"id": ["a"]}), "label").to_pylist() == [None]


def test_ids_are_stripped_and_blank_ones_are_null():
    assert id_column(pa.table({"id": [" a ", " ", None]})).to_pylist() == ["a", None, None]
    assert blank_to_null(pa.array(["\t", " b"])).to_pylist() == [None, " b"]

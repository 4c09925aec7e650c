"""Synonyms are read from CSV and JSON; a fault is named by its line."""

from pathlib import Path

import pytest

from trajtune.dataset.identity.rule import TitleRule
from trajtune.dataset.identity.synonyms import title_rule
from trajtune.errors import ExperimentError
from trajtune.experiment.settings import VocabularySettings


def rule_of(path: Path, content: str | bytes) -> TitleRule:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return title_rule(VocabularySettings(synonyms=str(path)))


def test_without_a_file_there_are_no_synonyms() -> None:
    assert title_rule(VocabularySettings()) == TitleRule("unicode")
    assert title_rule(VocabularySettings(identity="service")) == TitleRule("service")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.csv", 'Ing.,Ingenieur\n"Nurse, RN",Krankenschwester\n'),
        ("s.csv", '\ufeffIng.;Ingenieur\r\n\r\n"Nurse, RN";Krankenschwester\r\n'),
        ("s.tsv", "Ing.\tIngenieur\nNurse, RN\tKrankenschwester"),
        ("s.JSON", '{"Ing.": "Ingenieur", "Nurse, RN": "Krankenschwester"}'),
    ],
)
def test_csv_and_json_say_the_same(tmp_path: Path, name: str, content: str) -> None:
    rule = rule_of(tmp_path / name, content)
    assert rule.synonyms == ("Ing.", "Nurse, RN")
    assert rule.key("ing") == "ingenieur"
    assert rule.key("NURSE RN") == "krankenschwester"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.csv", "a,b\na,b,c\n", r"s\.csv, line 2: a line must have two columns.*but has 3"),
        ("s.csv", "only\n", r"line 1: a line must have two columns.*but has 1"),
        ("s.csv", b"M\xfcller,Miller\n", r"s\.csv is not UTF-8: .* at byte 1"),
        ("s.json", "[", r"s\.json is not JSON"),
        ("s.json", "[]", r"s\.json must be a JSON object"),
        ("s.json", '{"a": 1}', r"'a' must stand for a text"),
        ("s.json", '{"a": "b", "a": "c"}', r"'a' stands for 'b' and 'c'"),
    ],
)
def test_a_file_that_breaks_a_rule_is_one_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(ExperimentError, match=message) as caught:
        rule_of(tmp_path / name, content)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"Cannot read vocabulary\.synonyms, .*none\.csv: No such file"):
        title_rule(VocabularySettings(synonyms=str(tmp_path / "none.csv")))

"""Synonyms join titles; what they break is named."""

import pytest

from trajtune.dataset.identity.rule import IdentityBy, TitleRule, rule_with
from trajtune.errors import ExperimentError


def test_the_services_rule_tells_apart_what_the_service_does() -> None:
    rule = TitleRule("service")
    assert rule.key("Produção") == rule.key("Produo") == "produo"
    assert rule.key("工程师") == ""
    assert TitleRule().key("Produção") != TitleRule().key("Produo")


@pytest.mark.parametrize("by", ["unicode", "service"])
def test_a_synonym_has_the_key_of_its_title_in_every_spelling(by: IdentityBy) -> None:
    rule = rule_with(by, [("Ing.", "Ingenieur"), ("Dipl.-Ing.", "ing"), ("nurse", "NURSE")], "here")
    assert rule.key("ING") == rule.key("dipl.-ing.") == rule.key("ingenieur") == "ingenieur"
    assert rule.names == {"ingenieur": "Ingenieur"}
    assert rule.synonyms == ("Dipl.-Ing.", "Ing.")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            [("a", "b"), ("A.", "c")],
            "here: a synonym must stand for one title, but 'A.' stands for 'b' and 'c'",
        ),
        ([("a", "b"), ("b", "c"), ("c", "a")], "here: synonyms must not form a circle"),
        ([("a", "-")], "here: a title must have a letter or a digit, but '-' has none"),
    ],
)
def test_synonyms_that_say_two_things_are_refused(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        rule_with("unicode", pairs, "here")


def test_a_synonym_that_the_service_cannot_read_is_refused_by_its_rule() -> None:
    with pytest.raises(
        ExperimentError, match="a title must have a character that the service keeps, but '护士'"
    ):
        rule_with("service", [("护士", "Nurse")], "here")
    assert rule_with("unicode", [("护士", "Nurse")], "here").key("护士") == "nurse"

"""Titles of every script have an index, and the service finds them by a key of its own."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajtune.dataset.identity.rule import IdentityBy, TitleRule, rule_with
from trajtune.dataset.identity.service_key import service_key
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.errors import SnapshotError

SERVICE = TitleRule("service")


def test_titles_the_service_cannot_tell_apart_share_an_index_by_its_rule() -> None:
    encoder = TitleEncoder.fit(["Sr. Engineer", "senior eng", "Produção", "Produo"], rule=SERVICE)
    assert encoder.encode("SENIOR ENGINEER") == encoder.encode("Sr Eng.") != UNKNOWN
    assert encoder.encode("Produção") == encoder.encode("Produo") != UNKNOWN
    assert encoder.vocab_size == 3


def test_titles_of_every_script_have_an_index_of_their_own() -> None:
    titles = [
        "Java开发工程师",
        "高级Java架构师",
        "Java实习生",
        "工程师",
        "מהנדס",
        "инженер",
        "مهندس",
        "C",
        "C++",
        "C#",
    ]
    encoder = TitleEncoder.fit(titles)
    assert encoder.vocab_size == 1 + len(titles)
    assert [encoder.decode(encoder.encode(title)) for title in titles] == titles
    assert encoder.encode("Java") == UNKNOWN, "a key of the service is no title"


def test_where_titles_share_a_key_of_the_service_the_commoner_has_it() -> None:
    encoder = TitleEncoder.fit({"C": 2, "C++": 3, "C#": 1, "Java": 1, "Java实习生": 2, "工程师": 9})
    assert [encoder.decode(encoder.encode_as_service(title)) for title in ("C", "C++", "C#")] == ["C++"] * 3
    assert [encoder.decode(encoder.encode(title)) for title in ("C", "C++", "C#")] == ["C", "C++", "C#"]
    assert encoder.decode(encoder.encode_as_service("Java")) == "Java实习生"
    assert encoder.encode_as_service("工程师") == UNKNOWN != encoder.encode("工程师")


def test_a_title_of_two_words_that_the_service_cannot_read_is_not_found_by_it() -> None:
    encoder = TitleEncoder.fit(["高级 工程师", "- 工程师 -"])
    assert not [key for key in encoder.title_to_idx if not key.strip()]
    assert encoder.encode_as_service("初级 工程师") == UNKNOWN


@pytest.mark.parametrize("by", ["unicode", "service"])
def test_synonyms_find_their_title_before_and_after_a_file(tmp_path: Path, by: IdentityBy) -> None:
    rule = rule_with(by, [("Ing.", "Ingenieur"), ("Engineer", "Ingenieur"), ("Astronaut", "Pilot")], "here")
    encoder = TitleEncoder.fit(["Ing.", "Ing.", "ENGINEER", "Nurse", "Nurse"], rule=rule)
    encoder.save(tmp_path / "vocab.json")
    for one in (encoder, TitleEncoder.load(tmp_path / "vocab.json", by)):
        assert [one.decode(index) for index in range(one.vocab_size)] == ["<UNK>", "Ingenieur", "Nurse"]
        assert [one.encode(title) for title in ("ing", "engineer", "Ingenieur", "nurse")] == [1, 1, 1, 2]
        assert [one.encode_as_service(title) for title in ("ing", "Engineer", "nurse")] == [1, 1, 2]
        assert one.encode("Astronaut") == one.encode("Pilot") == one.encode("astronaut") == UNKNOWN


@pytest.mark.parametrize("by", ["unicode", "service"])
def test_a_title_that_train_holds_as_a_synonym_alone_is_found_by_the_service_too(by: IdentityBy) -> None:
    encoder = TitleEncoder.fit(["Boss"], rule=rule_with(by, [("Boss", "Führungskraft")], "here"))
    assert encoder.encode("führungskraft") == encoder.encode_as_service("Führungskraft") == 1


def test_a_synonym_of_another_script_is_found_by_the_model_alone() -> None:
    encoder = TitleEncoder.fit(["Nurse"], rule=rule_with("unicode", [("护士", "Nurse")], "here"))
    assert encoder.encode("护士") == encoder.encode("Nurse")
    assert encoder.encode_as_service("护士") == UNKNOWN


def test_indices_follow_frequency_then_the_alphabet() -> None:
    encoder = TitleEncoder.fit({"b": 2, "a": 2, "c": 5, "rare": 1}, min_count=2, max_titles=2)
    assert [encoder.decode(index) for index in range(encoder.vocab_size)] == ["<UNK>", "c", "a"]
    assert encoder.encode("b") == encoder.encode("rare") == UNKNOWN


def test_a_person_reads_the_commonest_surface_form() -> None:
    encoder = TitleEncoder.fit({"engenheiro de produção": 1, "Engenheiro de Produção": 3})
    assert encoder.decode(1) == "Engenheiro de Produção"


def test_a_title_of_which_the_service_sees_nothing_is_unknown_by_its_rule() -> None:
    encoder = TitleEncoder.fit(["工程师", "Engineer"], rule=SERVICE)
    assert encoder.vocab_size == 2
    assert encoder.encode("工程师") == UNKNOWN


def test_a_vocabulary_file_round_trips_and_has_the_contracts_form(tmp_path: Path) -> None:
    encoder = TitleEncoder.fit(["Führungskraft", "Engineer", "Engineer"])
    encoder.save(tmp_path / "vocab.json")
    content = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert content["vocab_size"] == 3
    assert content["idx_to_title"] == {"0": "<UNK>", "1": "Engineer", "2": "Führungskraft"}
    assert content["title_to_idx"] == {"engineer": 1, "fhrungskraft": 2, "führungskraft": 2}
    again = TitleEncoder.load(tmp_path / "vocab.json")
    assert (again.title_to_idx, again.idx_to_title) == (encoder.title_to_idx, encoder.idx_to_title)


@pytest.mark.parametrize(
    "content", ["no json", "{}", '{"title_to_idx": {"a": 1}, "idx_to_title": {"5": "a"}, "vocab_size": 2}']
)
def test_a_file_that_is_no_vocabulary_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SnapshotError, match=r"vocab\.json"):
        TitleEncoder.load(path)


TITLES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from(["C", "C++", "é", "工程师", "-", " ", "Sr.", "vp", "="]), max_size=4).map(
            "".join
        ),
    ),
    max_size=20,
)


@given(TITLES)
def test_every_fitted_title_is_found_by_the_services_key_by_its_rule(titles: list[str]) -> None:
    encoder = TitleEncoder.fit(titles, rule=SERVICE)
    for title in titles:
        index = encoder.title_to_idx.get(service_key(title), UNKNOWN)
        assert index == encoder.encode(title) == encoder.encode_as_service(title)
        assert (index != UNKNOWN) == (SERVICE.key(title) != "")
        if index:
            assert SERVICE.key(encoder.decode(index)) == SERVICE.key(title)


@given(TITLES, st.sampled_from(["unicode", "service"]))
def test_every_fitted_title_is_found_by_its_rule_and_the_service_finds_none_less_common(
    titles: list[str], by: IdentityBy
) -> None:
    rule = TitleRule(by)
    encoder = TitleEncoder.fit(titles, rule=rule)
    for title in titles:
        index = encoder.encode(title)
        assert (index != UNKNOWN) == (rule.key(title) != "")
        assert (rule.key(encoder.decode(index)) == rule.key(title)) or not index
        served = encoder.encode_as_service(title)
        assert (served != UNKNOWN) == (
            service_key(title).strip() != "" and index != UNKNOWN
        ) or index == UNKNOWN
        assert served <= index or index == UNKNOWN

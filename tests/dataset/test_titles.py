"""Titles are encoded exactly as the service looks them up."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajtune.dataset.titles import UNKNOWN, TitleEncoder, identity, readable_key, service_key
from trajtune.errors import SnapshotError


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Gerente de Produção", "gerente de produo"),
        ("  Sr.\tSoftware\u00a0Eng. ", "senior software engineer"),
        ("R&D - Lead", "rd  lead"),
        ("sr.. dev", "senior developer"),
        ("SWE", "software engineer"),
        ("V.P. Sales", "vp sales"),
        ("vp. Sales", "vice president sales"),
        ("site constructor", "site function Object() { [native code] }"),
        ("__proto__", "[object Object]"),
        ("Lead -", "lead "),
        ("\ufeffLead", "lead"),
        ("Lead\x1cDev", "leaddev"),
        ("\u212angineer", "kngineer"),
        ("工程师", ""),
    ],
)
def test_the_service_key_follows_the_contract_to_the_letter(title: str, key: str) -> None:
    assert service_key(title) == key


def test_the_readable_key_keeps_accents() -> None:
    assert readable_key("Gerente  de Produção (Sr.)") == "gerente de produção senior"


def test_titles_the_service_cannot_tell_apart_share_an_index() -> None:
    encoder = TitleEncoder.fit(["Sr. Engineer", "senior eng", "Produção", "Produo"])
    assert encoder.encode("SENIOR ENGINEER") == encoder.encode("Sr Eng.") != UNKNOWN
    assert encoder.encode("Produção") == encoder.encode("Produo") != UNKNOWN
    assert encoder.vocab_size == 3


def test_indices_follow_frequency_then_the_alphabet() -> None:
    encoder = TitleEncoder.fit({"b": 2, "a": 2, "c": 5, "rare": 1}, min_count=2, max_titles=2)
    assert [encoder.decode(index) for index in range(encoder.vocab_size)] == ["<UNK>", "c", "a"]
    assert encoder.encode("b") == encoder.encode("rare") == UNKNOWN


def test_a_person_reads_the_commonest_surface_form() -> None:
    encoder = TitleEncoder.fit({"engenheiro de produção": 1, "Engenheiro de Produção": 3})
    assert encoder.decode(1) == "Engenheiro de Produção"


def test_a_title_of_which_the_service_sees_nothing_is_unknown() -> None:
    encoder = TitleEncoder.fit(["工程师", "Engineer"])
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


@given(st.lists(st.text(max_size=30), max_size=20))
def test_every_fitted_title_is_found_by_the_services_key(titles: list[str]) -> None:
    encoder = TitleEncoder.fit(titles)
    for title in titles:
        index = encoder.title_to_idx.get(service_key(title), UNKNOWN)
        assert index == encoder.encode(title)
        assert (index != UNKNOWN) == (identity(title) != "")
        if index:
            assert identity(encoder.decode(index)) == identity(title)

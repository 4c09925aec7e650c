"""Titles are one title by Unicode's rules: letters of every script count, case and punctuation do not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.identity.variations import VARIATIONS

SAME = (
    ("Gerente  de Produção (Sr.)", "gerente de produção senior"),
    ("Engenheiro Sênior", "ENGENHEIRO SR."),
    ("Caf\u00e9 Manager", "Cafe\u0301 Mgr"),
    ("ＳＥ　Ｌｅａｄ", "SE Lead"),
    ("ｼｽﾃﾑｴﾝｼﾞﾆｱ", "システム・エンジニア"),
    ("Führungskraft Straße", "FÜHRUNGSKRAFT STRASSE"),
    ("MÜHENDİS", "mühendis"),
    ("KAPICI", "kapıcı"),
    ("Учёный секретарь", "УЧЕНЫЙ СЕКРЕТАРЬ"),
    ("Ст. инж.", "старший инженер"),
    ("ΓΙΑΤΡΌΣ", "γιατρός"),
    ("מנכ״ל", 'מנכ"ל'),
    ("برنامه\u200cنویس", "برنامهنویس"),
    ("👩\u200d⚕\ufe0f Nurse™", "Nurse"),
    ("V.P. Sales", "Vice President Sales"),
    ("R & D Lead", "R&D Lead"),
    ("R&amp;D Lead", "r&d lead"),
    ("C++/C# Developer", "c++ c# dev"),
    ("C ++17 Engineer", "C++ 17 Engineer"),
    ("高级C++工程师", "高级 Ｃ＋＋ 工程师"),
    ("F♯ Dev", "F# Developer"),
    ("ASP.NET Developer", "ASP .NET Developer"),
    ("dotnet dev", ".NET Developer"),
    ("Engineer #2", "Engineer 2"),
    ("Sales & Marketing", "Sales, Marketing"),
    ("Zca Dyr.", "z-ca dyrektor"),
    ("Selbstständiger Kaufm. Berater", "selbständiger kfm. Berater"),
    ("VD", "Verkställande direktör"),
    ("DRH", "Directeur des Ressources Humaines"),
    ("Responsabile Qualita'", "Responsabile Qualità"),
    ("Gte. Vtas", "gerente ventas"),
    ("Mdw. Sales", "medewerker sales"),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_title_have_one_key(one: str, other: str) -> None:
    assert identity(one) == identity(other) != ""


@pytest.mark.parametrize(
    "titles",
    [
        ("C", "C++", "C#", "F", "F#", "A+", "A"),
        ("Net Developer", ".NET Developer", "Internet Developer"),
        ("RD Manager", "R&D Manager", "R&D&I Manager"),
        ("ID Manager", "I+D Manager"),
        ("MA Lead", "M&A Lead", "ATT Lead", "AT&T Lead", "SOP Lead", "S&OP Lead"),
        ("Java开发工程师", "高级Java架构师", "Java实习生", "Java", "开发工程师"),
        ("工程师", "護士", "看護師", "간호사", "דיין", "מהנדס", "مهندس", "инженер", "नर्स", "พยาบาล"),
        ("Produção", "Produo", "Producao"),
        ("Engineer 1", "Engineer 2", "Engineer ٣"),
        ("กา", "กำ"),
    ],
)
def test_other_titles_have_other_keys(titles: tuple[str, ...]) -> None:
    assert len({identity(title) for title in titles}) == len(titles)


@pytest.mark.parametrize(
    "title", ["", " ", "-", "– & / …", "👩\u200d⚕\ufe0f", "\u3164\u200b", "\u0301", "\ud800"]
)
def test_a_title_without_letters_and_digits_has_no_key(title: str) -> None:
    assert identity(title) == ""


PIECES = (
    "c",
    "C#",
    "++",
    "+",
    "#",
    "&",
    ".",
    "net",
    " ",
    "/",
    "r&d",
    "İ",
    "ı",
    "\u0301",
    "\u200d",
    "ё",
    "é",
    "9",
)


@given(st.one_of(st.text(max_size=12), st.lists(st.sampled_from(PIECES), max_size=8).map("".join)))
def test_a_key_is_its_own_key(title: str) -> None:
    assert identity(identity(title)) == identity(title)


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12))
def test_letters_and_digits_of_every_script_are_kept(title: str) -> None:
    folded = unicodedata.normalize("NFKC", title).casefold()
    expected = sum(unicodedata.category(character)[0] in "LN" for character in folded)
    found = sum(unicodedata.category(character)[0] in "LN" for character in identity(title))
    if title.casefold() not in VARIATIONS and not any(map(is_filler, title)):
        # NFKC composes jamo that are next to each other, so there may be fewer.
        assert 0 < found <= expected


def is_filler(character: str) -> bool:
    """Hangul's fillers are letters that are never drawn."""
    return unicodedata.normalize("NFKC", character) in "\u115f\u1160\u3164\uffa0"


def test_every_full_form_of_a_variation_is_itself() -> None:
    assert {full: identity(full) for full in VARIATIONS.values()} == {
        full: full for full in VARIATIONS.values()
    }
    assert {short: identity(short) for short in VARIATIONS} == dict(VARIATIONS)

"""The Unicode key: a title without differences of case, spaces, punctuation and usual variations.

Letters, digits and combining marks of every script are kept. Signs that distinguish titles are also kept:
``C++``, ``C#``, ``.NET`` and ``R&D`` are not ``C``, ``Net`` and ``RD``.
"""

import re
import unicodedata
from typing import Final

from trajtune.dataset.identity.variations import LETTERS, VARIATIONS

_REMOVED: Final = "\0"
"""Placeholder for a removed character until the signs are found, so that ``c/#`` does not become ``c#``."""

_SIGNS: Final = "+#&."
_BEFORE: Final = {ord(sign): _REMOVED for sign in "™℠"} | {
    ord("♯"): "#"
}  # NFKC turns the first two into letters
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that are never drawn (Default_Ignorable_Code_Point), for example variation selectors."""

_LETTER: Final = "[a-z\u00df-\u024f]"
_LATIN: Final = "[a-z0-9\u00df-\u024f]"
_SIGN: Final = re.compile(
    # c++, c ++, a+, c#: one letter and its signs.
    rf"(?P<language>(?<!{_LATIN})[a-z](?: ?\+\+|\+|#)(?!{_LETTER})|\.net(?!{_LATIN}))"
    # r&d, r & d, i+d+i: single letters; s&op, at&t: one of two words is a single letter.
    rf"|(?P<joined>(?<!{_LATIN})(?:[a-z](?: ?& ?[a-z])+|[a-z](?:\+[a-z])+"
    rf"|[a-z]&[a-z]{{2,3}}|[a-z]{{2,3}}&[a-z])(?!{_LATIN}))"
    # notepad++
    rf"|(?P<suffix>(?<={_LATIN})\+\+(?!{_LETTER}))"
    rf"|[{_REMOVED}{_SIGNS}]+?"
)
"""Matches a sign that belongs to a word, with a named group for each kind, and every other sign."""

_STRAY_MARKS: Final = re.compile(rf"(?:(?<=[{_REMOVED} {_SIGNS}])|^)[^\w{_REMOVED} {_SIGNS}]+")
"""Matches combining marks that have no letter to combine with."""


class _Characters(dict[int, str | int]):
    """Maps each character to its replacement. An entry is made when the character first occurs."""

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        category = unicodedata.category(character)
        kept = category[0] in "LN" or category in ("Mn", "Mc")
        if category[0] == "Z" or character in "\t\n\v\f\r\x85":
            self[code] = " "
        elif (kept and not _INVISIBLE.match(character)) or character in _SIGNS:
            self[code] = code
        else:
            # A format character, for example a zero-width joiner, is invisible.
            self[code] = "" if kept or category in ("Cf", "Me") else _REMOVED
        return self[code]


_CHARACTERS: Final = _Characters()


def identity(title: str) -> str:
    """Return the Unicode key of a title; the empty string if the title has no letter and no digit.

    Titles with the same key are one title, unless ``vocabulary.identity`` is ``service``.

    Examples:
        >>> identity("  Sr.  Software Eng. "), identity("高级Ｃ＋＋工程师")
        ('senior software engineer', '高级 c++ 工程师')
    """
    text = title.lower() if title.isascii() else _folded(title)
    if not _is_plain(text):
        text = _letters_and_signs(text)
    return " ".join([VARIATIONS.get(word, word) for word in text.split()])


def _is_plain(text: str) -> bool:
    """Return whether a text has only letters, digits and blanks. Most titles do, and skip further steps."""
    return text.replace(" ", "").isalnum() and (text.isascii() or not _INVISIBLE.search(text))


def _folded(title: str) -> str:
    """Apply NFKC and case folding."""
    if not _is_plain(title):
        title = title.translate(_BEFORE)
    return _composed(unicodedata.normalize("NFKC", title).casefold())


def _composed(text: str) -> str:
    """Compose letters, and replace letters that are written in two ways by one of them."""
    for letter, other in LETTERS.items():
        text = text.replace(letter, other)
    return unicodedata.normalize("NFKC", text)


def _letters_and_signs(text: str) -> str:
    """Keep only letters, digits, combining marks, blanks and the signs that distinguish titles."""
    text = text.replace("&amp;", "&").translate(_CHARACTERS)
    if not text.isascii():
        # Compose again, because a removed character may have separated a letter from its mark.
        text = _STRAY_MARKS.sub("", _composed(text))
    return _SIGN.sub(_with_its_word, text)


def _with_its_word(sign: re.Match[str]) -> str:
    """Return a sign together with its word, or the empty string if it belongs to no word."""
    if sign["suffix"]:
        return f"{sign[0]} "
    return f" {sign[0].replace(' ', '')} " if sign["language"] or sign["joined"] else ""

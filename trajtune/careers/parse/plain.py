"""Normalise words of dates for comparison: lower case, no accents, ASCII digits."""

import unicodedata


def plain(text: str) -> str:
    """Return lower case without accents, with digits 0 to 9 and single spaces.

    Examples:
        >>> plain("  1er  Août ٢٠٢٠ ")
        '1er aout 2020'
    """
    if text.isascii():
        return " ".join(text.lower().split())
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return " ".join("".join(_plain(c) for c in decomposed if not unicodedata.combining(c)).split())


def _plain(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)

"""Parse dates as people store them, without guessing; each distinct text is parsed once.

A text that can be read in two ways is `AMBIGUOUS`, not a date. docs/reference/careers.md lists the forms.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.schema import Precision


class Reading(IntEnum):
    """The result of reading a text."""

    DATE = 0
    EMPTY = 1  # null, blank, or a word for "nothing here"
    HELD = 2  # a word for "until now"
    AMBIGUOUS = 3
    UNREADABLE = 4


@dataclass(frozen=True)
class ParsedDates:
    """Dates in columns.

    Attributes:
        days: int32 ``[R]``, days since 1970; 0 where ``reading`` is not `Reading.DATE`. A date of month
            or year precision is its first day.
        precisions: int8 ``[R]``, a `Precision`; 0 where ``reading`` is not `Reading.DATE`.
        readings: int8 ``[R]``, a `Reading`.
    """

    days: NDArray[np.int32]
    precisions: NDArray[np.int8]
    readings: NDArray[np.int8]


def parse_dates(texts: pa.Array, day_first: bool | None = None) -> ParsedDates:
    """Parse a column of texts.

    Args:
        texts: string ``[R]``, with nulls.
        day_first: How to read 03/04/2020: True is 3 April, False 4 March, None ambiguous.
    """
    coded = texts.dictionary_encode()
    parsed = [
        parse_date(text, day_first) if len(text) <= _LONGEST else (0, 0, Reading.UNREADABLE)
        for text in coded.dictionary.to_pylist()
    ]
    parsed.append((0, 0, Reading.EMPTY))  # for null texts, see `fill_null` below
    at = coded.indices.fill_null(len(parsed) - 1).to_numpy(zero_copy_only=False)
    days, precisions, readings = zip(*parsed, strict=True)
    return ParsedDates(
        np.array(days, np.int32)[at], np.array(precisions, np.int8)[at], np.array(readings, np.int8)[at]
    )


_LONGEST: Final = 64  # no date is longer, and longer texts must not fill the cache

Parsed = tuple[int, int, int]
"""Days since 1970, precision, reading."""


@lru_cache(maxsize=1 << 16)
def parse_date(text: str, day_first: bool | None = None) -> Parsed:
    """Parse one text; see `ParsedDates` for what the three numbers are."""
    plain = _plain(text)
    if plain in EMPTY_WORDS:
        return 0, 0, Reading.EMPTY
    if plain in HELD_WORDS:
        return 0, 0, Reading.HELD
    if _WHOLE_NUMBER.fullmatch(plain):
        plain = plain.removesuffix(".0")
    if match := _ISO.fullmatch(plain):
        return _date(match["y"], match["m"], match["d"])
    if match := _NUMERIC.fullmatch(plain):
        return _day_or_month_first(match["a"], match["b"], match["y"], day_first)
    if match := _MONTH_YEAR.fullmatch(plain):
        return _date(match["y"], match["m"])
    if _WHOLE_NUMBER.fullmatch(plain):
        return _number(plain)
    return _named(plain)


def _plain(text: str) -> str:
    """Lower case without accents, runs of white space as one space: the form of the words below."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


EMPTY_WORDS: Final = frozenset(
    {"", "-", "--", "–", "—", "null", "none", "nan", "nat", "n/a", "na", "nil", r"\n"}
)
HELD_WORDS: Final = frozenset(
    _plain(word)
    for line in (
        "present|the present|to present|current|currently|now|until now|till now|today|ongoing",
        "to date|till date|still employed|still held|infinity",
        "heute|bis heute|aktuell|derzeit|jetzt|laufend|gegenwärtig|seither",
        "atual|atualmente|presente|o presente|até o momento|o momento|momento|até hoje|hoje|agora",
        "actual|actualmente|actualidad|la actualidad|hasta la fecha|a la fecha|hoy|hasta hoy|ahora",
        "aujourd'hui|aujourd’hui|à ce jour|présent|actuel|actuellement|en cours|maintenant",
        "oggi|ad oggi|attuale|attualmente|in corso|adesso",
    )
    for word in line.split("|")
)
_MONTHS: Final = (
    "january|jan|januar|jänner|janner|jaenner|janeiro|enero|ene|janvier|janv|gennaio|gen",
    "february|feb|februar|feber|fevereiro|fev|febrero|fevrier|fevr|febbraio|febb",
    "march|mar|märz|marz|maerz|mrz|marco|marzo|mars",
    "april|apr|abril|abr|avril|avr|aprile",
    "may|mai|maio|mayo|maggio|mag",
    "june|jun|juni|junho|junio|juin|giugno|giu",
    "july|jul|juli|julho|julio|juillet|juil|luglio|lug",
    "august|aug|agosto|ago|aout",
    "september|sep|sept|setembro|set|septiembre|setiembre|septembre|settembre|sett",
    "october|oct|oktober|okt|outubro|out|octubre|octobre|ottobre|ott",
    "november|nov|novembro|noviembre|novembre",
    "december|dec|dezember|dez|dezembro|diciembre|dic|decembre|dicembre",
)
MONTHS: Final = {_plain(name): number for number, line in enumerate(_MONTHS, 1) for name in line.split("|")}

_YEAR: Final = r"(?P<y>1[5-9]\d\d|[2-9]\d\d\d)"
_TIME: Final = r"(?:t| |t ?)\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)? ?(?:z|utc|gmt|[+-]\d\d(?::?\d\d){0,2})?"
# 2020-01-15 (with or without a time), 2020/1/15, 2020.01.15, 2020-01, 2020/01, 2020.01, 2020; not 2020.1,
# which is a number that may have been 2020.10.
_ISO: Final = re.compile(rf"{_YEAR}(?!\.\d$)(?:(?P<s>[-/.])(?P<m>\d\d?)(?:(?P=s)(?P<d>\d\d?)(?:{_TIME})?)?)?")
_NUMERIC: Final = re.compile(rf"(?P<a>\d\d?)(?P<s>[-/.])(?P<b>\d\d?)(?P=s){_YEAR}(?:{_TIME})?")
_MONTH_YEAR: Final = re.compile(rf"(?P<m>\d\d?) ?[-/.] ?{_YEAR}")
_WHOLE_NUMBER: Final = re.compile(r"-?\d+(?:\.0)?")
# Between the parts of a date with a named month: "15 de janeiro de 2020", "Jan/2020", "1er mai 2020".
_SEPARATORS: Final = re.compile(r"[\s,./-]+(?:(?:de|del|of|di)\b[\s.]*)?")
_DAY: Final = re.compile(r"(\d\d?)(?:st|nd|rd|th|er|º|°|ª|o)?")


def _named(plain: str) -> Parsed:
    """A month's name, a year, and perhaps a day, in any unambiguous order."""
    parts = [part for part in _SEPARATORS.split(plain) if part]
    if not 2 <= len(parts) <= 3:
        return 0, 0, Reading.UNREADABLE
    months = [MONTHS[part] for part in parts if part in MONTHS]
    years = [part for part in parts if re.fullmatch(_YEAR, part)]
    days = [match[1] for part in parts if (match := _DAY.fullmatch(part))]
    if len(months) != 1 or len(years) != 1 or len(days) != len(parts) - 2:
        return 0, 0, Reading.UNREADABLE
    return _date(years[0], str(months[0]), *days)


def _day_or_month_first(a: str, b: str, year: str, day_first: bool | None) -> Parsed:
    first, second = int(a), int(b)
    if first == second or first > 12:
        return _date(year, b, a)
    if second > 12:
        return _date(year, a, b)
    if day_first is None and first and second:
        return 0, 0, Reading.AMBIGUOUS
    return _date(year, b, a) if day_first else _date(year, a, b)


def _number(digits: str) -> Parsed:
    """20200115, or an epoch: 9 or 10 digits are seconds (1973 to 2286), 11 to 13 milliseconds."""
    length = len(digits.removeprefix("-"))
    if length == 8 and (match := re.fullmatch(rf"{_YEAR}(?P<m>\d\d)(?P<d>\d\d)", digits)):
        return _date(match["y"], match["m"], match["d"])
    if not 9 <= length <= 13:
        return 0, 0, Reading.UNREADABLE
    seconds = int(digits) if length <= 10 else int(digits) / 1000
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return (moment.date() - _EPOCH).days, Precision.DAY, Reading.DATE


_EPOCH: Final = date(1970, 1, 1)


def _date(year: str, month: str | None = None, day: str | None = None) -> Parsed:
    try:
        first_day = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return 0, 0, Reading.UNREADABLE
    precision = Precision.DAY if day else Precision.MONTH if month else Precision.YEAR
    return (first_day - _EPOCH).days, precision, Reading.DATE

"""Parse dates in many formats, without guessing. Each distinct text is parsed once.

A text with two possible readings is `AMBIGUOUS`, not a date. docs/reference/careers.md lists the formats.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.parse.date_objects import object_text
from trajtune.careers.parse.date_words import AMBIGUOUS_MONTHS, HELD_WORDS, MONTHS
from trajtune.careers.parse.plain import plain
from trajtune.careers.schema import Precision


class Reading(IntEnum):
    """The kind of a parsed text."""

    DATE = 0
    EMPTY = 1  # null, blank, or a word for "nothing here"
    HELD = 2  # a word for "until now"
    AMBIGUOUS = 3
    UNREADABLE = 4


@dataclass(frozen=True)
class ParsedDates:
    """Dates in columns.

    Attributes:
        days: int32 ``[R]``, days since 1970; 0 if the reading is not `Reading.DATE`. A date of month
            or year precision is its first day.
        precisions: int8 ``[R]``, a `Precision`; 0 if the reading is not `Reading.DATE`.
        readings: int8 ``[R]``, a `Reading`.
    """

    days: NDArray[np.int32]
    precisions: NDArray[np.int8]
    readings: NDArray[np.int8]


@dataclass(frozen=True)
class DateRules:
    """The experiment's rules for dates that are ambiguous by themselves.

    Attributes:
        day_first: Meaning of 03/04/2020: True is 3 April, False is 4 March, None is ambiguous.
        two_digit_years: Last year that two digits may mean: with 2029, 29 is 2029 and 30 is 1930. None:
            such dates are unreadable.
        language: Language (ISO 639 code) for month names that mean different months in different
            languages; None: such names are ambiguous.
    """

    day_first: bool | None = None
    two_digit_years: int | None = None
    language: str | None = None


DEFAULT_RULES: Final = DateRules()


def parse_dates(texts: pa.Array, rules: DateRules = DEFAULT_RULES) -> ParsedDates:
    """Parse a column of texts.

    Args:
        texts: string ``[R]``, with nulls.
        rules: Rules for ambiguous dates.
    """
    coded = texts.dictionary_encode()
    parsed = [
        parse_date(text, rules) if len(text) <= _LONGEST else (0, 0, Reading.UNREADABLE)
        for text in coded.dictionary.to_pylist()
    ]
    parsed.append((0, 0, Reading.EMPTY))  # for null texts, see `fill_null` below
    at = coded.indices.fill_null(len(parsed) - 1).to_numpy(zero_copy_only=False)
    days, precisions, readings = zip(*parsed, strict=True)
    return ParsedDates(
        np.array(days, np.int32)[at], np.array(precisions, np.int8)[at], np.array(readings, np.int8)[at]
    )


_LONGEST: Final = 256  # no date is longer; longer texts must not fill the cache

Parsed = tuple[int, int, int]
"""Days since 1970, precision, reading."""


@lru_cache(maxsize=1 << 16)
def parse_date(text: str, rules: DateRules = DEFAULT_RULES) -> Parsed:
    """Parse one text into the three numbers that `ParsedDates` describes."""
    if text.lstrip().startswith("{"):
        inner = object_text(text)
        return (0, 0, Reading.UNREADABLE) if inner is None else parse_date(inner, rules)
    words = plain(text)
    if words in EMPTY_WORDS:
        return 0, 0, Reading.EMPTY
    if words in HELD_WORDS:
        return 0, 0, Reading.HELD
    if _WHOLE_NUMBER.fullmatch(words):
        words = words.removesuffix(".0")
    if rules.two_digit_years is not None:
        words = _with_century(words, rules.two_digit_years)
    if match := _ISO.fullmatch(words) or _IDEOGRAPHS.fullmatch(words) or _VIETNAMESE.fullmatch(words):
        return _date(match["y"], match["m"], match["d"])
    if match := _NUMERIC.fullmatch(words):
        return _day_or_month_first(match["a"], match["b"], match["y"], rules.day_first)
    if match := _MONTH_YEAR.fullmatch(words):
        return _date(match["y"], match["m"])
    if _WHOLE_NUMBER.fullmatch(words):
        return _number(words)
    return _named(words, rules.language)


EMPTY_WORDS: Final = frozenset(
    {"", "-", "--", "–", "—", "null", "none", "nan", "nat", "n/a", "na", "nil", r"\n"}
)

_YEAR: Final = r"(?P<y>1[5-9]\d\d|[2-9]\d\d\d)"
_TIME: Final = r"(?:t| |t ?)\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)? ?(?:z|utc|gmt|[+-]\d\d(?::?\d\d){0,2})?"
# 2020-01-15 (with or without a time), 2020/1/15, 2020.01.15, 2020-01, 2020/01, 2020.01, 2020. Not 2020.1:
# as a number it may have been 2020.10.
_ISO: Final = re.compile(rf"{_YEAR}(?!\.\d$)(?:(?P<s>[-/.])(?P<m>\d\d?)(?:(?P=s)(?P<d>\d\d?)(?:{_TIME})?)?)?")
_NUMERIC: Final = re.compile(rf"(?P<a>\d\d?)(?P<s>[-/.])(?P<b>\d\d?)(?P=s){_YEAR}(?:{_TIME})?")
_MONTH_YEAR: Final = re.compile(rf"(?P<m>\d\d?) ?[-/.] ?{_YEAR}")
# 2020年3月15日, 2020년 3월, 2020年
_YEAR_SIGN, _MONTH_SIGN, _DAY_SIGN = ("年|" + plain("년"), "月|" + plain("월"), "日|" + plain("일"))
_IDEOGRAPHS: Final = re.compile(
    rf"{_YEAR} ?(?:{_YEAR_SIGN}) ?(?:(?P<m>\d\d?) ?(?:{_MONTH_SIGN}) ?(?:(?P<d>\d\d?) ?(?:{_DAY_SIGN}))?)?"
)
# tháng 3 năm 2020, ngày 15 tháng 3, 2020
_VIETNAMESE: Final = re.compile(
    rf"(?:ngay )?(?:(?P<d>\d\d?) )?(?:thang|thg) ?(?P<m>\d\d?)[ ,/.-]*(?:nam )?{_YEAR}"
)
_TWO_DIGITS: Final = re.compile(rf"(?P<head>(?:(?!\d\d\d).)*[-/. ']) ?(?P<y>\d\d)(?P<time>{_TIME})?")
_WHOLE_NUMBER: Final = re.compile(r"-?\d+(?:\.0)?")
# Between the parts of a date with a named month: "15 de janeiro de 2020", "Jan/2020", "1er mai 2020".
_SEPARATORS: Final = re.compile(r"[\s,./-]+(?:(?:de|del|of|di)\b[\s.]*)?")
_DAY: Final = re.compile(r"(\d\d?)(?:st|nd|rd|th|er|º|°|ª|o)?")


_FILLERS: Final = frozenset(
    {
        *("г", "год", "года", "р", "рік", "року", "в", "у", "r", "rok", "roku", "m", "d", "gada"),
        *("den", "the", "em", "en"),
    }
)
"""Words between the parts of a date, for example in "март 2020 г." and "2020 m. kovas"."""


def _named(words: str, language: str | None) -> Parsed:
    """Parse a month's name, a year, and possibly a day, in any unambiguous order."""
    parts = [part for part in _SEPARATORS.split(words) if part and part not in _FILLERS]
    if not 2 <= len(parts) <= 3:
        return 0, 0, Reading.UNREADABLE
    months = [part for part in parts if part in MONTHS or part in AMBIGUOUS_MONTHS]
    years = [part for part in parts if re.fullmatch(_YEAR, part)]
    days = [match[1] for part in parts if (match := _DAY.fullmatch(part))]
    if len(months) != 1 or len(years) != 1 or len(days) != len(parts) - 2:
        return 0, 0, Reading.UNREADABLE
    month = MONTHS.get(months[0]) or AMBIGUOUS_MONTHS[months[0]].get(language or "")
    if month is None:
        return 0, 0, Reading.AMBIGUOUS
    return _date(years[0], str(month), *days)


def _with_century(words: str, last_year: int) -> str:
    """Expand a two-digit year at the end of a date to four digits; return other texts unchanged."""
    match = _TWO_DIGITS.fullmatch(words)
    if match is None:
        return words
    year = last_year - (last_year - int(match["y"])) % 100
    return f"{match['head'].rstrip(chr(39))}{year}{match['time'] or ''}"


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
    """Parse 20200115 or an epoch: 9 or 10 digits are seconds (1973 to 2286), 11 to 13 milliseconds."""
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

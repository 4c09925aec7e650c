"""Split ranges in one text: "Jan 2020 - Present" is a start and an end."""

import re
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trajtune.careers.parse.dates import DateRules, Reading, parse_date
from trajtune.careers.parse.plain import plain

_LONGEST: Final = 128
_SEPARATORS: Final = (
    re.compile(r"\s[-–—−~〜～→]+>?\s"),
    re.compile(r"\s*[–—−~〜～→]\s*"),
    re.compile(
        r"\s+(?:to|until|till|through|bis|a|à|au|até|hasta|al|tot|til|till|do|po|по|до|ate|fino a|og|ad)\s+",
        re.I,
    ),
    re.compile(r"\s*/\s*"),
    re.compile(r"\s*,\s*"),
    re.compile(r"\s*-\s*"),
)
"""The most likely first. Separators also occur inside dates, so both sides must be dates."""
_PREFIX: Final = re.compile(
    r"(?:from|since|seit|von|vom|ab|desde|de|depuis|du|dal|da|sinds|van|с|od|z)\s+", re.I
)
_DURATION: Final = re.compile(r"\s*(?:·.*|\([^()]*\))\s*$")
_DATES: Final = (Reading.DATE, Reading.AMBIGUOUS)


def split_ranges(starts: pa.Array, ends: pa.Array, rules: DateRules) -> tuple[pa.Array, pa.Array]:
    """Split ranges that were read both as start and as end.

    Args:
        starts: string ``[R]``.
        ends: string ``[R]``. If a text equals its start and is a range, both came from one field.
        rules: See `parse_dates`.
    """
    same = np.flatnonzero(pc.equal(starts, ends).fill_null(False).to_numpy(zero_copy_only=False))
    if not len(same):
        return starts, ends
    texts = starts.take(pa.array(same)).to_pylist()
    pairs = [split_range(text, rules) if len(text) <= _LONGEST else None for text in texts]
    is_range = np.zeros(len(starts), bool)
    is_range[same[[pair is not None for pair in pairs]]] = True
    if not is_range.any():
        return starts, ends
    first, last = zip(*(pair for pair in pairs if pair is not None), strict=True)
    mask = pa.array(is_range)
    return (
        pc.replace_with_mask(starts, mask, pa.array(first, pa.string())),
        pc.replace_with_mask(ends, mask, pa.array(last, pa.string())),
    )


@lru_cache(maxsize=1 << 16)
def split_range(text: str, rules: DateRules) -> tuple[str, str | None] | None:
    """Return the start and end of a range; None if the text is a date or not a range.

    Examples:
        >>> split_range("Jan 2020 - Present", DateRules())
        ('Jan 2020', 'Present')
        >>> split_range("since 2018", DateRules())
        ('2018', None)
    """
    if _reading(text, rules) != Reading.UNREADABLE:
        return None
    inner = _DURATION.sub("", text).strip().strip("[]()").rstrip(",")
    open_start = _PREFIX.match(inner)
    if open_start is not None:
        inner = inner[open_start.end() :]
        if _reading(inner, rules) in _DATES:
            return inner, None
    for separator in _SEPARATORS:
        for match in separator.finditer(inner):
            pair = _pair(inner[: match.start()], inner[match.end() :], rules)
            if pair is not None:
                return pair
    return (inner, None) if inner != text and _reading(inner, rules) in _DATES else None


def _pair(first: str, last: str, rules: DateRules) -> tuple[str, str] | None:
    """Return both sides if they are dates. The start may lack the year, as in "Jan - Mar 2020"."""
    first, last = first.strip(" \"'"), last.strip(" \"'")
    ends_well = _reading(last, rules) in (*_DATES, Reading.HELD, Reading.EMPTY)
    if not first or not ends_well:
        return None
    if _reading(first, rules) in _DATES:
        return first, last
    year = re.search(r"\d{4}", plain(last))
    if (
        year is not None
        and _reading(f"{first} {year[0]}", rules) in _DATES
        and not re.search(r"\d{3}", first)
    ):
        return f"{first} {year[0]}", last
    return None


def _reading(text: str, rules: DateRules) -> int:
    return parse_date(text, rules)[2]

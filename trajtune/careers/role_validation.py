"""Validate each role: parse its dates and name its fault. docs/reference/careers.md has the rules."""

# R roles

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.parse.date_ranges import split_ranges
from trajtune.careers.parse.dates import DateRules, ParsedDates, Reading, parse_dates
from trajtune.careers.parse.flags import parse_flags
from trajtune.careers.parse.tenure import MAX_TENURE_YEARS, tenure_months
from trajtune.careers.parse.text import missing_to_null
from trajtune.careers.reasons import Reason
from trajtune.careers.schema import Precision
from trajtune.experiment.settings import DataSettings

EPOCH: Final = date(1970, 1, 1)

# Notes of a role that stays.
ENDS_IN_FUTURE: Final = 1
CURRENT_WITH_END: Final = 2
ENDS_TOO_LATE: Final = 4
UNREADABLE_CURRENT: Final = 8

LONGEST_DETAIL: Final = 200


@dataclass(frozen=True)
class RawRoles:
    """Roles as in the source; every column has the shape ``[R]``.

    Attributes:
        titles: string.
        starts: string.
        ends: string.
        currents: string; whether the role is still held.
        faults: int8, a `Reason` if the entry is not a role or its title is not text, else 0.
        details: string, the faulty value, else null.
    """

    titles: pa.Array
    starts: pa.Array
    ends: pa.Array
    currents: pa.Array
    faults: NDArray[np.int8]
    details: pa.Array

    @classmethod
    def concatenated(cls, parts: Sequence["RawRoles"]) -> "RawRoles":
        """Concatenate the roles of several parts."""
        columns = (
            pa.concat_arrays(list(column)) for column in zip(*(p.columns() for p in parts), strict=True)
        )
        titles, starts, ends, currents, details = columns
        return cls(titles, starts, ends, currents, np.concatenate([part.faults for part in parts]), details)

    def take(self, at: NDArray[np.int64]) -> "RawRoles":
        """Return the roles at some indices."""
        titles, starts, ends, currents, details = (column.take(pa.array(at)) for column in self.columns())
        return RawRoles(titles, starts, ends, currents, self.faults[at], details)

    def columns(self) -> tuple[pa.Array, ...]:
        """Return the columns that are Arrow arrays, in the order of the fields."""
        return self.titles, self.starts, self.ends, self.currents, self.details


ROLES: Final = pa.schema(
    [
        pa.field("title", pa.string()),
        pa.field("start", pa.int32()),  # days since 1970
        pa.field("end", pa.int32()),  # days since 1970; null: still held, or not recorded
        pa.field("precision", pa.int8()),  # of the start
        pa.field("end_precision", pa.int8()),  # null without an end
        pa.field("fault", pa.int8()),  # a `Reason`; 0: none
        pa.field("notes", pa.int8()),  # bits: ENDS_IN_FUTURE and the constants after it
        pa.field("detail", pa.string()),  # the faulty value; null without a fault
    ]
)


def check_roles(raw: RawRoles, settings: DataSettings, today: date) -> pa.Table:
    """Parse and validate each role.

    Args:
        raw: Roles ``[R]``.
        settings: The rules for dates, and the as-of date if it is fixed.
        today: Last possible day of a fact; a fixed as-of date takes precedence.

    Returns:
        `ROLES` ``[R]`` in the same order.
    """
    limit = (last_day(settings, today) - EPOCH).days
    titles = missing_to_null(pc.utf8_trim_whitespace(raw.titles))
    rules = DateRules(settings.day_first, settings.two_digit_years, settings.language)
    starts, ends = split_ranges(raw.starts, raw.ends, rules)
    raw = replace(raw, starts=starts, ends=ends)
    start, end = parse_dates(raw.starts, rules), parse_dates(raw.ends, rules)
    flags, unreadable_current = parse_flags(raw.currents)
    is_current = flags == 1
    has_end = end.readings == Reading.DATE
    in_future = has_end & (end.days > limit)
    ended = has_end & ~in_future & ~is_current
    coarser = np.where(ended, np.maximum(start.precisions, end.precisions), start.precisions)
    fault = _first_faults(raw, titles, start, end, is_current)
    for broken, reason in (
        (start.days > limit, Reason.START_IN_FUTURE),
        (
            _checked(ended & (end.days < start.days), _is_before, start.days, end.days, coarser),
            Reason.END_BEFORE_START,
        ),
    ):
        fault = np.where((fault == 0) & broken, reason, fault)
    # Drop the end and keep the role: the length of the stay was not known when the role began.
    suspicious = ended & (end.days - start.days > _SUSPICIOUS_DAYS)
    too_late = _checked(suspicious, _is_too_long, start.days, end.days, coarser)
    ended &= ~too_late
    notes = (
        ENDS_IN_FUTURE * (in_future & ~is_current)
        + CURRENT_WITH_END * (has_end & is_current)
        + ENDS_TOO_LATE * too_late
        + UNREADABLE_CURRENT * unreadable_current
    )
    columns = [
        titles,
        pa.array(start.days),
        pa.array(end.days, mask=~ended),
        pa.array(start.precisions.astype(np.int8)),
        pa.array(end.precisions.astype(np.int8), mask=~ended),
        pa.array(fault.astype(np.int8)),
        pa.array(notes.astype(np.int8)),
        _details(raw, fault),
    ]
    return pa.table(columns, schema=ROLES)


def last_day(settings: DataSettings, today: date) -> date:
    """Return the last possible day of a fact: the as-of date if it is fixed, else today."""
    return settings.as_of if isinstance(settings.as_of, date) else today


def _first_faults(
    raw: RawRoles, titles: pa.Array, start: ParsedDates, end: ParsedDates, is_current: NDArray[np.bool_]
) -> NDArray[np.int8]:
    no_title = pc.equal(titles, "").fill_null(True).to_numpy(zero_copy_only=False)
    rules: list[tuple[NDArray[np.bool_], Any]] = [
        (raw.faults != 0, raw.faults),
        (no_title, Reason.NO_TITLE),
        (start.readings == Reading.EMPTY, Reason.NO_START),
        (np.isin(start.readings, (Reading.UNREADABLE, Reading.HELD)), Reason.UNREADABLE_START),
        ((end.readings == Reading.UNREADABLE) & ~is_current, Reason.UNREADABLE_END),
        (
            (start.readings == Reading.AMBIGUOUS) | ((end.readings == Reading.AMBIGUOUS) & ~is_current),
            Reason.AMBIGUOUS_DATE,
        ),
    ]
    fault = np.zeros(len(titles), np.int8)
    for broken, reason in rules:
        fault = np.where((fault == 0) & broken, reason, fault).astype(np.int8)
    return fault


_Check = Callable[[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]], NDArray[np.bool_]]
_SUSPICIOUS_DAYS: Final = 365 * MAX_TENURE_YEARS


def _checked(
    suspicious: NDArray[np.bool_],
    check: _Check,
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    precision: NDArray[np.int8],
) -> NDArray[np.bool_]:
    """Return bool ``[R]``: the result of ``check`` for the few suspicious roles, False for the others."""
    at = np.flatnonzero(suspicious)
    broken = np.zeros(len(suspicious), bool)
    broken[at] = check(start[at], end[at], precision[at])
    return broken


def _is_before(
    start: NDArray[np.int32], end: NDArray[np.int32], precision: NDArray[np.int8]
) -> NDArray[np.bool_]:
    """Return whether an end is earlier than its start, at the coarser precision of the two."""
    starts, ends = start.astype("datetime64[D]"), end.astype("datetime64[D]")
    by_month = ends.astype("datetime64[M]") < starts.astype("datetime64[M]")
    by_year = ends.astype("datetime64[Y]") < starts.astype("datetime64[Y]")
    return np.where(
        precision == Precision.YEAR, by_year, np.where(precision == Precision.MONTH, by_month, end < start)
    )


def _is_too_long(
    start: NDArray[np.int32], end: NDArray[np.int32], precision: NDArray[np.int8]
) -> NDArray[np.bool_]:
    starts, ends = (pa.array(days).cast(pa.date32()) for days in (start, end))
    return tenure_months(starts, ends, pa.array(precision.astype(np.int8))) > 12 * MAX_TENURE_YEARS


def _details(raw: RawRoles, fault: NDArray[np.int8]) -> pa.Array:
    """Return string ``[R]``: the faulty value of the source, null without a fault."""
    at = np.flatnonzero(fault)
    if not len(at):
        return pa.nulls(len(fault), pa.string())
    words = []
    columns = (raw.titles, raw.starts, raw.ends, raw.details)
    for reason, title, start, end, detail in zip(
        fault[at].tolist(), *(column.take(pa.array(at)).to_pylist() for column in columns), strict=True
    ):
        span = f"{start} to {end}"
        word = {
            Reason.NOT_A_ROLE: detail,
            Reason.UNREADABLE_ROW: detail,
            Reason.TITLE_NOT_TEXT: detail,
            Reason.NO_TITLE: span if start else "",
            Reason.NO_START: title,
            Reason.UNREADABLE_START: start,
            Reason.UNREADABLE_END: end,
            Reason.START_IN_FUTURE: start,
        }.get(reason, span)
        words.append((word or "")[:LONGEST_DETAIL])
    spread = np.full(len(fault), None, object)
    spread[at] = words
    return pa.array(spread, pa.string())

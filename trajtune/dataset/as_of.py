"""Careers as they were known on a given day. Every career of a split passes through this module.

Everything later than the day is removed before any other rule sees the career. So a fact that became known
later has no effect.
"""

# N careers, R roles of all careers

from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.parse.precision import last_days
from trajtune.careers.parse.tenure import MAX_TENURE_YEARS, tenure_months
from trajtune.careers.reasons import Reason
from trajtune.careers.schema import QUARANTINE, LoadedCareers, Precision


@dataclass(frozen=True)
class Roles:
    """The roles of some careers as arrays, with the days on which their dates were certainly known.

    Attributes:
        offsets: int64 ``[N + 1]``; the roles of career ``i`` are ``[offsets[i], offsets[i + 1])``.
        titles: Title of each role, string ``[R]``.
        starts: Start dates, ``datetime64[D]`` ``[R]``.
        ends: End dates, ``datetime64[D]`` ``[R]``; NaT where a role has no end.
        precisions: Precision of each start, int8 ``[R]``.
        end_precisions: Precision of each end, int8 ``[R]``; 0 where a role has no end.
        begun: First day on which the role had certainly begun, ``datetime64[D]`` ``[R]``. A start of month
            or year precision counts as the last day of that month or year, but never as later than the
            data itself.
        ended: First day on which the role had certainly ended, ``datetime64[D]`` ``[R]``; NaT where a role
            has no end.
    """

    offsets: NDArray[np.int64]
    titles: pa.Array
    starts: NDArray[np.datetime64]
    ends: NDArray[np.datetime64]
    precisions: NDArray[np.int8]
    end_precisions: NDArray[np.int8]
    begun: NDArray[np.datetime64]
    ended: NDArray[np.datetime64]

    @classmethod
    def of(cls, careers: pa.Table, as_of: date = date.max) -> "Roles":
        """Return the roles of careers.

        Args:
            careers: `careers.schema.CAREERS` ``[N]``.
            as_of: The day that the data describes; everything in the data was known on that day.
        """
        lists = careers["titles"].combine_chunks()
        offsets = offsets_of(lists)
        starts, ends = (_days(careers[name].combine_chunks().flatten()) for name in ("starts", "ends"))
        precisions, end_precisions = (
            careers[name].combine_chunks().flatten().fill_null(0).to_numpy(zero_copy_only=False)
            for name in ("precisions", "end_precisions")
        )
        begun, ended = (
            np.minimum(last_days(days, known_to), np.datetime64(as_of))
            for days, known_to in ((starts, precisions), (ends, end_precisions))
        )
        titles = lists.flatten()
        return cls(offsets, titles, starts, ends, precisions, end_precisions, begun, ended)

    def last_begun(self) -> NDArray[np.datetime64]:
        """Return the day on which each career's last role had certainly begun, ``datetime64[D]`` ``[N]``."""
        return self.begun[self.offsets[1:] - 1]

    def latest_begun(self) -> NDArray[np.datetime64]:
        """Return the day on which all roles of each career had certainly begun, ``datetime64[D]`` ``[N]``."""
        return np.maximum.reduceat(self.begun, self.offsets[:-1]) if len(self.offsets) > 1 else self.begun

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the number of each career's roles that a mask ``[R]`` selects, int64 ``[N]``."""
        before = np.concatenate([[0], np.cumsum(mask)])
        counts: NDArray[np.int64] = np.diff(before[self.offsets])
        return counts


def offsets_of(lists: pa.ListArray) -> NDArray[np.int64]:
    """Return the start of each list in the flattened array, then the end of the last, int64 ``[N + 1]``."""
    if not len(lists):
        return np.zeros(1, np.int64)
    offsets: NDArray[np.int64] = np.asarray(lists.offsets).astype(np.int64)
    offsets -= offsets[0]  # the offsets of a slice do not begin at 0
    return offsets


def careers_as_of(
    careers: pa.Table, day: date, *, as_of: date = date.max, merge_repeats: bool = False
) -> pa.Table:
    """Return the careers as they were known on a day.

    A role that had not certainly begun is removed. An end that was not certainly known becomes null, as if
    the role were still held. The label of a career with a removed role becomes unknown. Repeats are merged
    afterwards, so a later repeat does not change anything earlier. A career whose last role would have
    lasted more than `MAX_TENURE_YEARS` is left out, because its end was never recorded.

    Args:
        careers: `careers.schema.CAREERS` ``[N]``; other columns are kept.
        day: The last day that is known (inclusive).
        as_of: The day that the data describes; everything in the data was known on that day.
        merge_repeats: Whether to merge consecutive roles with the same title. The merged role lasts from
            the first start to the latest end. It has no end if the last of the roles has none.

    Returns:
        The careers that had at least two roles on that day, with the same columns.
    """
    roles = Roles.of(careers, as_of)
    known = roles.begun <= np.datetime64(day)
    seen = roles.ended <= np.datetime64(day)  # False for NaT
    roles = replace(
        roles,
        ends=np.where(seen, roles.ends, np.datetime64("NaT")),
        ended=np.where(seen, roles.ended, np.datetime64("NaT")),
    )
    num_known = roles.count(known)
    if merge_repeats:
        known, roles = _merge_repeats(roles, known)
    num_roles = roles.count(known)
    is_career = (num_roles >= 2) & ~_held_too_long(roles, known, day)
    known &= np.repeat(is_career, np.diff(roles.offsets))
    is_whole = (num_known == np.diff(roles.offsets))[is_career]
    ends = roles.ends[known]
    values = {
        "titles": roles.titles.filter(pa.array(known)),
        "starts": pa.array(roles.starts[known]),
        "ends": pa.array(ends),
        "precisions": pa.array(roles.precisions[known]),
        "end_precisions": pa.array(roles.end_precisions[known], mask=np.isnat(ends)),
    }
    offsets = pa.array(np.concatenate([[0], np.cumsum(num_roles[is_career])]), pa.int32())
    table = careers.filter(pa.array(is_career))
    labels = table["hireable"].combine_chunks().to_numpy(zero_copy_only=False)
    columns = {name: pa.ListArray.from_arrays(offsets, values[name]) for name in values}
    columns["hireable"] = pa.array(labels, pa.float32(), mask=np.isnan(labels) | ~is_whole)
    for name, column in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), column)
    return table


def without_endless_roles(
    loaded: LoadedCareers, last_day_of_train: date, merge_repeats: bool, rows_are_roles: bool
) -> LoadedCareers:
    """Move careers whose last role would have lasted more than seventy years to the quarantine.

    No split contains them, because every split ends on ``last_day_of_train`` or later.

    Args:
        loaded: The careers that were read.
        last_day_of_train: The earliest last day of a split.
        merge_repeats: Whether repeats are merged, as in `careers_as_of`; used for the counts.
        rows_are_roles: Whether a row of the source is a role; used for the counts.
    """
    roles = Roles.of(loaded.careers, loaded.as_of)
    is_too_long = _held_too_long(roles, np.ones(len(roles.begun), bool), last_day_of_train)
    if not is_too_long.any():
        return loaded
    left_out = loaded.careers.filter(pa.array(is_too_long))
    num_roles = pc.list_value_length(left_out["titles"]).to_numpy()
    num_rows = num_roles if rows_are_roles else np.ones(len(left_out), np.int64)
    starts = [days[-1].isoformat() for days in left_out["starts"].to_pylist()]
    entries = pa.table(
        [
            left_out["candidate_id"].combine_chunks(),
            pa.repeat("career", len(left_out)),
            pa.repeat(Reason.HELD_TOO_LONG.code, len(left_out)),
            pa.array([f"last role without an end since {start}" for start in starts], pa.string()),
            pa.array(num_rows, pa.int64()),
        ],
        schema=QUARANTINE,
    )
    quarantine = pa.concat_tables([loaded.quarantine, entries])
    counts = dict(loaded.counts)
    runs = [len(list(groupby(titles))) for titles in left_out["titles"].to_pylist()]
    num_left = sum(runs) if merge_repeats else int(num_roles.sum())
    counts["roles"] -= num_left
    counts["roles_merged"] -= int(num_roles.sum()) - num_left
    counts["roles_quarantined"] += int(num_roles.sum())
    counts["careers"] -= len(left_out)
    counts["careers_quarantined"] += len(left_out)
    counts["rows_kept"] -= int(num_rows.sum())
    counts["rows_quarantined"] += int(num_rows.sum())
    order = [(name, "ascending") for name in quarantine.column_names]
    return replace(
        loaded,
        careers=loaded.careers.filter(pa.array(~is_too_long)).combine_chunks(),
        quarantine=quarantine.sort_by(order).combine_chunks(),
        counts=counts,
    )


def _held_too_long(roles: Roles, known: NDArray[np.bool_], day: date) -> NDArray[np.bool_]:
    """Return whether each career's last known role has no end and began too long before a day, ``[N]``."""
    too_long = np.zeros(len(roles.offsets) - 1, bool)
    at = np.flatnonzero(known)
    if day == date.max or not len(at):
        return too_long
    owners = np.repeat(np.arange(len(too_long)), np.diff(roles.offsets))[at]
    is_last = np.append(owners[1:] != owners[:-1], True)
    last, owners = at[is_last], owners[is_last]
    begun = pa.array(roles.begun[last], pa.date32())
    days = pa.array(np.full(len(last), np.datetime64(day)), pa.date32())
    months = tenure_months(begun, days, pa.array(np.full(len(last), Precision.DAY, np.int8)))
    too_long[owners] = np.isnat(roles.ends[last]) & (months > 12 * MAX_TENURE_YEARS)
    return too_long


def _merge_repeats(roles: Roles, known: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Roles]:
    """Return a mask of the first role of each run of one title, and the roles with that run's end there."""
    at = np.flatnonzero(known)
    if not len(at):
        return known, roles
    titles = roles.titles.dictionary_encode().indices.to_numpy()[at]
    owners = np.repeat(np.arange(len(roles.offsets) - 1), np.diff(roles.offsets))[at]
    is_first = np.append(True, (titles[1:] != titles[:-1]) | (owners[1:] != owners[:-1]))
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], len(at)) - 1
    # As an integer, NaT is smaller than every date.
    ended = roles.ended[at].astype(np.int64)
    is_latest = ended == np.repeat(np.maximum.reduceat(ended, firsts), lasts - firsts + 1)
    latest = np.minimum.reduceat(np.where(is_latest, np.arange(len(at)), len(at)), firsts)
    # If the last role of a run has no end, the run has none.
    source = at[np.where(np.isnat(roles.ended[at[lasts]]), lasts, latest)]
    target = at[firsts]
    ends, precisions = roles.ends.copy(), roles.end_precisions.copy()
    ends[target], precisions[target] = roles.ends[source], roles.end_precisions[source]
    heads = np.zeros(len(known), bool)
    heads[target] = True
    return heads, replace(roles, ends=ends, end_precisions=precisions)


def _days(dates: pa.Array) -> NDArray[np.datetime64]:
    """Convert date32 to ``datetime64[D]``, and null to NaT."""
    return np.asarray(dates.to_numpy(zero_copy_only=False)).astype("datetime64[D]")

"""From checked roles to careers and quarantine, in columns; every source row is accounted for.

Reads no source and parses nothing. docs/reference/careers.md states each rule in words.
"""

# N careers, R roles of all careers, K roles of the careers that stay

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import CURRENT_WITH_END, ENDS_IN_FUTURE, LONGEST_DETAIL
from trajtune.careers.schema import CAREERS, QUARANTINE, Precision


@dataclass(frozen=True)
class Part:
    """Careers of some rows: what `LoadedCareers` holds, before all parts are joined.

    Attributes:
        careers: `CAREERS`, in the order of the rows.
        quarantine: `QUARANTINE`, in no order.
        counts: As in `LoadedCareers`.
        latest: The latest day, in days since 1970, on which anything in ``careers`` happened, as far as
            its precision tells; None if there are none.
    """

    careers: pa.Table
    quarantine: pa.Table
    counts: Mapping[str, int]
    latest: int | None


def assemble(
    ids: pa.Array,
    owners: NDArray[np.int64],
    roles: pa.Table,
    career_faults: pa.Array,
    labels: NDArray[np.float32],
    unit: Literal["career", "role"],
    merge_repeats: bool = False,
) -> Part:
    """Order the roles of each career, drop duplicates, and leave out what is no career.

    Args:
        ids: string ``[N]``; null: no id.
        owners: int64 ``[R]``: the career of each role.
        roles: `roles.ROLES` ``[R]``; roles of the same start and end keep this order.
        career_faults: string ``[N]``: why a whole history cannot be read, else null.
        labels: float32 ``[N]``: hireability, NaN unknown.
        unit: What one source row is.
        merge_repeats: Join consecutive roles of the same title.
    """
    num_careers = len(ids)
    columns = _Columns.of(owners, roles)
    order, num_duplicates = _in_order(columns)
    good = np.bincount(
        columns.owners[order], minlength=num_careers
    )  # each career's roles, of which none is lost
    if merge_repeats:
        columns, order = _merged(columns, order)
    left = np.bincount(columns.owners[order], minlength=num_careers)
    no_id = ids.is_null().to_numpy(zero_copy_only=False)
    unreadable = career_faults.is_valid().to_numpy(zero_copy_only=False)
    kept = (left >= 2) & ~no_id & ~unreadable
    order = order[kept[columns.owners[order]]]
    careers = _careers(columns, order, ids.filter(pa.array(kept)), labels[kept], left[kept])

    out, faulty = np.flatnonzero(~kept), np.flatnonzero(columns.faults)
    reasons = np.select(
        [no_id, unreadable], [Reason.NO_ID, Reason.UNREADABLE_HISTORY], _commonest(columns, num_careers)
    )
    left_over = pa.array([f"{number} good role{'' if number == 1 else 's'}" for number in left[out].tolist()])
    is_row = unit == "role"
    quarantine = pa.concat_tables(
        [
            quarantine_rows(
                ids.take(pa.array(out)),
                "career",
                reasons[out],
                pc.coalesce(
                    pc.utf8_slice_codeunits(career_faults.take(pa.array(out)), 0, LONGEST_DETAIL),
                    left_over.cast(pa.string()),
                ),
                good[out] if is_row else np.ones(len(out), np.int64),
            ),
            quarantine_rows(
                ids.take(pa.array(columns.owners[faulty])),
                "role",
                columns.faults[faulty],
                columns.details.take(pa.array(faulty)),
                np.full(len(faulty), int(is_row), np.int64),
            ),
        ]
    )
    counts = {
        "rows_in": roles.num_rows if is_row else num_careers,
        "rows_kept": int(good[kept].sum() if is_row else kept.sum()),
        "rows_quarantined": int(pc.sum(quarantine["num_rows"]).as_py() or 0),
        "rows_duplicate": num_duplicates if is_row else 0,
        "careers_in": num_careers,
        "careers": int(kept.sum()),
        "careers_quarantined": len(out),
        "roles_in": roles.num_rows,
        "roles": len(order),
        "roles_quarantined": len(faulty) + int(good[~kept].sum()),
        "roles_duplicate": num_duplicates,
        "roles_merged": int((good - left)[kept].sum()),
        **_tallies(columns, order),
        "labels_known": int((~np.isnan(labels[kept])).sum()),
    }
    return Part(careers, quarantine, counts, _latest(columns, order))


@dataclass(frozen=True)
class _Columns:
    """`roles.ROLES` in numpy, ``[R]`` each; titles as codes that sort as the titles do."""

    owners: NDArray[np.int64]
    titles: NDArray[np.int64]
    names: pa.Array  # distinct titles, sorted
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    precisions: NDArray[np.int8]
    faults: NDArray[np.int8]
    notes: NDArray[np.int8]
    details: pa.Array

    @classmethod
    def of(cls, owners: NDArray[np.int64], roles: pa.Table) -> "_Columns":
        coded = roles["title"].combine_chunks().dictionary_encode()
        by_name = pc.array_sort_indices(coded.dictionary).to_numpy()
        rank = np.empty(len(by_name) + 1, np.int64)
        rank[by_name] = np.arange(len(by_name))
        rank[-1] = -1
        codes = coded.indices.fill_null(len(by_name)).to_numpy(zero_copy_only=False)
        return cls(
            owners=owners,
            titles=rank[codes],
            names=coded.dictionary.take(pa.array(by_name)),
            starts=roles["start"].to_numpy().astype(np.int64),
            ends=roles["end"].fill_null(NEVER).to_numpy().astype(np.int64),
            precisions=roles["precision"].to_numpy(),
            faults=roles["fault"].to_numpy(),
            notes=roles["notes"].to_numpy(),
            details=roles["detail"].combine_chunks().fill_null(""),
        )


NEVER = 2**31 - 1
"""The end, in days, of a role that has none: after every other."""


def _in_order(columns: _Columns) -> tuple[NDArray[np.int64], int]:
    """Where the good roles are, in order and without exact duplicates; and how many those were."""
    good = np.flatnonzero(columns.faults == 0)
    order = good[_sorted(columns.owners[good], columns.starts[good], columns.ends[good])]
    same = _same(columns, order, "owners", "starts", "ends")
    tied = order[same | np.append(same[1:], False)]
    # Among roles of equal dates, duplicates need not be neighbours in the source's order.
    by_title = tied[
        np.lexsort(
            (
                tied,
                columns.precisions[tied],
                columns.titles[tied],
                columns.ends[tied],
                columns.starts[tied],
                columns.owners[tied],
            )
        )
    ]
    again = by_title[_same(columns, by_title, "owners", "starts", "ends", "titles", "precisions")]
    is_duplicate = np.zeros(len(columns.owners), bool)
    is_duplicate[again] = True
    return order[~is_duplicate[order]], len(again)


def _sorted(
    owners: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The stable order by owner, start and end; in one number each where that fits, for speed."""
    if not len(owners):
        return owners
    first = min(int(starts.min()), int(ends.min()))
    ends = np.minimum(ends, max(int(starts.max()), int(ends[ends != NEVER].max(initial=first))) + 1)
    span = int(ends.max()) - first + 1
    if (int(owners.max()) + 1) * span * span >= 2**63:
        return np.lexsort((ends, starts, owners))
    return np.argsort((owners * span + (starts - first)) * span + (ends - first), kind="stable")


def _same(columns: _Columns, at: NDArray[np.int64], *names: str) -> NDArray[np.bool_]:
    """Whether each role at ``at`` equals the one before it in all those columns."""
    same = np.ones(len(at), bool)
    same[:1] = False
    for name in names:
        values = getattr(columns, name)[at]
        same[1:] &= values[1:] == values[:-1]
    return same


def _merged(columns: _Columns, order: NDArray[np.int64]) -> tuple[_Columns, NDArray[np.int64]]:
    """Join consecutive roles of one title: first start to last end, as coarse as the coarsest.

    If the last of them has no end, the whole has none. An earlier one without an end, which nobody
    recorded, ended before the next began or beside it.
    """
    if not len(order):
        return columns, order
    first = np.flatnonzero(~_same(columns, order, "owners", "titles"))
    at = order[first]
    ends, precisions = columns.ends.copy(), columns.precisions.copy()
    last = np.append(first[1:], len(order)) - 1
    known = np.where(columns.ends[order] == NEVER, columns.starts[order], columns.ends[order])
    ends[at] = np.where(columns.ends[order][last] == NEVER, NEVER, np.maximum.reduceat(known, first))
    precisions[at] = np.maximum.reduceat(columns.precisions[order], first)
    return replace(columns, ends=ends, precisions=precisions), at


def _careers(
    columns: _Columns,
    order: NDArray[np.int64],
    ids: pa.Array,
    labels: NDArray[np.float32],
    num_roles: NDArray[np.int64],
) -> pa.Table:
    offsets = pa.array(np.concatenate([[0], np.cumsum(num_roles)]), pa.int32())
    ends = columns.ends[order]
    values = (
        columns.names.take(pa.array(columns.titles[order])),
        pa.array(columns.starts[order], pa.int32()).cast(pa.date32()),
        pa.array(ends, pa.int32(), mask=ends == NEVER).cast(pa.date32()),
        pa.array(columns.precisions[order]),
    )
    lists = [pa.ListArray.from_arrays(offsets, value) for value in values]
    return pa.table([ids, *lists, pa.array(labels, mask=np.isnan(labels))], schema=CAREERS)


def quarantine_rows(
    ids: pa.Array, level: str, reasons: NDArray[Any], details: pa.Array, num_rows: NDArray[np.int64]
) -> pa.Table:
    """`QUARANTINE` from its columns; ``reasons`` are `Reason` numbers."""
    codes = pa.array([reason.code for reason in Reason])
    columns = [ids, pa.repeat(level, len(ids)), codes.take(pa.array(reasons)), details, pa.array(num_rows)]
    return pa.table(columns, schema=QUARANTINE)


def _commonest(columns: _Columns, num_careers: int) -> NDArray[np.int64]:
    """int64 ``[N]``: the reason of most of a career's faulty roles, else `Reason.TOO_FEW_ROLES`."""
    faulty = columns.faults != 0
    pairs, counts = np.unique(
        columns.owners[faulty] * len(Reason) + columns.faults[faulty], return_counts=True
    )
    owners, reasons = np.divmod(pairs, len(Reason))
    found = np.full(num_careers, int(Reason.TOO_FEW_ROLES))
    rising = np.lexsort(
        (-reasons, counts, owners)
    )  # the last of each owner: most often, then first in `Reason`
    found[owners[rising]] = reasons[rising]
    return found


def _tallies(columns: _Columns, order: NDArray[np.int64]) -> dict[str, int]:
    """Counts of what is unusual among the roles that stay."""
    owners, starts, ends = columns.owners[order], columns.starts[order], columns.ends[order]
    follows = np.append(False, owners[1:] == owners[:-1])[: len(order)]
    # The latest end so far in the same career: owners rise, so that one running maximum does.
    span = np.int64(2 * NEVER)
    career = np.cumsum(~follows)
    known = np.where(ends == NEVER, starts, ends)
    latest = np.maximum.accumulate(career * span + known) - career * span if len(order) else known
    overlaps = follows.copy()
    overlaps[1:] &= (starts[1:] < latest[:-1]) | (starts[1:] == starts[:-1])
    return {
        "roles_concurrent": int(overlaps.sum()),
        "titles_repeated": int((follows & _same(columns, order, "titles")).sum()),
        "roles_without_end": int((ends == NEVER).sum()),
        "ends_in_future": int((columns.notes[order] & ENDS_IN_FUTURE != 0).sum()),
        "ends_of_current_roles": int((columns.notes[order] & CURRENT_WITH_END != 0).sum()),
    }


def _latest(columns: _Columns, order: NDArray[np.int64]) -> int | None:
    ends = columns.ends[order]
    days = np.where(ends == NEVER, columns.starts[order], np.maximum(ends, columns.starts[order]))
    latest = [
        _last_day(int(days[of].max()), precision)
        for precision in Precision
        if (of := columns.precisions[order] == precision).any()
    ]
    return max(latest, default=None)


def _last_day(day: int, precision: Precision) -> int:
    """The last day of the month or year that begins on a day, in days since 1970."""
    if precision == Precision.DAY:
        return day
    unit = "datetime64[M]" if precision == Precision.MONTH else "datetime64[Y]"
    following = (np.datetime64(day, "D").astype(unit) + 1).astype("datetime64[D]")
    return int(following.astype(np.int64)) - 1

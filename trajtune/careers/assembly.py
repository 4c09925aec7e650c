"""Assemble checked roles into careers and quarantine, in columns; every source row is accounted for.

Reads no source and parses nothing. docs/reference/careers.md states each rule in words.
"""

# N careers, R roles of all careers, K roles of the careers that stay

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.parse.precision import last_days
from trajtune.careers.reasons import Reason
from trajtune.careers.role_validation import (
    CURRENT_WITH_END,
    ENDS_IN_FUTURE,
    ENDS_TOO_LATE,
    LONGEST_DETAIL,
    UNREADABLE_CURRENT,
)
from trajtune.careers.schema import CAREERS, QUARANTINE


@dataclass(frozen=True)
class Part:
    """The careers of some rows, with their quarantine and counts, before all parts are joined.

    Attributes:
        careers: `CAREERS`, in the order of the rows.
        quarantine: `QUARANTINE`, in no order.
        counts: As in `LoadedCareers`.
        tallies: What `counts` has of each career by itself, and ``latest``: the latest day, in days since
            1970, on which anything in it happened, as far as its precision tells. In the order of
            ``careers``.
    """

    careers: pa.Table
    quarantine: pa.Table
    counts: Mapping[str, int]
    tallies: pa.Table

    @property
    def latest(self) -> int | None:
        """The latest day on which anything in ``careers`` happened; None if there are none."""
        latest: int | None = pc.max(self.tallies["latest"]).as_py()
        return latest


def assemble(
    ids: pa.Array,
    owners: NDArray[np.int64],
    roles: pa.Table,
    career_faults: pa.Array,
    labels: NDArray[np.float32],
    unit: Literal["career", "role"],
    merge_repeats: bool = False,
    instead: pa.Array | None = None,
) -> Part:
    """Order the roles of each career, drop duplicates, and quarantine what is not a career.

    Args:
        ids: string ``[N]``; null: no id.
        owners: int64 ``[R]``: the career of each role.
        roles: `role_validation.ROLES` ``[R]``; their order has no effect.
        career_faults: string ``[N]``: why a history cannot be read at all, else null.
        labels: float32 ``[N]``: hireability, NaN unknown.
        unit: What one source row is.
        merge_repeats: Consecutive roles of the same title will be joined into one by
            `dataset.as_of.careers_as_of`. Here they are counted, and a career of one title is too short.
        instead: string ``[N]``: what there is where no history was found, for the quarantine.
    """
    num_careers = len(ids)
    columns = _Columns.of(owners, roles)
    order, num_duplicates = _ordered_without_duplicates(columns)
    good = np.bincount(
        columns.owners[order], minlength=num_careers
    )  # roles of each career before repeats are merged
    num_left = _num_runs(columns, order, num_careers) if merge_repeats else good
    no_id = ids.is_null().to_numpy(zero_copy_only=False)
    unreadable = career_faults.is_valid().to_numpy(zero_copy_only=False)
    kept = (num_left >= 2) & ~no_id & ~unreadable
    order = order[kept[columns.owners[order]]]
    careers = _career_table(columns, order, ids.filter(pa.array(kept)), labels[kept], good[kept])

    left_out, faulty = np.flatnonzero(~kept), np.flatnonzero(columns.faults)
    reasons = np.select(
        [unreadable, no_id],
        [Reason.UNREADABLE_HISTORY, Reason.NO_ID],
        _most_frequent_fault(columns, num_careers),
    )
    good_roles = pa.array(
        [f"{number} good role{'' if number == 1 else 's'}" for number in num_left[left_out].tolist()]
    )
    if instead is not None:
        good_roles = pc.coalesce(instead.take(pa.array(left_out)), good_roles.cast(pa.string()))
    is_row = unit == "role"
    quarantine = pa.concat_tables(
        [
            quarantine_rows(
                ids.take(pa.array(left_out)),
                "career",
                reasons[left_out],
                pc.coalesce(
                    pc.utf8_slice_codeunits(career_faults.take(pa.array(left_out)), 0, LONGEST_DETAIL),
                    good_roles.cast(pa.string()),
                ),
                good[left_out] if is_row else np.ones(len(left_out), np.int64),
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
        "careers_quarantined": len(left_out),
        "roles_in": roles.num_rows,
        "roles": int(num_left[kept].sum()),
        "roles_quarantined": len(faulty) + int(good[~kept].sum()),
        "roles_duplicate": num_duplicates,
        "roles_merged": int((good - num_left)[kept].sum()),
    }
    tallies = _tallies(columns, order, good[kept], labels[kept])
    return Part(careers, quarantine, counts | sums(tallies), tallies)


@dataclass(frozen=True)
class _Columns:
    """`role_validation.ROLES` in numpy, ``[R]`` each; titles as codes that sort as the titles do."""

    owners: NDArray[np.int64]
    titles: NDArray[np.int64]
    names: pa.Array  # distinct titles, sorted
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    precisions: NDArray[np.int8]
    end_precisions: NDArray[np.int8]  # 0 where there is no end
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
            end_precisions=roles["end_precision"].fill_null(0).to_numpy(),
            faults=roles["fault"].to_numpy(),
            notes=roles["notes"].to_numpy(),
            details=roles["detail"].combine_chunks().fill_null(""),
        )


NEVER = 2**31 - 1
"""The end, in days, of a role without an end: later than every other."""


def _ordered_without_duplicates(columns: _Columns) -> tuple[NDArray[np.int64], int]:
    """Indices of the good roles, in order and without duplicates; and the number of duplicates.

    Roles are ordered by start, then title, then precision: by what was known when they began, never by how
    they ended. Of roles that are equal in these, whatever their ends, the one with the earliest end stays,
    because it was known first.
    """
    good = np.flatnonzero(columns.faults == 0)
    order = good[_stable_order(columns.owners[good], columns.starts[good])]
    same = _equals_previous(columns, order, "owners", "starts")
    at = np.flatnonzero(same | np.append(same[1:], False))
    order[at] = order[at][_order_of_tied(columns, order[at])]
    is_duplicate = _equals_previous(columns, order, "owners", "starts", "titles", "precisions")
    return order[~is_duplicate], int(is_duplicate.sum())


def _order_of_tied(columns: _Columns, tied: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order of roles that share their start with another role of the same career."""
    ends, precisions = columns.ends[tied], columns.end_precisions[tied]
    known = np.where(ends == NEVER, NEVER, _last_days(ends, precisions))
    return np.lexsort(
        (
            columns.notes[tied],
            ends,
            known,
            columns.precisions[tied],
            columns.titles[tied],
            columns.starts[tied],
            columns.owners[tied],
        )
    )


def _stable_order(owners: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stable order by owner and start; for speed, on one number for each role if it fits 64 bits."""
    if not len(owners):
        return owners
    first = int(starts.min())
    span = int(starts.max()) - first + 1
    if (int(owners.max()) + 1) * span >= 2**63:
        return np.lexsort((starts, owners))
    return np.argsort(owners * span + (starts - first), kind="stable")


def _equals_previous(columns: _Columns, at: NDArray[np.int64], *names: str) -> NDArray[np.bool_]:
    """bool: whether each role at the indices ``at`` equals the one before it in all those columns."""
    same = np.ones(len(at), bool)
    same[:1] = False
    for name in names:
        values = getattr(columns, name)[at]
        same[1:] &= values[1:] == values[:-1]
    return same


def _num_runs(columns: _Columns, order: NDArray[np.int64], num_careers: int) -> NDArray[np.int64]:
    """int64 ``[N]``: the roles of each career after consecutive ones of the same title are joined."""
    starts_a_run = ~_equals_previous(columns, order, "owners", "titles")
    return np.bincount(columns.owners[order[starts_a_run]], minlength=num_careers)


def _career_table(
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
        pa.array(columns.end_precisions[order], mask=ends == NEVER),
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


def _most_frequent_fault(columns: _Columns, num_careers: int) -> NDArray[np.int64]:
    """int64 ``[N]``: the most frequent reason among a career's faulty roles, else `Reason.TOO_FEW_ROLES`."""
    faulty = columns.faults != 0
    pairs, counts = np.unique(
        columns.owners[faulty] * len(Reason) + columns.faults[faulty], return_counts=True
    )
    owners, reasons = np.divmod(pairs, len(Reason))
    most_frequent = np.full(num_careers, int(Reason.TOO_FEW_ROLES))
    rising = np.lexsort(
        (-reasons, counts, owners)
    )  # last for each owner: the most frequent, of equals the first in `Reason`
    most_frequent[owners[rising]] = reasons[rising]
    return most_frequent


_TALLIED = (
    "roles_concurrent titles_repeated roles_without_end ends_in_future ends_of_current_roles ends_too_late "
    "currents_unreadable labels_known latest"
)
NO_TALLIES = pa.table({name: pa.array([], pa.int32()) for name in _TALLIED.split()})
"""`Part.tallies` of no career."""


def sums(tallies: pa.Table) -> dict[str, int]:
    """The counts of all careers of some tallies."""
    return {
        name: int(pc.sum(tallies[name]).as_py() or 0) for name in tallies.column_names if name != "latest"
    }


def _tallies(
    columns: _Columns, order: NDArray[np.int64], num_roles: NDArray[np.int64], labels: NDArray[np.float32]
) -> pa.Table:
    """`Part.tallies` of the careers that are kept: their unusual roles, their label and their latest day."""
    owners, starts, ends = columns.owners[order], columns.starts[order], columns.ends[order]
    follows = np.append(False, owners[1:] == owners[:-1])[: len(order)]
    # The latest end so far in the same career: owners rise, so one running maximum is enough.
    span = np.int64(2 * NEVER)
    career = np.cumsum(~follows)
    last_known = np.where(ends == NEVER, starts, ends)
    latest = np.maximum.accumulate(career * span + last_known) - career * span if len(order) else last_known
    overlaps = follows.copy()
    overlaps[1:] &= (starts[1:] < latest[:-1]) | (starts[1:] == starts[:-1])
    notes = columns.notes[order]
    masks = {
        "roles_concurrent": overlaps,
        "titles_repeated": follows & _equals_previous(columns, order, "titles"),
        "roles_without_end": ends == NEVER,
        "ends_in_future": notes & ENDS_IN_FUTURE != 0,
        "ends_of_current_roles": notes & CURRENT_WITH_END != 0,
        "ends_too_late": notes & ENDS_TOO_LATE != 0,
        "currents_unreadable": notes & UNREADABLE_CURRENT != 0,
    }
    firsts = np.cumsum(num_roles) - num_roles  # every career that is kept has roles
    tallies = {
        name: np.add.reduceat(mask.astype(np.int32), firsts) if len(firsts) else np.empty(0, np.int32)
        for name, mask in masks.items()
    }
    tallies["labels_known"] = (~np.isnan(labels)).astype(np.int32)
    days = _latest_days(columns, order)
    tallies["latest"] = np.maximum.reduceat(days, firsts) if len(firsts) else days
    return pa.table({name: pa.array(values, pa.int32()) for name, values in tallies.items()})


def _latest_days(columns: _Columns, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 ``[K]``: the last day of each role's start, or of its end if that is later."""
    ends = columns.ends[order]
    begun = _last_days(columns.starts[order], columns.precisions[order])
    ended = _last_days(np.where(ends == NEVER, 0, ends), columns.end_precisions[order])
    return np.where(ends == NEVER, begun, np.maximum(begun, ended))


def _last_days(days: NDArray[np.int64], precisions: NDArray[np.int8]) -> NDArray[np.int64]:
    """`last_days` of days since 1970."""
    return last_days(days.astype("datetime64[D]"), precisions).astype(np.int64)

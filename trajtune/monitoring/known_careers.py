"""Careers of a snapshot's train and val as they were known on an earlier day.

This module does for encoded careers what `dataset.as_of` does for tables; it never reads test. Everything
later than the day is removed before anything is counted, trained or measured.
"""

# N careers, R roles of all careers

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.parse.tenure import MAX_TENURE_YEARS, tenure_months
from trajtune.careers.schema import Precision
from trajtune.dataset.arrays import CareerArrays, last_roles
from trajtune.dataset.encode import PER_ROLE, SplitData, joined
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import SnapshotError
from trajtune.experiment.settings import DataSettings

_NEVER: Final = np.iinfo(np.int64).max
_EVE: Final = timedelta(days=1)


@dataclass(frozen=True)
class KnownCareers:
    """All that train and val contain about each person.

    Attributes:
        data: A career for each person, as known on the eve of the val cutoff if the person moved since the
            train cutoff, else on the eve of that. Its title ids belong to no vocabulary.
        ended: int64 ``[R]``: the last day, since 1970, on which the role may have ended; the largest number
            where no end is known. See `last_possible_ends`.
        train_cutoff: Train cutoff of the snapshot.
        val_cutoff: Val cutoff of the snapshot; nothing here became known on that day or later.
        settings: Settings of the snapshot's labels.
    """

    data: SplitData
    ended: NDArray[np.int64]
    train_cutoff: date
    val_cutoff: date
    settings: DataSettings

    @classmethod
    def of(cls, snapshot: Snapshot) -> "KnownCareers":
        """Read the careers of a snapshot.

        Raises:
            SnapshotError: If the snapshot is not split by move, or if repeated roles were merged.
        """
        manifest = snapshot.manifest
        if (by := manifest["settings"]["split"]["by"]) != "move":
            raise SnapshotError(
                f"A backtest needs `split.by: move`, but {snapshot.path} is split by {by}, so that the "
                "earlier moves of test's people are in no other split. Prepare and search with "
                "`split.by: move`."
            )
        train, val = (date.fromisoformat(manifest["cutoffs"][name]) for name in ("train", "val"))
        settings = DataSettings.model_validate(manifest["settings"]["data"])
        if settings.merge_repeats:
            raise SnapshotError(
                f"A backtest needs `data.merge_repeats: false`, but {snapshot.path} has merged roles, whose "
                "ends and starts may have become known later than the origin. Prepare and search without it."
            )
        return cls.joined(snapshot.read("train"), snapshot.read("val"), train, val, settings)

    @classmethod
    def joined(
        cls, train: SplitData, val: SplitData, train_cutoff: date, val_cutoff: date, settings: DataSettings
    ) -> "KnownCareers":
        """Join the careers of a train and a val that were split by move."""
        data = _joined(train, val)
        ended = last_possible_ends(data.arrays.start_days, data.arrays.tenure_months)
        return cls(data, ended, train_cutoff, val_cutoff, settings)

    def move_days(self, before: date) -> NDArray[np.int64]:
        """Return the days since 1970 on which all moves before a day began, in order."""
        data = self.before(before)
        is_move = np.ones(len(data.arrays.start_days), bool)
        is_move[data.arrays.offsets[:-1]] = False
        return np.sort(data.arrays.start_days[is_move].astype(np.int64))

    def moved_in(self, first: date, end: date) -> SplitData:
        """Return the people whose last move before a day began in a window, as known on its last day.

        Args:
            first: First day of the window.
            end: First day after it.
        """
        data = self.before(end, ended_since=first)
        return _careers(data, data.split_dates.to_numpy(zero_copy_only=False) >= np.datetime64(first))

    def before(self, day: date, *, ended_since: date | None = None) -> SplitData:
        """Return careers as they were known on the eve of a day, if they then had two roles.

        If a person did not move between the train cutoff and the day, ends after the train cutoff are left
        out: the snapshot has them only if the person moved *later*, so they would reveal a later move.

        Args:
            day: First day that is not known; at most the val cutoff.
            ended_since: Roles that ended on this day or later are marked as outcomes; None: last roles are.
        """
        arrays, end = self.data.arrays, _days(day)
        owner = np.repeat(np.arange(arrays.num_careers), np.diff(arrays.offsets))
        known = arrays.start_days < end
        newest = np.full(arrays.num_careers, -_NEVER)
        np.maximum.at(newest, owner[known], arrays.start_days[known].astype(np.int64))
        cutoff = _days(self.train_cutoff)
        until = np.where(newest >= cutoff, end, min(end, cutoff))
        has_ended = self.ended < until[owner]
        is_last = _last_of(owner, known)
        held = _held_months(arrays.start_days, until[owner] - 1)
        endless = is_last & ~has_ended & (_held_months(arrays.start_days, _end_of(self)) > _MOST_MONTHS)
        kept = (np.bincount(owner[known], minlength=arrays.num_careers) >= 2) & ~_any(owner, endless, arrays)
        open_months = np.where(is_last & ~has_ended, held, np.float32(np.nan)).astype(np.float32)
        tenure = np.where(has_ended, arrays.tenure_months, np.float32(np.nan)).astype(np.float32)
        is_first = np.zeros(len(owner), bool)
        is_first[arrays.offsets[:-1]] = True
        values = replace(
            arrays,
            tenure_months=tenure,
            tenure_at_least=np.where(has_ended, tenure, open_months).astype(np.float32),
            hireable=self._labels(owner, known, has_ended, open_months),
            is_outcome=is_last
            if ended_since is None
            else has_ended & ~is_last & ~is_first & (self.ended >= _days(ended_since)),
        )
        return _taken(replace(self.data, arrays=values), known & kept[owner], kept)

    def _labels(
        self,
        owner: NDArray[np.int64],
        known: NDArray[np.bool_],
        has_ended: NDArray[np.bool_],
        open_months: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return hireability ``[R]`` as it was known; NaN if it was not known."""
        arrays, nothing = self.data.arrays, np.float32(np.nan)
        if self.settings.hireable_key is not None:
            # A given label has no date. It is taken as known with the career's last role.
            is_whole = ~_any(owner, ~known, arrays)
            return np.where(is_whole[owner], arrays.hireable, nothing).astype(np.float32)
        stays = np.where(open_months >= self.settings.hireable_months, np.float32(1), nothing)
        return np.where(has_ended, arrays.hireable, stays).astype(np.float32)


def last_possible_ends(start_days: NDArray[np.int32], months: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the last day, since 1970, on which a role may have ended; the largest number if none is known.

    A snapshot has tenures in complete months, and no ends. So the day may be up to a month after the end. If
    the tenure is a number of years, perhaps only the year of the end was known, and the day is the last of
    that year.

    Args:
        start_days: Days since 1970 of the last day on which the role may have begun, ``[R]``.
        months: Tenure in complete months ``[R]``; NaN where no end is known.

    Examples:
        >>> ends = last_possible_ends(np.array([14, 14], np.int32), np.array([1.0, 12.0]))
        >>> ends.astype("datetime64[D]").astype(str).tolist()
        ['1970-03-14', '1971-12-31']
    """
    start = start_days.astype("datetime64[D]")
    month = start.astype("datetime64[M]")
    whole = np.nan_to_num(months).astype(np.int64)
    # A month is complete on the start's day of the next month, so the end lies before that day.
    following = month + whole + 1
    first = following.astype("datetime64[D]")
    length = ((following + 1).astype("datetime64[D]") - first).astype(np.int64)
    ends = first + np.minimum((start - month).astype(np.int64), length) - 1
    last_of_year = (start.astype("datetime64[Y]") + whole // 12 + 1).astype("datetime64[D]") - 1
    ends = np.where(whole % 12 == 0, np.maximum(ends, last_of_year), ends)
    return np.where(np.isnan(months), _NEVER, ends.astype(np.int64))


_MOST_MONTHS: Final = 12 * MAX_TENURE_YEARS


def _days(day: date) -> int:
    return int(np.datetime64(day).astype(np.int64))


def _end_of(careers: KnownCareers) -> NDArray[np.int64]:
    return np.full(len(careers.ended), _days(careers.val_cutoff - _EVE))


def _held_months(start_days: NDArray[np.int32], days: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return complete months ``[R]`` from the start of each role to a day; 0 if the day is earlier."""
    starts, ends = (
        pa.array(each.astype(np.int32), pa.int32()).cast(pa.date32()) for each in (start_days, days)
    )
    exact = pa.array(np.full(len(start_days), Precision.DAY, np.int8))
    return np.maximum(tenure_months(starts, ends, exact), 0)


def _last_of(owner: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether each role is the last known one of its career, bool ``[R]``."""
    at = np.flatnonzero(known)
    is_last = np.zeros(len(owner), bool)
    is_last[at] = np.append(owner[at][1:] != owner[at][:-1], True)[: len(at)]
    return is_last


def _any(owner: NDArray[np.int64], mask: NDArray[np.bool_], arrays: CareerArrays) -> NDArray[np.bool_]:
    """Return whether each career has a role in a mask ``[R]``, bool ``[N]``."""
    return np.bincount(owner[mask], minlength=arrays.num_careers) > 0


def _joined(train: SplitData, val: SplitData) -> SplitData:
    """Return val's careers, and train's careers of people who are not in val, sorted by person."""
    ids, later = (
        train.candidate_ids.to_numpy(zero_copy_only=False),
        val.candidate_ids.to_numpy(zero_copy_only=False),
    )
    together = joined([_careers(train, ~np.isin(ids, later)), val])
    ids = together.candidate_ids.to_numpy(zero_copy_only=False)
    return _careers(together, np.argsort(ids, kind="stable"))


def _careers(data: SplitData, which: NDArray[np.bool_] | NDArray[np.int64]) -> SplitData:
    """Return some careers, given as a mask ``[N]`` or as numbers in any order."""
    numbers = np.flatnonzero(which) if which.dtype == bool else which
    offsets = data.arrays.offsets
    lengths = np.diff(offsets)[numbers]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    roles = np.arange(starts[-1]) + np.repeat(offsets[numbers] - starts[:-1], lengths)
    return SplitData(
        CareerArrays(offsets=starts, **{name: getattr(data.arrays, name)[roles] for name in PER_ROLE}),
        data.candidate_ids.take(pa.array(numbers)),
        data.titles.take(pa.array(numbers)),
        data.split_dates.take(pa.array(numbers)),
    )


def _taken(data: SplitData, roles: NDArray[np.bool_], careers: NDArray[np.bool_]) -> SplitData:
    """Return some roles ``[R]`` of some careers ``[N]``; the split date is when the last one began."""
    before = np.concatenate([[0], np.cumsum(roles)])
    lengths = np.diff(before[data.arrays.offsets])[careers]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    arrays = CareerArrays(offsets=offsets, **{name: getattr(data.arrays, name)[roles] for name in PER_ROLE})
    titles = pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), data.titles.flatten().filter(pa.array(roles))
    )
    begun = arrays.start_days[last_roles(offsets)] if len(offsets) > 1 else arrays.start_days
    dates = pa.array(begun, pa.int32()).cast(pa.date32())
    return SplitData(arrays, data.candidate_ids.filter(pa.array(careers)), titles, dates)

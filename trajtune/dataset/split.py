"""The temporal split: three rules that decide which careers are in train, val and test.

`career` and `transition` assign each career to one split. `career` uses the last thing that is known about
the career, and `transition` the start of its last role. `move` assigns each move to the split in which its
next role began. With every rule a split contains careers as they were known on its last day; see
`dataset.as_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.dataset.as_of import Roles, careers_as_of
from trajtune.errors import SplitError
from trajtune.experiment.settings import AUTO, SplitSettings

SplitBy = Literal["career", "transition", "move"]

SPLITS: Final = ("train", "val", "test")

SPLIT_DATE: Final = "split_date"
"""Column that a split adds to `careers.schema.CAREERS`: the date that decides the split of a career."""


@dataclass(frozen=True)
class Splits:
    """Careers of each split as known on its last day, with `SPLIT_DATE`, in their original order."""

    train: pa.Table
    val: pa.Table
    test: pa.Table
    train_cutoff: date
    val_cutoff: date


def split_dates(careers: pa.Table, by: SplitBy = "career") -> NDArray[np.datetime64]:
    """Return the date that decides each career's split, ``datetime64[D]`` ``[N]``.

    With ``career`` it is the latest of the end dates and the start of the last role. A start is known when
    it happens, so a role that is still held keeps nobody out of train. With ``transition`` it is the
    start of the last role. If an earlier role is known less exactly and may have begun later, it is the
    start of that role. With ``move`` it is the start of the last role. A date of month or year
    precision counts as the last day of that month or year, because the event may have happened on that day.

    Args:
        careers: `careers.schema.CAREERS` ``[N]``; for ``move`` as known on the last day of the split.
        by: The split rule; see `SplitSettings.by`.
    """
    roles = Roles.of(careers)
    if not len(careers):
        return roles.begun
    if by == "move":
        return roles.last_begun()
    if by == "transition":
        return roles.latest_begun()
    ended = np.where(np.isnat(roles.ended), roles.begun, roles.ended)
    return np.maximum.reduceat(np.maximum(roles.begun, ended), roles.offsets[:-1])


def deciding_dates(
    careers: pa.Table, by: SplitBy, *, as_of: date = date.max, merge_repeats: bool = False
) -> NDArray[np.datetime64]:
    """Return the dates from which ``auto`` cutoffs are computed as quantiles.

    There is one date per career, or with ``move`` one date per move.

    Args:
        careers: `careers.schema.CAREERS` ``[N]``.
        by: The split rule; see `SplitSettings.by`.
        as_of: The day that the data describes.
        merge_repeats: Whether to merge repeats; see `careers_as_of`.
    """
    if by != "move":
        return split_dates(careers, by)
    roles = Roles.of(careers_as_of(careers, as_of, as_of=as_of, merge_repeats=merge_repeats), as_of)
    is_move = np.ones(len(roles.begun), bool)
    is_move[roles.offsets[:-1]] = False
    return roles.begun[is_move]


@dataclass(frozen=True)
class DayCounts:
    """A histogram of dates by day. It contains all information in the dates except their order.

    Attributes:
        days: Distinct days in ascending order, ``datetime64[D]`` ``[D]``.
        counts: Number of dates on each day, int64 ``[D]``, positive.
    """

    days: NDArray[np.datetime64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, dates: NDArray[np.datetime64]) -> "DayCounts":
        """Return the histogram of dates. No date may be NaT."""
        days, counts = np.unique(dates.astype("datetime64[D]"), return_counts=True)
        return cls(days, counts)

    def __add__(self, other: "DayCounts") -> "DayCounts":
        days, of = np.unique(np.concatenate([self.days, other.days]), return_inverse=True)
        counts = np.zeros(len(days), np.int64)
        np.add.at(counts, of, np.concatenate([self.counts, other.counts]))
        return DayCounts(days, counts)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def date_at(self, index: int) -> np.datetime64:
        """Return the date at an index of all sorted dates; the first index is 0."""
        day: np.datetime64 = self.days[np.searchsorted(np.cumsum(self.counts), index, side="right")]
        return day

    def before(self, day: np.datetime64) -> "DayCounts":
        """Return the dates before a day (exclusive)."""
        is_before = self.days < day
        return DayCounts(self.days[is_before], self.counts[is_before])

    def share_of(self, day: date) -> float:
        """Return the share of the dates that are equal to a day, from 0 to 1."""
        return float(self.counts[self.days == np.datetime64(day)].sum()) / len(self)


NO_DAYS: Final = DayCounts(np.empty(0, "datetime64[D]"), np.empty(0, np.int64))


def resolve_cutoffs(dates: DayCounts, settings: SplitSettings) -> tuple[date, date]:
    """Return the cutoffs as dates: those of the experiment, or for ``auto`` quantiles of the deciding dates.

    If many careers share a date, a quantile may leave no date for one of the splits. The cutoff then moves
    to the next date, or to the same quantile of the remaining dates. So each split has at least one date.

    Args:
        dates: Histogram of the result of `deciding_dates`; at least one date.
        settings: Cutoffs, and for ``auto`` the share of dates before each cutoff.

    Raises:
        SplitError: If ``auto`` finds fewer than three different dates.
    """
    if isinstance(settings.train_cutoff, date) and isinstance(settings.val_cutoff, date):
        return settings.train_cutoff, settings.val_cutoff
    assert settings.train_cutoff == settings.val_cutoff == AUTO
    distinct = dates.days
    if len(distinct) < 3:
        found = " and ".join(str(day) for day in distinct) or "none"
        raise SplitError(
            "`auto` cutoffs need split dates on three different days at least, one for each split, but got "
            f"{found}. Give more exact dates, or read careers of more years."
        )
    first, last = distinct[0], distinct[-1]
    train, val = (dates.date_at(int(share * len(dates))) for share in settings.fractions)
    if val <= train:
        val = last if train == last else distinct[distinct > train][0]
    if train == last:
        # Many careers share the last date, so it becomes test. Train and val share the rest in proportion.
        rest = dates.before(last)
        train = rest.date_at(int(settings.fractions[0] / settings.fractions[1] * len(rest)))
    if train == first:
        # Many careers share the first date. Train has careers only if its cutoff is the second date or later.
        train = distinct[1]
        val = max(val, distinct[2])
    return train.astype(date), val.astype(date)


FEWEST_TO_CALIBRATE: Final = 100
"""Minimum number of people in the calibration window; with fewer, the calibration is unreliable."""


def calibration_window(val_dates: DayCounts, train_cutoff: date, share: float) -> date:
    """Return the first day of the calibration window, which is the newest part of val.

    Args:
        val_dates: Histogram of the split dates of the people in val.
        train_cutoff: First day of val.
        share: Share of val's people in the window. The window has at least `FEWEST_TO_CALIBRATE` people,
            or is all of val.
    """
    num_val = len(val_dates)
    wanted = max(FEWEST_TO_CALIBRATE, round(share * num_val))
    return train_cutoff if wanted >= num_val else val_dates.date_at(num_val - wanted).astype(date)


def temporal_split(
    careers: pa.Table,
    train_cutoff: date,
    val_cutoff: date,
    by: SplitBy = "career",
    *,
    as_of: date = date.max,
    merge_repeats: bool = False,
) -> Splits:
    """Split careers in time. Nothing in a split is later than the split's last day.

    With ``career`` and ``transition`` whole careers are split by their `split_dates`, before any example is
    made. With ``move`` train contains every career as known on the day before ``train_cutoff``. Val contains
    the careers as known on the day before ``val_cutoff`` whose last role began on or after ``train_cutoff``.
    Test contains the careers as known on ``as_of`` whose last role began on or after ``val_cutoff``. So with
    ``move`` a person may be in several splits.

    Args:
        careers: One row per career, ``[N]``; see `careers.schema.CAREERS`.
        train_cutoff: First day that is not train (exclusive end).
        val_cutoff: First day that is not val (exclusive end); after ``train_cutoff``.
        by: The split rule; see `SplitSettings.by`.
        as_of: The day that the data describes, which is the last day of test.
        merge_repeats: Whether to merge repeats; see `careers_as_of`.

    Returns:
        The careers of train, val and test that have at least two roles, with all columns.

    Raises:
        SplitError: If the cutoffs are not in order, or if a split would be empty. The message names the
            split and the dates that the data covers.
    """
    parts = careers_of_splits(careers, (train_cutoff, val_cutoff), by, as_of, merge_repeats)
    sizes = {name: len(part) for name, part in parts.items()}
    if not all(sizes.values()):
        dates = deciding_dates(careers, by, as_of=as_of, merge_repeats=merge_repeats)
        refuse_empty(sizes, (train_cutoff, val_cutoff), DayCounts.of(dates))
    return Splits(**parts, train_cutoff=train_cutoff, val_cutoff=val_cutoff)


def careers_of_splits(
    careers: pa.Table, cutoffs: tuple[date, date], by: SplitBy, as_of: date, merge_repeats: bool
) -> dict[str, pa.Table]:
    """Return the splits of some careers. A split may be empty. See `temporal_split`.

    Raises:
        SplitError: If the cutoffs are not in order.
    """
    train_cutoff, val_cutoff = cutoffs
    if not train_cutoff < val_cutoff:
        raise SplitError(
            f"`train_cutoff < val_cutoff` must hold, but got train_cutoff={train_cutoff}, "
            f"val_cutoff={val_cutoff}. Swap them."
        )
    divide = _moves if by == "move" else _whole_careers
    return dict(zip(SPLITS, divide(careers, cutoffs, by, as_of, merge_repeats), strict=True))


def refuse_empty(num_careers: Mapping[str, int], cutoffs: tuple[date, date], dates: DayCounts) -> None:
    """Raise if a split has no careers.

    Args:
        num_careers: Number of careers in each split.
        cutoffs: First day that is not train, and first day that is not val.
        dates: Histogram of the result of `deciding_dates`.

    Raises:
        SplitError: If a split has no careers. The message names the split and the dates that the data covers.
    """
    for name, number in num_careers.items():
        if not number:
            covered = f"{dates.days[0]} to {dates.days[-1]}" if len(dates) else "nothing"
            raise SplitError(
                f"Each split needs careers, but {name} has none: the data's split dates cover {covered} and "
                f"the cutoffs are {cutoffs[0]} and {cutoffs[1]}. Choose cutoffs inside that range, with "
                "dates before, between and after them."
            )


_EVE: Final = timedelta(days=1)


def last_days_known(train_cutoff: date, val_cutoff: date, as_of: date) -> tuple[date, date, date]:
    """Return the last day that is known in train, in val and in test."""
    return train_cutoff - _EVE, val_cutoff - _EVE, as_of


def _whole_careers(
    careers: pa.Table, cutoffs: tuple[date, date], by: SplitBy, as_of: date, merge_repeats: bool
) -> list[pa.Table]:
    """Split whole careers by their dates. The dates are found before anything is removed or merged."""
    dates = split_dates(careers, by)
    split_of = np.searchsorted(np.array(cutoffs, dtype="datetime64[D]"), dates, side="right")
    dated = careers.append_column(SPLIT_DATE, pa.array(dates, pa.date32()))
    return [
        careers_as_of(
            dated.filter(pa.array(split_of == index)), day, as_of=as_of, merge_repeats=merge_repeats
        )
        for index, day in enumerate(last_days_known(*cutoffs, as_of))
    ]


def _moves(
    careers: pa.Table, cutoffs: tuple[date, date], by: SplitBy, as_of: date, merge_repeats: bool
) -> list[pa.Table]:
    """Return the careers as known on each split's last day whose last role began in the split's window."""
    parts = []
    latest = Roles.of(careers, as_of).latest_begun()
    for since, day in zip((date.min, *cutoffs), last_days_known(*cutoffs, as_of), strict=True):
        # Only these careers can have a move in the window, so the others are skipped.
        moved = careers.filter(pa.array(latest >= np.datetime64(since)))
        known = careers_as_of(moved, day, as_of=as_of, merge_repeats=merge_repeats)
        dates = Roles.of(known, as_of).last_begun()
        dated = known.append_column(SPLIT_DATE, pa.array(dates, pa.date32()))
        parts.append(dated.filter(pa.array(dates >= np.datetime64(since))))
    return parts

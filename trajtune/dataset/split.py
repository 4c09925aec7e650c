"""The temporal split: careers are split by the last date on which anything in them is known to have happened.

If the experiment asks for it, they are split by the start of the last role instead. What became known of a
career after its split's cutoff is then masked by `dataset.encode`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.schema import Precision
from trajtune.errors import SplitError
from trajtune.experiment.settings import AUTO, SplitSettings

SplitBy = Literal["career", "transition"]


@dataclass(frozen=True)
class Splits:
    """Careers of each split, in their original order, and the cutoffs."""

    train: pa.Table
    val: pa.Table
    test: pa.Table
    train_cutoff: date
    val_cutoff: date


def split_dates(careers: pa.Table, by: SplitBy = "career") -> NDArray[np.datetime64]:
    """The date that decides each career's split, ``datetime64[D]`` ``[N]``.

    By ``career`` it is the latest of its end dates and its last role's start: a start is known when
    it happens, so a role still held keeps nobody out of training. By ``transition`` it is the last
    role's start alone, or that of an earlier role which is known so much less exactly that it may
    have begun later. A date of month or year precision counts as its last day, because what it says
    may have happened as late as that.

    Args:
        careers: `careers.schema.CAREERS`.
        by: See `SplitSettings.by`.
    """
    starts, ends, precisions = (careers[name].combine_chunks() for name in ("starts", "ends", "precisions"))
    offsets = np.asarray(starts.offsets)
    first, last = offsets[0], offsets[-1]
    coarse = precisions.values.slice(first, last - first).to_numpy(zero_copy_only=False)
    start_days = last_days(_days(starts.values.slice(first, last - first)), coarse)
    end_days = last_days(_days(ends.values.slice(first, last - first)), coarse)
    # A role without an end is known by its start alone; every end is at or after its own start.
    last_known = np.where(np.isnat(end_days), start_days, end_days)
    if not len(careers):
        return last_known[:0]
    return np.maximum.reduceat(start_days if by == "transition" else last_known, offsets[:-1] - first)


def last_days(days: NDArray[np.datetime64], precisions: NDArray[np.int8]) -> NDArray[np.datetime64]:
    """The last day of the month or year that a date of that precision stands for; NaT stays NaT."""
    months, years = days.astype("datetime64[M]"), days.astype("datetime64[Y]")
    month_ends = (months + 1).astype("datetime64[D]") - 1
    year_ends = (years + 1).astype("datetime64[D]") - 1
    return np.where(
        precisions == Precision.YEAR, year_ends, np.where(precisions == Precision.MONTH, month_ends, days)
    )


def resolve_cutoffs(dates: NDArray[np.datetime64], settings: SplitSettings) -> tuple[date, date]:
    """The cutoffs as dates: those of the experiment, or for ``auto`` the quantiles of the split dates.

    Args:
        dates: ``datetime64[D]`` ``[N]``, from `split_dates`.
        settings: Cutoffs, and for ``auto`` the shares of careers before each.
    """
    if isinstance(settings.train_cutoff, date) and isinstance(settings.val_cutoff, date):
        return settings.train_cutoff, settings.val_cutoff
    assert settings.train_cutoff == settings.val_cutoff == AUTO
    ordered = np.sort(dates)
    train, val = (ordered[int(share * len(ordered))] for share in settings.fractions)
    # Where many careers share one date, the second quantile can fall on the first.
    later = ordered[ordered > train]
    if val <= train and len(later):
        val = later[0]
    return train.astype(date), val.astype(date)


FEWEST_TO_CALIBRATE: Final = 100
"""People that the calibration window holds at least: fewer would make the calibration a guess."""


def calibration_window(
    dates: NDArray[np.datetime64], train_cutoff: date, val_cutoff: date, share: float
) -> date:
    """The first day of the calibration window: the newest part of val.

    Args:
        dates: ``datetime64[D]`` ``[N]``, from `split_dates`.
        train_cutoff, val_cutoff: Of the split.
        share: Share of val's people in the window; at least `FEWEST_TO_CALIBRATE`, or all of val.
    """
    val = np.sort(dates[(dates >= np.datetime64(train_cutoff)) & (dates < np.datetime64(val_cutoff))])
    wanted = max(FEWEST_TO_CALIBRATE, round(share * len(val)))
    return train_cutoff if wanted >= len(val) else val[-wanted].astype(date)


def temporal_split(careers: pa.Table, train_cutoff: date, val_cutoff: date, by: SplitBy = "career") -> Splits:
    """Split careers by the last date on which anything in them is known to have happened.

    Whole careers are split before any example is made, so no example in train depends on
    anything at or after ``train_cutoff``.

    Args:
        careers: One row per career, ``[N]``; see `careers.schema.CAREERS`.
        train_cutoff: First day that is not train (exclusive end).
        val_cutoff: First day that is not val; after ``train_cutoff``.
        by: Which date decides; see `split_dates`.

    Returns:
        The careers of train, val and test, each with all its columns.

    Raises:
        SplitError: If the cutoffs are not in order, or a split would be empty; names the split and
            the dates that the data covers.
    """
    if not train_cutoff < val_cutoff:
        raise SplitError(
            f"`train_cutoff < val_cutoff` must hold, but got train_cutoff={train_cutoff}, "
            f"val_cutoff={val_cutoff}. Swap them, or leave both auto."
        )
    dates = split_dates(careers, by)
    boundaries = np.array([train_cutoff, val_cutoff], dtype="datetime64[D]")
    split_of = np.searchsorted(boundaries, dates, side="right")
    train, val, test = (careers.filter(pc.equal(pa.array(split_of), index)) for index in range(3))
    for name, part in (("train", train), ("val", val), ("test", test)):
        if not len(part):
            covered = f"{dates.min()} to {dates.max()}" if len(dates) else "nothing"
            raise SplitError(
                f"Each split needs careers, but {name} has none: the data's split dates cover {covered} and "
                f"the cutoffs are {train_cutoff} and {val_cutoff}. Choose cutoffs inside that range, or auto."
            )
    return Splits(train, val, test, train_cutoff, val_cutoff)


def _days(dates: pa.Array) -> NDArray[np.datetime64]:
    """date32 to ``datetime64[D]``; null to NaT."""
    return np.asarray(dates.to_numpy(zero_copy_only=False)).astype("datetime64[D]")

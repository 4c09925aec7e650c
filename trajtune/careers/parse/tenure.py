"""The tenure of a role in complete months, by the precision of its dates."""

# R roles

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trajtune.careers.schema import Precision

MAX_TENURE_YEARS: Final = 70
"""A longer tenure counts as an error in the source."""


def tenure_months(starts: pa.Array, ends: pa.Array, precisions: pa.Array) -> NDArray[np.float32]:
    """Return the whole months from start to end.

    Day precision counts complete months: one is complete on the same day of the next month, so
    2020-01-31 to 2020-02-28 is 0 and 2020-01-15 to 2020-03-14 is 1. Month precision is the
    difference of the months (2020-01 to 2020-03 is 2). Year precision is twelve times the
    difference of the years, with an error of at most twelve months.

    Args:
        starts: date32 ``[R]``.
        ends: date32 ``[R]``, null while the role is held or if no end was recorded.
        precisions: int8 ``[R]``, the coarser precision of start and end; see `Precision`.

    Returns:
        float32 ``[R]``; NaN if start or end is null, negative if the end is earlier.
    """
    has_dates = pc.and_(starts.is_valid(), ends.is_valid()).to_numpy(zero_copy_only=False)
    start_month, start_day = _months_and_days(starts)
    end_month, end_day = _months_and_days(ends)
    precision = np.asarray(precisions.to_numpy(zero_copy_only=False))
    months = end_month - start_month
    months -= (precision == Precision.DAY) & (end_day < start_day)  # the last month is not complete
    years = end_month // 12 - start_month // 12
    months = np.where(precision == Precision.YEAR, 12 * years, months)
    return np.where(has_dates, months, np.nan).astype(np.float32)


def _months_and_days(dates: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return int32 ``[R]`` each: months since 1970, and the day of the month from 0. Null is 1970-01-01."""
    days = dates.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
    if not len(days):
        return days, days
    # Careers have many roles but few distinct days, so compute the calendar once per day.
    first = int(days.min())
    calendar = np.arange(first, int(days.max()) + 1).astype("datetime64[D]")
    month = calendar.astype("datetime64[M]")
    day_of_month = (calendar - month).astype(np.int32)
    at = days - first
    return month.astype(np.int32)[at], day_of_month[at]

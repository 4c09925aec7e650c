"""The last possible day of a date with day, month or year precision."""

import numpy as np
from numpy.typing import NDArray

from trajtune.careers.schema import Precision


def last_days(days: NDArray[np.datetime64], precisions: NDArray[np.int8]) -> NDArray[np.datetime64]:
    """Return the last possible day of each date; NaT stays NaT.

    Args:
        days: ``datetime64[D]`` ``[R]``.
        precisions: int8 ``[R]``; see `Precision`. Any other number counts as `Precision.DAY`.
    """
    last = days.copy()
    for precision, unit in ((Precision.MONTH, "datetime64[M]"), (Precision.YEAR, "datetime64[Y]")):
        at = np.flatnonzero(precisions == precision)
        last[at] = (days[at].astype(unit) + 1).astype("datetime64[D]") - 1
    return last

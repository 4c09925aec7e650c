"""Correction of the tenure interval by conformalised quantile regression on val (Romano et al. 2019).

Only ended roles can calibrate, because the tenure of a role that is still held is unknown. Ended roles are
shorter than the rest, so the coverage holds for roles that end within the period of the data. See
`dataset.arrays.outcome_examples` for the ended roles that count.
"""

# E examples

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

TOO_FEW: Final = 30
"""Below so many ended roles in val the interval is not corrected, and the report says so."""


def conformal_margin(
    interval: NDArray[np.floating], tenure_months: NDArray[np.floating], coverage: float
) -> float | None:
    """The distance in months to move both ends outwards so that ``coverage`` of new ended roles fall inside.

    Args:
        interval: ``[E, 2]`` lower and upper months as the model gives them on val.
        tenure_months: ``[E]``; NaN where the role has not ended.
        coverage: Nominal coverage, in 0..1 exclusive.

    Returns:
        The margin; negative where the model's interval is too wide; None with fewer than `TOO_FEW`
        ended roles.

    Examples:
        Roles of 1 to 99 months, and an interval that always says 10 to 60:

        >>> months = np.arange(1.0, 100.0)
        >>> conformal_margin(np.tile([10.0, 60.0], (99, 1)), months, 0.8)
        20.0
    """
    ended = ~np.isnan(tenure_months)
    months, lower, upper = tenure_months[ended], interval[ended, 0], interval[ended, 1]
    if len(months) < TOO_FEW:
        return None
    outside = np.maximum(lower - months, months - upper)
    # Of n + 1 ranks, because the new role is one of the exchangeable ones; 1e-9 absorbs rounding errors.
    rank = min(len(months), math.ceil((len(months) + 1) * coverage - 1e-9))
    return float(np.sort(outside)[rank - 1])

"""Corrects the tenure interval by conformal prediction, with a factor for each side.

The method is conformalised quantile regression (Romano et al. 2019) in log months. Tenures are skewed, so one
margin for both sides makes intervals too wide. Misses are divided between the two sides so that intervals are
shortest. No side gets nearly all misses, because these would lie far outside. See
`dataset.arrays.outcome_examples` for the roles that are used.
"""

# E examples

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOO_FEW: Final = 30
"""With fewer ended roles in val the interval is not corrected, and the report says so."""

OFFSET_MONTHS: Final = 6.0
"""Months added before the logarithm, so that a month makes little difference in a short tenure."""

_SHARES_BELOW: Final = (0.25, 0.5, 0.75)
"""Candidate shares of the misses that lie below the interval."""


@dataclass(frozen=True)
class TenureCorrection:
    """Logarithms of the factors for the ends of the interval.

    A negative value moves an end inwards, but never past the middle.

    Attributes:
        lower: The lower end in months, plus `OFFSET_MONTHS`, is divided by exp(lower).
        upper: The upper end in months, plus `OFFSET_MONTHS`, is multiplied by exp(upper).
    """

    lower: float = 0.0
    upper: float = 0.0

    def __call__(self, interval: NDArray[np.floating]) -> Array:
        """Return the corrected intervals ``[E, 2]`` in months, 0 ≤ lower ≤ upper."""
        ends = np.log(np.maximum(interval, 0).astype(np.float64) + OFFSET_MONTHS)
        low, high = ends[:, 0] - self.lower, ends[:, 1] + self.upper
        middle = (low + high) / 2
        both = np.stack([np.minimum(low, middle), np.maximum(high, middle)], 1)
        return np.asarray(np.maximum(np.exp(both) - OFFSET_MONTHS, 0))


def conformal_correction(
    interval: NDArray[np.floating],
    tenure_months: NDArray[np.floating],
    coverage: float,
    weight: NDArray[np.floating] | None = None,
) -> TenureCorrection | None:
    """Return the correction whose intervals cover a share ``coverage`` of new roles and are shortest.

    Args:
        interval: The model's lower and upper months on val, ``[E, 2]``.
        tenure_months: Tenure in months, ``[E]``; NaN if the role has not ended.
        coverage: Nominal coverage, in 0..1 exclusive.
        weight: Weights of the ended roles, ``[E]``, from `model.censoring`; None: all are 1.

    Returns:
        The correction; None with fewer than `TOO_FEW` ended roles.
    """
    ended = ~np.isnan(tenure_months)
    if ended.sum() < TOO_FEW:
        return None
    months, given = tenure_months[ended].astype(np.float64), interval[ended]
    weights = np.ones(len(months)) if weight is None else weight[ended].astype(np.float64)
    ends = np.log(np.maximum(given, 0).astype(np.float64) + OFFSET_MONTHS)
    outcome = np.log(months + OFFSET_MONTHS)
    below, above = ends[:, 0] - outcome, outcome - ends[:, 1]
    corrections = [
        TenureCorrection(
            conformal_quantile(below, 1 - share * (1 - coverage), weights),
            conformal_quantile(above, 1 - (1 - share) * (1 - coverage), weights),
        )
        for share in _SHARES_BELOW
    ]
    widths = [float(weights @ np.diff(correction(given), axis=1)[:, 0]) for correction in corrections]
    return corrections[int(np.argmin(widths))]


def conformal_quantile(scores: NDArray[np.floating], level: float, weight: Array | None = None) -> float:
    """Return the score that a share ``level`` of new examples does not exceed.

    Args:
        scores: Scores of exchangeable examples, ``[E]``; at least one.
        level: Share of new examples, in 0..1 inclusive.
        weight: Weights of the examples; None: all are 1. A new example has their mean weight.

    Examples:
        With four scores and one new example there are five exchangeable examples, and 80 % of five is four:

        >>> conformal_quantile(np.array([4.0, 1.0, 3.0, 2.0]), 0.8)
        4.0
    """
    order = np.argsort(scores, kind="stable")
    weights = np.ones(len(scores)) if weight is None else weight[order]
    reached = np.cumsum(weights)
    wanted = level * (reached[-1] + weights.mean()) - 1e-9 * reached[-1]  # absorbs rounding errors
    return float(scores[order[min(int(np.searchsorted(reached, wanted)), len(scores) - 1)]])

"""Tenure and hireability predictions of the baselines, which depend only on the last title."""

# V titles, E transitions

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.fast.losses import QUANTILES

MIN_TENURES = 20
"""Known tenures after a title below which the overall interval is used for it."""

PRIOR_OUTCOMES = 10
"""Pseudo-count of the overall hireability rate in the rate of each title."""


@dataclass(frozen=True)
class Outcomes:
    """Tenure interval and hireability of the next role, by the last title.

    Attributes:
        tenure: float32 ``[V, 2]``: lower and upper quantile in months; NaN if train has no known tenure.
        hireability: float32 ``[V]``: probability; NaN if train has no known label.
    """

    tenure: NDArray[np.float32]
    hireability: NDArray[np.float32]


def overall_outcomes(train: CareerArrays, vocab_size: int) -> Outcomes:
    """Return the outcomes of all transitions, repeated for every last title."""
    target = examples_of(train, "every_transition").target
    tenure, hireable = train.tenure_months[target], train.hireable[target]
    tenure, hireable = tenure[~np.isnan(tenure)], hireable[~np.isnan(hireable)]
    interval = np.quantile(tenure, QUANTILES) if len(tenure) else np.full(2, np.nan)
    rate = hireable.mean(dtype=np.float64) if len(hireable) else np.nan
    return Outcomes(
        np.tile(interval.astype(np.float32), (vocab_size, 1)), np.full(vocab_size, rate, np.float32)
    )


def outcomes_by_last_title(train: CareerArrays, vocab_size: int) -> Outcomes:
    """Return the quantiles and rate of the transitions from each title.

    Titles with few transitions fall back on the overall values.
    """
    overall = overall_outcomes(train, vocab_size)
    target = examples_of(train, "every_transition").target
    last = train.title_ids[target - 1]
    return Outcomes(
        _intervals(last, train.tenure_months[target], overall.tenure),
        _rates(last, train.hireable[target], overall.hireability),
    )


def _intervals(
    last: NDArray[np.int32], tenure: NDArray[np.float32], overall: NDArray[np.float32]
) -> NDArray[np.float32]:
    known = ~np.isnan(tenure)
    last, tenure = last[known], tenure[known]
    ordered = tenure[np.lexsort((tenure, last))].astype(np.float64)
    number = np.bincount(last, minlength=len(overall))
    begin = np.cumsum(number) - number
    enough = np.flatnonzero(number >= MIN_TENURES)
    result = overall.copy()
    for column, quantile in enumerate(QUANTILES):  # linear interpolation, as in np.quantile
        place = quantile * (number[enough] - 1)
        low = begin[enough] + np.floor(place).astype(np.int64)
        high = begin[enough] + np.ceil(place).astype(np.int64)
        result[enough, column] = ordered[low] + (place - np.floor(place)) * (ordered[high] - ordered[low])
    return result


def _rates(
    last: NDArray[np.int32], hireable: NDArray[np.float32], overall: NDArray[np.float32]
) -> NDArray[np.float32]:
    known = ~np.isnan(hireable)
    number = np.bincount(last[known], minlength=len(overall))
    positive = np.bincount(last[known], hireable[known], minlength=len(overall))
    rates = (positive + PRIOR_OUTCOMES * overall) / (number + PRIOR_OUTCOMES)
    return np.asarray(rates, np.float32)

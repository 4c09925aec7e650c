"""What a split selects: how likely a career with a given last role is in it, and with what labels.

A split holds the careers whose last known date lies in a window, and that date depends on how long
the last role lasts, hence on persona and level. Conditioning on the window makes the limit exact for
the examples that are evaluated. Sums run over every day, so nothing is approximated.
"""

# Y cohorts, Z personas, L levels of the last role, T days of tenure, M months of tenure, A days of age

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajtune.simulation.generator import DAYS_PER_MONTH, Process, num_cohorts
from trajtune.simulation.simulate import SHORTEST_TENURE_DAYS

_DAYS_AT_ONCE = 64


@dataclass(frozen=True)
class Window:
    """The careers of a split and what is known of them.

    Attributes:
        first: First split date.
        end: First day after the last split date; None: everything later belongs to it.
        observed: The last day of which anything is known; see `dataset.encode`.
        by: What the split date is; see `experiment.SplitSettings`. ``career``: the end of the last role,
            or its start if it is still held on the as-of date. ``transition``: its start.
    """

    first: date
    end: date | None
    observed: date
    by: Literal["career", "transition"] = "career"


@dataclass(frozen=True)
class Selection:
    """Joint probabilities given persona and level of the last role, each ``[Y, Z, L]``.

    Attributes:
        chosen: The last move is of that cohort and the split date lies in the window.
        ended_months: ``[Y, Z, L, M]``: so chosen, and the last role ended after that many complete months.
        stayed: So chosen, and known to have been held for the months that make somebody hireable.
        left: So chosen, and known not to.
    """

    chosen: NDArray[np.float64]
    ended_months: NDArray[np.float64]
    stayed: NDArray[np.float64]
    left: NDArray[np.float64]


def selection(process: Process, window: Window, hireable_months: int) -> Selection:
    """Sum the process over every start and tenure of the last role, by day."""
    settings = process.settings
    ages = len(process.last_start_age)
    cohorts = num_cohorts(settings)
    in_cohort = np.eye(cohorts)[process.cohort_of_age(np.arange(ages))]
    of_age = in_cohort * process.last_start_age[:, None]  # [A, Y]
    tenure, longer = _tenure_days(process, ages)

    oldest = (settings.as_of - window.first).days
    youngest = 0 if window.end is None else (settings.as_of - window.end).days + 1
    in_window = (np.arange(ages) >= youngest) & (np.arange(ages) <= oldest)
    # Days between the looking and the as-of date, after which an end was not yet known.
    unseen = 0 if window.by == "career" else max(0, (settings.as_of - window.observed).days)
    still_held = np.ones_like(longer)
    still_held[..., unseen:] = longer[..., : ages - unseen]
    held = np.einsum("ay,zla->yzl", of_age * in_window[:, None], still_held)
    long_held = in_window & (_months(settings.as_of, ages, window.observed) >= hireable_months)
    stayed = np.einsum("ay,zla->yzl", of_age * long_held[:, None], still_held)

    ended = _ended_months(process, of_age, in_window, window.by, unseen, tenure)
    return Selection(
        chosen=held + ended.sum(-1),
        ended_months=ended,
        stayed=stayed + ended[..., hireable_months:].sum(-1),
        left=ended[..., :hireable_months].sum(-1),
    )


def _tenure_days(process: Process, days: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability of a tenure of exactly, and of more than, 0 to ``days - 1`` days; both ``[Z, L, T]``."""
    edges = np.arange(days) + 0.5  # tenures are rounded to whole days
    edges[:SHORTEST_TENURE_DAYS] = 0.0  # and shorter ones made the shortest
    with np.errstate(divide="ignore"):
        log_months = np.log(edges / DAYS_PER_MONTH)
    z = (log_months - process.log_tenure_mean[..., None]) / process.log_tenure_sigma[:, None, None]
    below = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)), otypes=[np.float64])(z)
    return np.diff(below, axis=-1, prepend=0.0), 1.0 - below


def _ended_months(
    process: Process,
    of_age: NDArray[np.float64],
    in_window: NDArray[np.bool_],
    by: Literal["career", "transition"],
    unseen: int,
    tenure: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probability of being chosen and known to have ended, by complete months ``[Y, Z, L, M]``."""
    ages, cohorts = of_age.shape
    number, day = _calendar(process.settings.as_of, ages)
    months = int(number[0] - number[-1]) + 1
    joint = np.zeros((*tenure.shape[:2], cohorts * months))
    which = process.cohort_of_age(np.arange(ages)) * months
    weight = of_age.sum(1)
    for first in range(SHORTEST_TENURE_DAYS, ages, _DAYS_AT_ONCE):
        days = range(first, min(first + _DAYS_AT_ONCE, ages))
        share = np.empty((len(days), cohorts * months))
        for row, length in zip(share, days, strict=True):
            # Began `length + e` days before the as-of date and ended `e` days before it.
            complete = number[: ages - length] - number[length:] - (day[: ages - length] < day[length:])
            chosen = in_window[: ages - length] if by == "career" else in_window[length:]
            known = np.arange(ages - length) >= unseen
            row[:] = np.bincount(
                which[length:] + complete, weight[length:] * chosen * known, cohorts * months
            )
        joint += tenure[..., days.start : days.stop] @ share
    return np.moveaxis(joint.reshape(*joint.shape[:2], cohorts, months), 2, 0)


def _months(as_of: date, ages: int, observed: date) -> NDArray[np.int64]:
    """Complete months from each start to ``observed``, 0 if that is earlier, ``[A]``."""
    number, day = _calendar(as_of, ages)
    complete = observed.year * 12 + observed.month - number - (observed.day < day)
    return np.maximum(complete, 0)


def _calendar(as_of: date, ages: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Month number (twelve times the year and the month) and day of the month, by age in days ``[A]``."""
    days = np.datetime64(as_of) - np.arange(ages)
    month = days.astype("datetime64[M]")
    return month.astype(np.int64) + 1970 * 12 + 1, (days - month).astype(np.int64) + 1

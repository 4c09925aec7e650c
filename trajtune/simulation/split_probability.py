"""Probabilities that a career is in a split and has certain labels, given its last role.

A split contains the careers whose last known date is in a window. That date depends on the tenure of the last
role, and therefore on persona and level. Conditioning on the window makes the Bayes optimum exact for the
evaluated examples. The sums run over every day, without approximations.
"""

# Y cohorts, Z personas, L levels of the last role, T days of tenure, M months of tenure, A days of age

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trajtune.simulation.generator import DAYS_PER_MONTH, CareerGenerator, num_cohorts
from trajtune.simulation.simulate import MAX_TENURE_DAYS, MIN_TENURE_DAYS

_DAYS_AT_ONCE = 64


@dataclass(frozen=True)
class Window:
    """Which careers are in a split, and when they were observed.

    Attributes:
        first: First split date.
        end: First day after the last split date; None: the window has no end.
        observed: Last day about which anything is known; see `dataset.encode`.
        by: Definition of the split date; see `experiment.SplitSettings`. ``career``: the end of the last
            role, or its start if it is still held on the as-of date. ``transition``: the start of the last
            role. ``move``: the start of the last role that began before the end of the window; further roles
            are not known.
    """

    first: date
    end: date | None
    observed: date
    by: Literal["career", "transition", "move"] = "career"


@dataclass(frozen=True)
class SplitProbability:
    """Joint probabilities given persona and level of the last role, ``[Y, Z, L]`` each.

    Attributes:
        in_split: The last move belongs to the cohort, and the split date is in the window.
        ended_months: ``in_split``, and the last role ended after this many complete months,
            ``[Y, Z, L, M]``.
        stayed: ``in_split``, and the role is known to have been held for the months of the proxy label.
        left: ``in_split``, and the role is known not to have been held for that long.
        complete: ``in_split``, and the career has no further role, so its label is known.
    """

    in_split: NDArray[np.float64]
    ended_months: NDArray[np.float64]
    stayed: NDArray[np.float64]
    left: NDArray[np.float64]
    complete: NDArray[np.float64]


def split_probability(generator: CareerGenerator, window: Window, hireable_months: int) -> SplitProbability:
    """Return the sums of the generator's probabilities over every start day and tenure of the last role.

    A window by ``move`` must have no end. It has the same careers as a window by ``transition``, because no
    role began after the target. For windows with an end see `move_probability`.
    """
    assert window.by != "move" or window.end is None
    settings = generator.settings
    ages = len(generator.last_start_age)
    cohorts = num_cohorts(settings)
    in_cohort = np.eye(cohorts)[generator.cohort_of_age(np.arange(ages))]
    of_age = in_cohort * generator.last_start_age[:, None]  # [A, Y]
    tenure, longer = tenure_days(generator, ages)

    oldest = (settings.as_of - window.first).days
    youngest = 0 if window.end is None else (settings.as_of - window.end).days + 1
    in_window = (np.arange(ages) >= youngest) & (np.arange(ages) <= oldest)
    # Days from the last observed day to the as-of date; ends on these days were not yet known.
    unseen = 0 if window.by == "career" else max(0, (settings.as_of - window.observed).days)
    still_held = np.ones_like(longer)
    still_held[..., unseen:] = longer[..., : ages - unseen]
    held = np.einsum("ay,zla->yzl", of_age * in_window[:, None], still_held)
    oldest_start = settings.as_of - timedelta(days=ages - 1)
    long_held = in_window & (complete_months(oldest_start, ages, window.observed)[::-1] >= hireable_months)
    stayed = np.einsum("ay,zla->yzl", of_age * long_held[:, None], still_held)

    ended = _ended_months(generator, of_age, in_window, window.by, unseen, tenure)
    in_split = held + ended.sum(-1)
    return SplitProbability(
        in_split=in_split,
        ended_months=ended,
        stayed=stayed + ended[..., hireable_months:].sum(-1),
        left=ended[..., :hireable_months].sum(-1),
        complete=in_split,
    )


def tenure_days(generator: CareerGenerator, days: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities of tenures of exactly, and of more than, 0 to ``days - 1`` days.

    Both are ``[Z, L, T]``.
    """
    edges = np.arange(days) + 0.5  # tenures are rounded to whole days
    edges[:MIN_TENURE_DAYS] = 0.0  # shorter ones become the shortest tenure
    edges[MAX_TENURE_DAYS:] = np.inf  # longer ones become the longest tenure
    with np.errstate(divide="ignore"):
        log_months = np.log(edges / DAYS_PER_MONTH)
    z = (log_months - generator.log_tenure_mean[..., None]) / generator.log_tenure_sigma[:, None, None]
    below = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)), otypes=[np.float64])(z)
    return np.diff(below, axis=-1, prepend=0.0), 1.0 - below


def _ended_months(
    generator: CareerGenerator,
    of_age: NDArray[np.float64],
    in_window: NDArray[np.bool_],
    by: Literal["career", "transition", "move"],
    unseen: int,
    tenure: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the probability of being in the split with a known end, by complete months ``[Y, Z, L, M]``."""
    ages, cohorts = of_age.shape
    oldest_start = generator.settings.as_of - timedelta(days=ages - 1)
    number, day = (part[::-1] for part in month_and_day(oldest_start, ages))  # by age
    months = int(number[0] - number[-1]) + 1
    joint = np.zeros((*tenure.shape[:2], cohorts * months))
    which = generator.cohort_of_age(np.arange(ages)) * months
    weight = of_age.sum(1)
    for first in range(MIN_TENURE_DAYS, ages, _DAYS_AT_ONCE):
        days = range(first, min(first + _DAYS_AT_ONCE, ages))
        share = np.empty((len(days), cohorts * months))
        for row, length in zip(share, days, strict=True):
            # Roles that began `length + e` days before the as-of date and ended `e` days before it.
            complete = number[: ages - length] - number[length:] - (day[: ages - length] < day[length:])
            selected = in_window[: ages - length] if by == "career" else in_window[length:]
            end_is_known = np.arange(ages - length) >= unseen
            row[:] = np.bincount(
                which[length:] + complete, weight[length:] * selected * end_is_known, cohorts * months
            )
        joint += tenure[..., days.start : days.stop] @ share
    return np.moveaxis(joint.reshape(*joint.shape[:2], cohorts, months), 2, 0)


def complete_months(first: date, days: int, observed: date) -> NDArray[np.int64]:
    """Return the complete months from each of ``days`` days since ``first`` to ``observed``; at least 0."""
    number, day = month_and_day(first, days)
    complete = observed.year * 12 + observed.month - number - (observed.day < day)
    return np.maximum(complete, 0)


def month_and_day(first: date, days: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return month number (12 × year + month) and day of the month for ``days`` days from ``first`` on."""
    each = np.datetime64(first) + np.arange(days)
    month = each.astype("datetime64[M]")
    return month.astype(np.int64) + 1970 * 12 + 1, (each - month).astype(np.int64) + 1

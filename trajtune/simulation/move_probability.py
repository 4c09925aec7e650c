"""Probabilities that a move is in a split by move and has certain labels, given the role that it led to.

Such a split observes all people on the last day before its end. A career is known up to the last role that
began before the end, and that role is the target if it began in the window. Further roles may have begun
later. Dates are counted backwards from the last role of a career, so the sums run over every further role and
every day.
"""

# Y cohorts, Z personas, L levels of the target role, N days from the window's first day to the as-of date,
# W days of the window, K numbers of roles, M months of tenure

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.simulation.generator import (
    GAP_SHARE,
    LEVEL_CHANGE,
    LOG_PAUSE_MEAN,
    LOG_PAUSE_SIGMA,
    NUM_LEVELS,
    CareerGenerator,
    num_cohorts,
)
from trajtune.simulation.simulate import MIN_TENURE_DAYS
from trajtune.simulation.split_probability import (
    SplitProbability,
    Window,
    complete_months,
    month_and_day,
    tenure_days,
)

MIN_ROLES: Final = 2


def move_probabilities(
    generator: CareerGenerator, window: Window, hireable_months: int
) -> dict[int, SplitProbability]:
    """Return the joint probabilities by number of known roles including the target, from two to the maximum.

    Args:
        generator: Tables of the population.
        window: Window by ``move`` with an end; it is observed on the day before its end.
        hireable_months: Months of the proxy label.
    """
    assert window.by == "move"
    assert window.end is not None
    assert generator.settings.returns == 0  # levels after the target would depend on the titles before it
    cohorts = [_Cohort(generator, window, number) for number in range(num_cohorts(generator.settings))]
    parts = [cohort.probabilities(hireable_months) for cohort in cohorts]
    found = {}
    for index, roles in enumerate(range(MIN_ROLES, generator.settings.max_roles + 1)):
        held, stayed, ended = (np.stack([part[name][index] for part in parts]) for name in range(3))
        complete = np.stack([np.full(held.shape[1:], cohort.complete()[index]) for cohort in cohorts])
        found[roles] = SplitProbability(
            in_split=held + ended.sum(-1),
            ended_months=ended,
            stayed=stayed + ended[..., hireable_months:].sum(-1),
            left=ended[..., :hireable_months].sum(-1),
            complete=complete,
        )
    return found


class _Cohort:
    """The sums over careers whose last role began in one cohort."""

    def __init__(self, generator: CareerGenerator, window: Window, number: int) -> None:
        assert window.end is not None
        settings = generator.settings
        self._generator, self._window = generator, window
        self._days = (settings.as_of - window.first).days + 1
        self._width = min((window.end - window.first).days, self._days)
        ages = np.arange(len(generator.last_start_age))
        of_age = np.where(generator.cohort_of_age(ages) == number, generator.last_start_age, 0.0)
        last_start = np.zeros(max(self._days, len(ages)))
        last_start[-len(ages) :] = of_age[::-1]
        self._last_start = last_start[-self._days :]  # [N]
        self._tenure, self._longer = tenure_days(generator, self._days)  # [Z, L, N]
        roles = np.arange(MIN_ROLES, settings.max_roles + 1)
        self._is_last = generator.num_roles[roles]  # [K]

    def probabilities(
        self, hireable_months: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return three probabilities of the target role.

        They are that it is held and that it was held for long enough, ``[K, Z, L]`` each, and that it ended
        after a number of complete months, ``[K, Z, L, M]``.
        """
        follows = self._follows()
        return (
            self._held(follows, self._width),
            self._held(follows, self._long_held(hireable_months)),
            self._ended(follows),
        )

    def complete(self) -> NDArray[np.float64]:
        """Return the probability that the target began in the window and is the last role ``[K]``."""
        return np.asarray(self._is_last * self._last_start[: self._width].sum())

    def _follows(self) -> NDArray[np.float64]:
        """Return the weight of all careers after a target role that ended on each day ``[K, Z, L, N]``.

        The next role begins after the window.
        """
        generator, width = self._generator, self._width
        level = np.clip(np.arange(NUM_LEVELS)[:, None] + LEVEL_CHANGE, 0, NUM_LEVELS - 1)
        level_move = np.einsum("zlk,lkj->zlj", generator.move, np.eye(NUM_LEVELS)[level])
        gap = gap_days(self._days)
        begins = np.broadcast_to(self._last_start, self._tenure.shape)
        follows = np.zeros((len(self._is_last), *self._tenure.shape))
        for further in range(1, len(self._is_last)):
            next_begins = np.einsum("zlj,zjn->zln", level_move, begins)
            later = next_begins.copy()
            later[..., :width] = 0.0
            # A career of `roles + further` roles has the target as its role number `roles`.
            share = self._is_last[further:, None, None, None]
            follows[:-further] += share * _correlate(gap, later)
            begins = _correlate(self._tenure, _correlate(gap, next_begins))
        return follows

    def _held(self, follows: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """Return the probability of a start on the first ``number`` days and no end until the last day."""
        to_eve = self._width - 1 - np.arange(number)  # days from each start to the last observed day
        last = self._longer[..., to_eve] @ self._last_start[:number]
        below = np.cumsum(self._tenure, axis=-1)
        after = below[..., self._width :]  # tenures of a role that ended on each day after the window
        after = after - below[..., self._width - number : self._days - number]
        further = np.einsum("kzln,zln->kzl", follows[..., self._width :], after)
        return np.asarray(self._is_last[:, None, None] * last + further)

    def _ended(self, follows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of a start and an end in the window, by complete months."""
        number, day = month_and_day(self._window.first, self._width)
        months = int(number[-1] - number[0]) + 1
        ended = np.zeros((*follows.shape[:-1], months))
        is_last = self._is_last[:, None, None, None]
        for length in range(MIN_TENURE_DAYS, self._width):
            starts, ends = slice(0, self._width - length), slice(length, self._width)
            complete = number[ends] - number[starts] - (day[ends] < day[starts])
            weight = is_last * self._last_start[starts] + follows[..., ends]
            for month in range(complete.min(), complete.max() + 1):
                total = weight @ (complete == month).astype(np.float64)
                ended[..., month] += self._tenure[..., length] * total
        return ended

    def _long_held(self, hireable_months: int) -> int:
        """Return how many days of the window are early enough for a role to be held this many months."""
        months = complete_months(self._window.first, self._width, self._window.observed)
        return int(np.count_nonzero(months >= hireable_months))


def gap_days(days: int) -> NDArray[np.float64]:
    """Return the probabilities of 0 to ``days - 1`` days between two roles; see `simulate`."""
    edges = np.log(np.arange(days) + 0.5)
    below = [0.5 * math.erfc(-(edge - LOG_PAUSE_MEAN) / LOG_PAUSE_SIGMA / math.sqrt(2.0)) for edge in edges]
    gap = np.zeros(days)
    gap[1:] = GAP_SHARE * np.diff(below, prepend=0.0)[:-1]  # one day plus a pause of a whole number of days
    gap[1:2] += 1 - GAP_SHARE
    return gap


def _correlate(steps: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of ``steps[t] * after[day + t]`` over all ``t``, for each day ``[..., N]``."""
    days = after.shape[-1]
    size = 2 ** math.ceil(math.log2(2 * days))
    product = np.fft.rfft(steps, size) * np.fft.rfft(after[..., ::-1], size)
    return np.maximum(np.fft.irfft(product, size)[..., :days][..., ::-1], 0.0)

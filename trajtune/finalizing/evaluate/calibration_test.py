"""Tests whether a calibration error is more than chance, by comparing it with perfect calibration.

The expected calibration error is never 0 on a sample. A perfectly calibrated model has an error of about
0.06 on 200 people. So outcomes are simulated with the confidences as true probabilities.
"""

# E examples, G groups of about equal confidence, D draws

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.evaluate.significance import POWER
from trajtune.model.metrics import equal_width_bins, expected_calibration_error

DRAWS: Final = 2000
_BINS: Final = 10
_POWER_DRAWS: Final = 500
_STEPS: Final = 20
"""Number of steps to which confidences are rounded for grouping; draws for a group use its exact mean."""
_LEVEL: Final = 0.05
_MOST_PEOPLE: Final = 10_000_000


@dataclass(frozen=True)
class _Groups:
    """Groups of people with about equal confidence in one bin, so that draws are made per group.

    Attributes:
        bin: Bin of each group, int64 ``[G]``.
        share: Share of the people in each group, ``[G]``.
        confidence: Mean confidence of each group, ``[G]``.
    """

    bin: NDArray[np.int64]
    share: NDArray[np.float64]
    confidence: NDArray[np.float64]


def calibration_test(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], limit: float, *, seed: int = 0
) -> dict[str, Any]:
    """Test the calibration of confidences against chance.

    Args:
        confidence: Confidence of the top title, 0..1, ``[E]``.
        correct: Whether the top title was right, bool ``[E]``.
        limit: Calibration error that should be detected.
        seed: Seed of the simulated outcomes.

    Returns:
        ``ece_chance``, the mean error of perfect calibration; ``ece_p_value``, its probability of an error as
        large as the measured one; ``ece_debiased``, the square root of the squared error minus the mean
        square of chance; ``ece_power``, the probability of detecting confidences that are too extreme by
        ``limit``; ``ece_people_needed``, the number of people for which that is 80 %. None without examples.
    """
    error = expected_calibration_error(confidence, correct, _BINS)
    if error is None:
        names = ("ece_chance", "ece_p_value", "ece_debiased", "ece_power", "ece_people_needed")
        return dict.fromkeys(names)
    people, groups = len(confidence), _groups_of(confidence)
    chance = _errors(groups, people, groups.confidence, np.random.default_rng(seed))
    return {
        "ece_chance": float(chance.mean()),
        "ece_p_value": float((chance >= error).sum() + 1) / (DRAWS + 1),
        "ece_debiased": float(np.sqrt(max(0.0, error**2 - (chance**2).mean()))),
        "ece_power": _power(groups, people, limit, seed),
        "ece_people_needed": _people_needed(groups, people, limit, seed),
    }


def _groups_of(confidence: NDArray[np.floating]) -> _Groups:
    probability = confidence.astype(np.float64)
    bins = equal_width_bins(probability, _BINS)
    rounded = np.rint(probability * _STEPS)
    keys, group = np.unique(np.column_stack([bins, rounded]), axis=0, return_inverse=True)
    count = np.bincount(group)
    means = np.bincount(group, probability) / count
    return _Groups(keys[:, 0].astype(np.int64), count / len(probability), np.clip(means, 0, 1))


def _errors(
    groups: _Groups,
    people: int,
    truth: NDArray[np.float64],
    random: np.random.Generator,
    draws: int = DRAWS,
) -> NDArray[np.float64]:
    """Draw calibration errors ``[D]`` of people whose predictions are right with probability ``truth``."""
    count = np.rint(people * groups.share).astype(np.int64)
    gap = count * groups.confidence - random.binomial(count, truth, size=(draws, len(count)))
    in_bin = groups.bin[:, None] == np.arange(_BINS)
    return np.asarray(np.abs(gap @ in_bin).sum(1) / count.sum())


def _power(groups: _Groups, people: int, limit: float, seed: int) -> float:
    """Return the probability of detecting confidences that are too extreme by ``limit``."""
    random = np.random.default_rng([seed, people])
    chance = _errors(groups, people, groups.confidence, random, _POWER_DRAWS)
    critical = np.quantile(chance, 1 - _LEVEL)
    high = groups.confidence > 0.5
    truth = np.where(high, groups.confidence - limit, groups.confidence + limit)
    found = _errors(groups, people, np.clip(truth, 0, 1), random, _POWER_DRAWS)
    return float((found > critical).mean())


def _people_needed(groups: _Groups, people: int, limit: float, seed: int) -> int | None:
    """Return the smallest number of people with a power of 80 %, to two digits, or None above ten million."""
    if _power(groups, people, limit, seed) >= POWER:
        return people
    few, many = people, 2 * people
    while _power(groups, many, limit, seed) < POWER:
        few, many = many, 2 * many
        if many > _MOST_PEOPLE:
            return None
    while many > 1.02 * few + 1:
        middle = (few + many) // 2
        if _power(groups, middle, limit, seed) < POWER:
            few = middle
        else:
            many = middle
    return many

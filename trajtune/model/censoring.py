"""Weights for known outcomes by inverse probability of censoring (IPCW).

A role that is still held has no tenure yet, so long tenures are missing from the known ones. For a role
that began less than twelve months ago, only "left within twelve months" can be known. A known outcome
therefore also represents similar roles whose outcome is unknown: its weight is 1 / the probability that a
role is observed for as long as that outcome took (Robins and Rotnitzky 1992). The probability is the
Kaplan-Meier estimate over the times at which observation stopped. The method assumes that the time for which
a role is observed does not depend on how long the role lasts.

The tenure loss does not use these weights: calibration corrects the same bias with less noise. See
docs/explanation/calibration.md for a measurement.
"""

# E roles

from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_WEIGHT: Final = 20.0
"""Upper limit of a weight, so that a few roles do not dominate."""


def tenure_weights(
    tenure_months: NDArray[np.floating], at_least: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the weight of each known tenure, ``[E]``; 0 where it is unknown.

    All known tenures have the weight 1 if no role is still held.

    Args:
        tenure_months: Tenures in months, ``[E]``; NaN where unknown.
        at_least: Months for which the role is known to have been held, ``[E]``; NaN where unknown.
    """
    known = ~np.isnan(tenure_months)
    inverse = _inverse(np.where(known, tenure_months, 0), tenure_months, at_least)
    weights: NDArray[np.float64] = inverse * known
    return weights


def hireability_weights(
    label: NDArray[np.floating], tenure_months: NDArray[np.floating], at_least: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the weight of each known label, ``[E]``; 0 where unknown; 1 where the label is not the proxy.

    Args:
        label: Labels 1 or 0, ``[E]``; NaN where unknown.
        tenure_months: Tenures in months, ``[E]``; NaN where unknown.
        at_least: Months for which the role is known to have been held, ``[E]``; NaN where unknown.
    """
    known = ~np.isnan(label)
    months = proxy_months(label, tenure_months, at_least)
    if months is None:
        every: NDArray[np.float64] = known.astype(np.float64)
        return every
    decided = np.where(label == 1, months, tenure_months)
    inverse = _inverse(np.where(known, decided, 0), tenure_months, at_least)
    weights: NDArray[np.float64] = inverse * known
    return weights


def proxy_months(
    label: NDArray[np.floating], tenure_months: NDArray[np.floating], at_least: NDArray[np.floating]
) -> float | None:
    """Return the months that a role must last for the proxy label 1; None if the label comes from the data.

    The proxy is recognised by its definition: roles labelled 1 are known to have lasted at least that many
    months, and roles labelled 0 are known to have ended earlier.
    """
    positive, negative = label == 1, label == 0
    if not positive.any() or np.isnan(at_least[positive]).any():
        return None
    months = float(at_least[positive].min())
    if negative.any() and not (tenure_months[negative] < months).all():  # False for NaN
        return None
    return months


def _inverse(
    time: NDArray[np.floating], tenure_months: NDArray[np.floating], at_least: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return 1 / the probability that a role is observed for at least ``time`` months, ``[E]``."""
    ended = ~np.isnan(tenure_months)
    held = ~ended & ~np.isnan(at_least)
    if not held.any():
        return np.ones(len(time))
    stops, num_stops = np.unique(at_least[held], return_counts=True)
    # In a tie, the end of a role counts as earlier than the end of another role's observation.
    ends = np.sort(tenure_months[ended])
    all_held = np.sort(at_least[held])
    at_risk = (len(all_held) - np.searchsorted(all_held, stops)) + (
        len(ends) - np.searchsorted(ends, stops, side="right")
    )
    survival = np.concatenate([[1.0], np.cumprod(1 - num_stops / at_risk)])
    observed = survival[np.searchsorted(stops, time, side="left")]
    inverse: NDArray[np.float64] = 1 / np.maximum(observed, 1 / MAX_WEIGHT)
    return inverse

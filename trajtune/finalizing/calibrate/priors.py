"""Priors, which replace the output of a head without training labels; they are equal for every career.

A head without labels keeps its random initial weights, so its output is not a prediction.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.params import Params
from trajtune.model.censoring import hireability_weights, tenure_weights
from trajtune.model.fast.losses import QUANTILES

NO_RATE: Final = 0.5
"""Hireability if train has no known outcome."""

HeadSource = Literal["model", "prior"]


@dataclass(frozen=True)
class Priors:
    """Tenure and hireability of roles in general, independent of the career.

    Attributes:
        tenure_months: 10 % and 90 % quantiles of the tenures.
        hireability: Share of the outcomes that were positive, 0..1.
        num_tenures: Number of tenures that the tenure head was trained on; if 0, the prior replaces it.
        num_hireabilities: Number of outcomes that the hireability head was trained on; if 0, the prior
            replaces it.
    """

    tenure_months: tuple[float, float]
    hireability: float
    num_tenures: int
    num_hireabilities: int

    @property
    def tenure_from(self) -> HeadSource:
        """Source of the tenure."""
        return "model" if self.num_tenures else "prior"

    @property
    def hireability_from(self) -> HeadSource:
        """Source of the hireability."""
        return "model" if self.num_hireabilities else "prior"


def priors_of(train: CareerArrays, params: Params) -> Priors:
    """Return the priors of a training and the number of labels of its heads.

    The priors are computed from the tenures and outcomes of all roles after the first, even if
    ``examples: last`` trains only on last roles.

    Args:
        train: The careers of the training.
        params: The params of the training.
    """
    target = examples_of(train, params.examples).target
    num_tenures = int((~np.isnan(train.tenure_months[target])).sum()) if params.tenure_weight else 0
    num_outcomes = int((~np.isnan(train.hireable[target])).sum()) if params.hireability_weight else 0
    return Priors(_interval(train), _rate(train), num_tenures, num_outcomes)


def _interval(train: CareerArrays) -> tuple[float, float]:
    """Return quantiles of the known tenures; without any, 0 and the longest known lower bound."""
    target = examples_of(train, "every_transition").target
    months, at_least = train.tenure_months[target], train.tenure_at_least[target]
    known = ~np.isnan(months)
    if not known.any():
        longest = float(np.nanmax(at_least)) if not np.isnan(at_least).all() else 0.0
        return 0.0, longest
    weights = tenure_weights(months, at_least)[known]
    low, high = np.quantile(months[known], QUANTILES, weights=weights, method="inverted_cdf").tolist()
    return float(low), float(high)


def _rate(train: CareerArrays) -> float:
    target = examples_of(train, "every_transition").target
    label, months, at_least = (
        column[target] for column in (train.hireable, train.tenure_months, train.tenure_at_least)
    )
    known = ~np.isnan(label)
    if not known.any():
        return NO_RATE
    return float(np.average(label[known], weights=hireability_weights(label, months, at_least)[known]))

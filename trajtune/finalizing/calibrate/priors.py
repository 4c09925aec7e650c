"""What the graph gives instead of a head that saw no label in training: the same for every career.

A head without labels keeps its random weights. What it says looks like a prediction and is none.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.params import Params
from trajtune.model.censoring import hireability_weights, tenure_weights
from trajtune.model.fast.losses import QUANTILES

NO_RATE: Final = 0.5
"""Hireability where train knows no outcome at all."""

HeadSource = Literal["model", "prior"]


@dataclass(frozen=True)
class Priors:
    """What is known of roles without looking at a career.

    Attributes:
        tenure_months: 10 % and 90 % quantiles of the tenures.
        hireability: Share of the outcomes that were positive, 0..1.
        num_tenures: Tenures that the model's head was trained on; with 0 the prior replaces it.
        num_hireabilities: Outcomes that its other head was trained on; with 0 the prior replaces it.
    """

    tenure_months: tuple[float, float]
    hireability: float
    num_tenures: int
    num_hireabilities: int

    @property
    def tenure_from(self) -> HeadSource:
        """What the tenure comes from."""
        return "model" if self.num_tenures else "prior"

    @property
    def hireability_from(self) -> HeadSource:
        """What the hireability comes from."""
        return "model" if self.num_hireabilities else "prior"


def priors_of(train: CareerArrays, params: Params) -> Priors:
    """The priors of a training, and how many labels its heads get.

    The tenures and outcomes of all roles after the first are the sample, also where ``examples: last`` trains
    on last roles alone.

    Args:
        train: The careers of the training.
        params: Its params.
    """
    target = examples_of(train, params.examples).target
    num_tenures = int((~np.isnan(train.tenure_months[target])).sum()) if params.tenure_weight else 0
    num_outcomes = int((~np.isnan(train.hireable[target])).sum()) if params.hireability_weight else 0
    return Priors(_interval(train), _rate(train), num_tenures, num_outcomes)


def _interval(train: CareerArrays) -> tuple[float, float]:
    """Quantiles of the known tenures; without any, from 0 to the longest known lower bound."""
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

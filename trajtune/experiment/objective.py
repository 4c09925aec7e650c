"""Objectives of a search: the metrics that every epoch reports, and constraints on trials.

Knows nothing of Ray, Optuna and torch; the experiment file, the search and finalize all use it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Metric = Literal[
    "val_next_role_nll",
    "val_top1",
    "val_top5",
    "val_mrr",
    "val_tenure_mae_months",
    "val_hireability_auc",
]

DIRECTIONS: Final[Mapping[str, Literal["minimize", "maximize"]]] = {
    "val_next_role_nll": "minimize",
    "val_top1": "maximize",
    "val_top5": "maximize",
    "val_mrr": "maximize",
    "val_tenure_mae_months": "minimize",
    "val_hireability_auc": "maximize",
}

NUM_PARAMETERS: Final = "num_parameters"
LATENCY_MS: Final = "latency_ms"
CONSTRAINED: Final = (NUM_PARAMETERS, LATENCY_MS, *DIRECTIONS)
"""Quantities that a constraint may limit."""

_CONSTRAINT: Final = re.compile(r"\s*(\w+)\s*(<=|>=)\s*([-+]?[\d_]*\.?[\d_]+(?:[eE][-+]?\d+)?)\s*")
_UNDEFINED: Final = 1.0
"""Violation of a constraint on a quantity that a trial did not report."""


def cost(metric: str, value: float) -> float:
    """Return the value of a metric as a cost, which is to be minimised."""
    return -value if DIRECTIONS[metric] == "maximize" else value


def best_epoch(reports: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any] | None:
    """Return the report of the best epoch by ``metric``; None if no value is finite.

    Args:
        reports: Reports of the epochs, in order. The first of equal epochs is the best.
        metric: Key of `DIRECTIONS`; its value is None or NaN in epochs where it is undefined.
    """
    finite = [report for report in reports if report[metric] is not None and math.isfinite(report[metric])]
    return dict(min(finite, key=lambda report: cost(metric, report[metric]))) if finite else None


def label(metric: str) -> str:
    """Return the name of a metric in reports."""
    return "NLL" if metric == "val_next_role_nll" else metric


@dataclass(frozen=True)
class Constraint:
    """A constraint that a trial must satisfy to be the winner.

    Attributes:
        name: Quantity, one of `CONSTRAINED`.
        at_most: Whether the bound is an upper bound.
        bound: Bound, inclusive.
    """

    name: str
    at_most: bool
    bound: float

    def violation(self, report: Mapping[str, Any]) -> float:
        """Return how far a trial's report exceeds the bound; 0 or less if the constraint is satisfied."""
        value = report.get(self.name)
        if value is None:
            return _UNDEFINED
        return float(value - self.bound if self.at_most else self.bound - value)


def parse_constraint(text: str) -> Constraint:
    """Return the constraint in a text like ``num_parameters <= 500_000``.

    Raises:
        ValueError: If the text has another form, or the quantity is unknown.
    """
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise ValueError(
            "a constraint must be a name, <= or >=, and a number, for example latency_ms <= 1, but got "
            f"{text!r}"
        )
    name, operator, bound = match.groups()
    if name not in CONSTRAINED:
        raise ValueError(f"a constraint must be on one of {', '.join(CONSTRAINED)}, but got {name!r}")
    return Constraint(name, operator == "<=", float(bound))

"""What a search may be for: the metrics that every epoch records, and constraints on a trial.

Knows no library: the experiment file, the search and finalize all read it.
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
"""What a constraint may be on."""

_CONSTRAINT: Final = re.compile(r"\s*(\w+)\s*(<=|>=)\s*([-+]?[\d_]*\.?[\d_]+(?:[eE][-+]?\d+)?)\s*")
_UNDEFINED: Final = 1.0
"""How far a constraint on something that a trial does not have counts as broken."""


def cost(metric: str, value: float) -> float:
    """A metric's value as something to be minimised."""
    return -value if DIRECTIONS[metric] == "maximize" else value


def best_epoch(reports: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any] | None:
    """The report of the best epoch by ``metric``; None if none is finite.

    Args:
        reports: What each epoch reported, in order. Of equal epochs the first is the best.
        metric: One of `DIRECTIONS`; None or NaN where an epoch could not be measured.
    """
    finite = [report for report in reports if report[metric] is not None and math.isfinite(report[metric])]
    return dict(min(finite, key=lambda report: cost(metric, report[metric]))) if finite else None


def label(metric: str) -> str:
    """What people call a metric in a report."""
    return "NLL" if metric == "val_next_role_nll" else metric


@dataclass(frozen=True)
class Constraint:
    """One rule that a trial must keep to be the winner.

    Attributes:
        name: One of `CONSTRAINED`.
        at_most: Whether the bound is an upper one.
        bound: Inclusive.
    """

    name: str
    at_most: bool
    bound: float

    def violation(self, report: Mapping[str, Any]) -> float:
        """How far what a trial reported is on the wrong side; 0 or less where the constraint is kept."""
        value = report.get(self.name)
        if value is None:
            return _UNDEFINED
        return float(value - self.bound if self.at_most else self.bound - value)


def parse_constraint(text: str) -> Constraint:
    """Read ``num_parameters <= 500_000``.

    Raises:
        ValueError: If it is written otherwise, or is on something else.
    """
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"a constraint must be a name, <= or >=, and a number, as latency_ms <= 1, but got {text!r}"
        )
    name, operator, bound = match.groups()
    if name not in CONSTRAINED:
        raise ValueError(f"a constraint must be on one of {', '.join(CONSTRAINED)}, but got {name!r}")
    return Constraint(name, operator == "<=", float(bound))

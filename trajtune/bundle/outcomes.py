"""What a bundle's tenure and hireability stand for, and what is true of anybody, from its manifest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_PROXY: Final = re.compile(r"proxy: stayed at least (\d+) months")


@dataclass(frozen=True)
class Outcomes:
    """What the numbers beside the next role mean.

    Attributes:
        stays_months: The hireability is the probability of staying so many months; None: it is that of a
            label in the data.
        tenure_is_prior: Training knew no tenure, so every career gets the same.
        hireability_is_prior: Training knew no outcome, so every career gets the same.
        tenure_months: 10 % and 90 % quantiles of training's tenures; None in bundles of earlier versions.
        hireability: Share of positive outcomes in training, 0..1; None in bundles of earlier versions.
    """

    stays_months: int | None = None
    tenure_is_prior: bool = False
    hireability_is_prior: bool = False
    tenure_months: tuple[float, float] | None = None
    hireability: float | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Outcomes":
        """What a bundle's manifest says of them."""
        calibration = manifest.get("calibration", {})
        months = calibration.get("tenure_prior_months")
        return cls(
            stays_months=stays_months(manifest.get("hireability_label", "")),
            tenure_is_prior=calibration.get("tenure_from") == "prior",
            hireability_is_prior=calibration.get("hireability_from") == "prior",
            tenure_months=None if months is None else (months[0], months[1]),
            hireability=calibration.get("hireability_prior"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The priors as JSON values: ``tenure_months`` and ``hireability``."""
        return {"tenure_months": self.tenure_months, "hireability": self.hireability}


def stays_months(label: str) -> int | None:
    """Months that the proxy label asks for; None for a label from the data.

    Args:
        label: ``hireability_label`` of a manifest or of ``metrics.json``.
    """
    found = _PROXY.match(label)
    return int(found[1]) if found else None


def hireability_name(label: str) -> str:
    """The hireability in words: ``stays 12+ months``, or ``hireability`` for a label from the data."""
    months = stays_months(label)
    return "hireability" if months is None else f"stays {months}+ months"

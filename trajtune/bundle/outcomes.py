"""The meaning of a bundle's tenure and hireability, and their values over all careers, from the manifest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_PROXY: Final = re.compile(r"proxy: stayed at least (\d+) months")


@dataclass(frozen=True)
class Outcomes:
    """The meaning of the tenure and hireability of a bundle's predictions.

    Attributes:
        stays_months: Months of the proxy label: hireability is the probability of staying at least this
            long. None: it is the probability of a label from the data.
        tenure_is_prior: Whether train had no known tenure, so every career gets the same interval.
        hireability_is_prior: Whether train had no known label, so every career gets the same probability.
        tenure_months: 10 % and 90 % quantiles of the train tenures; None in bundles of earlier versions.
        hireability: Share of positive labels in train, 0..1; None in bundles of earlier versions.
    """

    stays_months: int | None = None
    tenure_is_prior: bool = False
    hireability_is_prior: bool = False
    tenure_months: tuple[float, float] | None = None
    hireability: float | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Outcomes":
        """Read them from the manifest of a bundle."""
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
        """Return the priors as JSON values: ``tenure_months`` and ``hireability``."""
        return {"tenure_months": self.tenure_months, "hireability": self.hireability}


def stays_months(label: str) -> int | None:
    """Return the months of the proxy label; None for a label from the data.

    Args:
        label: Value of ``hireability_label`` in a manifest or in ``metrics.json``.
    """
    found = _PROXY.match(label)
    return int(found[1]) if found else None


def hireability_name(label: str) -> str:
    """Return a name for the hireability: ``stays 12+ months``, or ``hireability`` for a label of the data."""
    months = stays_months(label)
    return "hireability" if months is None else f"stays {months}+ months"

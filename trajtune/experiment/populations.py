"""Named populations of simulated careers, as settings of `experiment.sources.ProcessSettings`."""

from collections.abc import Mapping
from typing import Final, Literal

LARGEST_SEED: Final = 2**32 - 1
"""Largest seed that NumPy's generators accept."""

Population = Literal["default", "returning", "first_role", "long_tail"]

POPULATIONS: Final[Mapping[str, Mapping[str, int | float]]] = {
    "default": {},
    "returning": {
        "num_families": 5,
        "num_specialisations": 2,
        "mean_roles": 4.0,
        "repeats": 0.25,
        "returns": 0.1,
        "even_tenures": 1.0,
        "drift": 2.0,
        "recency_years": 15.0,
    },
    "first_role": {
        "num_specialisations": 4,
        "mean_roles": 2.3,
        "repeats": 0.1,
        "first_role_path": 0.6,
        "even_tenures": 1.0,
        "drift": 2.0,
        "recency_years": 15.0,
    },
    "long_tail": {
        "num_specialisations": 600,
        "mean_roles": 4.5,
        "repeats": 0.25,
        "returns": 0.05,
        "even_tenures": 1.0,
        "drift": 2.0,
        "recency_years": 15.0,
    },
}
"""Settings of each population; `docs/explanation/simulation.md` compares them with real careers."""

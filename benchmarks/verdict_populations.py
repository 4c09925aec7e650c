"""Simulated careers as arrays, with the best possible predictions of their last moves."""

# N careers, R roles of all careers

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.parse.tenure import tenure_months
from trajtune.careers.schema import Precision
from trajtune.dataset.arrays import CareerArrays, Examples, examples_of, last_roles
from trajtune.experiment.sources import ProcessSettings
from trajtune.model.predictions import Predictions
from trajtune.simulation.bayes_optimum import bayes_optimum, narrowest_intervals
from trajtune.simulation.generator import DAYS_PER_MONTH, num_titles
from trajtune.simulation.simulate import SimulatedCareers, days_since_epoch, simulate
from trajtune.simulation.split_probability import Window

COVERAGE: Final = 0.8


@dataclass(frozen=True)
class Population:
    """Simulated people with the best possible predictions of their last moves.

    Attributes:
        arrays: Careers of the people.
        best: Best possible predictions, ``[N]``.
        true_months: Tenure of each last role in months, also if it is still held, ``[N]``.
        num_titles: Number of titles, including the unknown one.
    """

    arrays: CareerArrays
    best: Predictions
    true_months: NDArray[np.float32]
    num_titles: int

    @property
    def examples(self) -> Examples:
        """Last moves of the careers."""
        return examples_of(self.arrays, "last")

    @property
    def current(self) -> NDArray[np.int32]:
        """Title before the last one, ``[N]``."""
        return self.arrays.title_ids[self.examples.target - 1]

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Whether the last title differs from the title before it, bool ``[N]``."""
        return np.asarray(self.best.target != self.current)


def simulated(settings: ProcessSettings, num_careers: int, seed: int) -> Population:
    """Return careers of a population with canonical titles, before any split."""
    settings = settings.model_copy(update={"min_roles": 2})
    careers = simulate(num_careers, seed, settings)
    months = _months(careers)
    arrays = _arrays(careers, months, days_since_epoch(settings.as_of))
    everybody = Window(date.min, None, settings.as_of)
    optimum = bayes_optimum(settings, careers.titles.astype(np.int64), careers.offsets, everybody)
    target = examples_of(arrays, "last").target
    best = Predictions(
        target=arrays.title_ids[target],
        rank=optimum.rank,
        nll=optimum.nll,
        stay_nll=optimum.stay_nll,
        top_ids=optimum.top + 1,
        confidence=optimum.confidence.astype(np.float32),
        tenure=narrowest_intervals(optimum, COVERAGE).astype(np.float32),
        hireability=optimum.hireable.astype(np.float32),
        tenure_months=arrays.tenure_months[target],
        tenure_at_least=arrays.tenure_at_least[target],
        hireable=arrays.hireable[target],
    )
    return Population(arrays, best, months[target], num_titles(settings) + 1)


def take(population: Population, people: NDArray[np.int64]) -> Population:
    """Return the given people, in the given order; repeats are allowed."""
    arrays = population.arrays
    num_roles = np.diff(arrays.offsets)[people]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(num_roles)])
    roles = np.repeat(arrays.offsets[people] - offsets[:-1], num_roles) + np.arange(offsets[-1])
    columns = {name: column[roles] for name, column in vars(arrays).items() if name != "offsets"}
    return replace(
        population,
        arrays=CareerArrays(offsets=offsets, **columns),
        best=population.best.take(people),
        true_months=population.true_months[people],
    )


def _arrays(careers: SimulatedCareers, months: NDArray[np.float32], as_of: int) -> CareerArrays:
    is_last = last_roles(careers.offsets)
    so_far = np.floor((as_of - careers.starts) / DAYS_PER_MONTH)
    hireable = np.full(len(months), np.nan, np.float32)
    hireable[is_last] = careers.hireable
    ids = careers.titles + 1
    return CareerArrays(
        ids.astype(np.int32),
        careers.offsets,
        np.where(careers.held, np.nan, months).astype(np.float32),
        np.where(careers.held, so_far, months).astype(np.float32),
        hireable,
        careers.starts,
        is_last,
    )


def _months(careers: SimulatedCareers) -> NDArray[np.float32]:
    """Return the tenure of each role in months, also of those that are still held."""
    starts, ends = (pa.array(days, pa.int32()).cast(pa.date32()) for days in (careers.starts, careers.ends))
    return tenure_months(starts, ends, pa.array(np.full(len(starts), Precision.DAY, np.int8)))

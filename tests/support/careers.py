"""Random careers for tests: people climb a ladder of titles, and some switch to another ladder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from trajtune.careers.schema import CAREERS, QUARANTINE, LoadedCareers


@dataclass(frozen=True)
class Population:
    """Settings of random careers.

    Attributes:
        ladders: Last word of the titles on each ladder.
        levels: First word of the titles, lowest level first.
        first_day: Earliest start of a career; the latest start is 7,000 days later.
        role_days: Function that draws the length of a role in days.
        change_rate: Probability of switching to the next ladder after a role.
        held_rate: Probability that the last role is still held.
    """

    ladders: tuple[str, ...]
    levels: tuple[str, ...]
    first_day: date
    role_days: Callable[[np.random.Generator], float]
    change_rate: float
    held_rate: float


CLIMBERS = Population(
    ladders=("Developer", "Analyst", "Nurse", "Führungskraft"),
    levels=("Trainee", "Junior", "Senior", "Lead", "Head"),
    first_day=date(1995, 1, 1),
    role_days=lambda generator: int(generator.integers(100, 1000)),
    change_rate=0,
    held_rate=0.4,
)
CHANGERS = Population(
    ladders=(
        "Developer",
        "Analyst",
        "Nurse",
        "Engenheiro de Produção",
        "Geschäftsführer",
        "Site Constructor",
    ),
    levels=("Trainee", "Jr.", "Sr.", "Lead", "VP"),
    first_day=date(2000, 1, 1),
    role_days=lambda generator: generator.lognormal(6.3, 0.6),
    change_rate=1 / 6,
    held_rate=0.3,
)


def ladder_careers(num_careers: int = 400, seed: int = 0) -> pa.Table:
    """Return careers on four ladders with five levels; most moves are one level up, so models can learn."""
    return careers_of(CLIMBERS, num_careers, seed)


def changing_careers(num_careers: int, seed: int = 0) -> pa.Table:
    """Return careers with mostly one level up per move; one move in six switches to another ladder."""
    return careers_of(CHANGERS, num_careers, seed)


def careers_of(population: Population, num_careers: int, seed: int) -> pa.Table:
    """Return careers with two to five roles without gaps; see `CAREERS` for the columns."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(num_careers):
        titles, starts, ends = _roles(population, generator)
        rows.append(
            {
                "candidate_id": f"c{number:05d}",
                "titles": titles,
                "starts": starts,
                "ends": ends,
                "precisions": [1] * len(titles),
                "end_precisions": [1 if end else None for end in ends],
                "hireable": None,
            }
        )
    return pa.Table.from_pylist(rows, schema=CAREERS)


def _roles(
    population: Population, generator: np.random.Generator
) -> tuple[list[str], list[date], list[date | None]]:
    ladder, level = int(generator.integers(len(population.ladders))), 0
    day = population.first_day + timedelta(days=int(generator.integers(0, 7000)))
    titles: list[str] = []
    starts: list[date] = []
    ends: list[date | None] = []
    for _ in range(int(generator.integers(2, 6))):
        titles.append(f"{population.levels[level]} {population.ladders[ladder]}")
        starts.append(day)
        day += timedelta(days=int(population.role_days(generator)))
        ends.append(day)
        level = min(len(population.levels) - 1, level + int(generator.random() < 0.8))
        if population.change_rate and generator.random() < population.change_rate:
            ladder = (ladder + 1) % len(population.ladders)
    if generator.random() < population.held_rate:
        ends[-1] = None
    return titles, starts, ends


def loaded(careers: pa.Table, as_of: date = date(2026, 1, 1)) -> LoadedCareers:
    """Return the careers as `LoadedCareers`, as if they had just been read."""
    number = len(careers)
    counts = {
        "rows_in": number,
        "rows_kept": number,
        "rows_quarantined": 0,
        "rows_duplicate": 0,
        "careers_in": number,
        "careers": number,
        "careers_quarantined": 0,
    }
    return LoadedCareers(
        careers=careers,
        quarantine=QUARANTINE.empty_table(),
        counts=counts,
        source={"kind": "test"},
        as_of=as_of,
    )

"""Draw careers from the generator, one block of careers at a time.

Each block has a separate random stream, so a career depends only on the settings, the seed and its id, and
not on the number of careers.
"""

# N careers, R roles of all careers, B careers in a block, M largest number of roles of a career

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import (
    DAYS_PER_MONTH,
    GAP_SHARE,
    IS_NEW_FAMILY,
    IS_NEW_SPECIALISATION,
    LEVEL_CHANGE,
    LOG_PAUSE_MEAN,
    LOG_PAUSE_SIGMA,
    NUM_LEVELS,
    CareerGenerator,
    build_generator,
)
from trajtune.simulation.past_moves import has_past_moves, past_moves
from trajtune.simulation.spellings import NUM_SPELLINGS

BLOCK: Final = 8192
MIN_TENURE_DAYS: Final = 30
MAX_TENURE_DAYS: Final = 18_262  # fifty years
DEFAULT_SETTINGS: Final = ProcessSettings()
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class SimulatedCareers:
    """Careers with their hidden state, which is not part of the written rows.

    The roles of career ``i`` are ``[offsets[i], offsets[i + 1])``, oldest first.

    Attributes:
        candidate_ids: int64 ``[N]``: ids of the people.
        offsets: int64 ``[N + 1]``: offsets of the careers.
        personas: int8 ``[N]``: index in `CareerGenerator.persona`.
        cohorts: int8 ``[N]``: cohort of the last role's start; 0 without drift.
        languages: int8 ``[N]``: index in `title_names.LANGUAGES`.
        hireable: bool ``[N]``: hireability label, drawn given persona and last level.
        titles: int32 ``[R]``: number of the canonical title, the same in every language.
        spellings: int8 ``[R]``: spelling of the title, an index in `spellings.spellings_of`.
        starts, ends: int32 ``[R]``: days since 1970-01-01; ``ends`` may be after the as-of date.
        held: bool ``[R]``: whether the end is after the as-of date, and therefore not written.
    """

    candidate_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    personas: NDArray[np.int8]
    cohorts: NDArray[np.int8]
    languages: NDArray[np.int8]
    hireable: NDArray[np.bool_]
    titles: NDArray[np.int32]
    spellings: NDArray[np.int8]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    held: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.candidate_ids)


def simulate(
    num_careers: int, seed: int = 0, settings: ProcessSettings = DEFAULT_SETTINGS
) -> SimulatedCareers:
    """Return the careers with ids 1 to ``num_careers``."""
    blocks = list(simulate_blocks(num_careers, seed, settings))
    columns = {
        field.name: np.concatenate([getattr(block, field.name) for block in blocks])
        for field in fields(SimulatedCareers)
        if field.name != "offsets"
    }
    num_roles = np.concatenate([np.diff(block.offsets) for block in blocks])
    return SimulatedCareers(offsets=_offsets(num_roles), **columns)


def simulate_blocks(
    num_careers: int, seed: int = 0, settings: ProcessSettings = DEFAULT_SETTINGS
) -> Iterator[SimulatedCareers]:
    """Yield the careers of `simulate` in blocks of at most ``BLOCK`` careers."""
    if num_careers < 1:
        raise ValueError(f"num_careers must be at least 1, but got {num_careers}")
    generator = build_generator(settings)
    for first in range(0, num_careers, BLOCK):
        yield _block(generator, seed, first // BLOCK, min(BLOCK, num_careers - first))


def _block(generator: CareerGenerator, seed: int, number: int, keep: int) -> SimulatedCareers:
    """Return the first ``keep`` careers of a block; the complete block is always drawn."""
    settings = generator.settings
    rng = np.random.default_rng([seed, number])
    persona = _draw(np.cumsum(generator.persona), rng.random(BLOCK))
    num_roles = _draw(np.cumsum(generator.num_roles), rng.random(BLOCK))
    age = _draw(np.cumsum(generator.last_start_age), rng.random(BLOCK))
    cohort = generator.cohort_of_age(age)
    foreign = rng.random(BLOCK)
    language = np.select([foreign < settings.foreign_share, foreign < 2 * settings.foreign_share], [1, 2], 0)
    # Moves that depend on the past have a separate random stream, so careers without them stay the same.
    past = np.random.default_rng([seed, number, 2])
    titles = _titles(generator, persona, cohort, rng, past)
    level = titles % NUM_LEVELS
    tenure = _tenures(generator, persona, level, rng)
    start, end = _dates(settings.as_of, age, num_roles, tenure, rng)
    last_level = level[np.arange(BLOCK), num_roles - 1]
    hireable = rng.random(BLOCK) < generator.hireable[persona, last_level]
    noisy = rng.random(titles.shape) < settings.noise
    spelling = np.where(noisy, rng.integers(1, NUM_SPELLINGS, titles.shape), 0)

    kept = slice(0, keep)
    is_role = np.arange(settings.max_roles) < num_roles[kept, None]
    ends = end[kept][is_role].astype(np.int32)
    return SimulatedCareers(
        candidate_ids=np.arange(keep, dtype=np.int64) + number * BLOCK + 1,
        offsets=_offsets(num_roles[kept]),
        personas=persona[kept].astype(np.int8),
        cohorts=cohort[kept].astype(np.int8),
        languages=language[kept].astype(np.int8),
        hireable=hireable[kept],
        titles=titles[kept][is_role].astype(np.int32),
        spellings=spelling[kept][is_role].astype(np.int8),
        starts=start[kept][is_role].astype(np.int32),
        ends=ends,
        held=ends > days_since_epoch(settings.as_of),
    )


def _titles(
    generator: CareerGenerator,
    persona: NDArray[np.int64],
    cohort: NDArray[np.int64],
    rng: np.random.Generator,
    past: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the title numbers of each career ``[B, M]``, all as long as the longest career."""
    num_specialisations = generator.settings.num_specialisations
    move, near, switch, popular = (
        np.cumsum(table, axis=-1)
        for table in (
            generator.move,
            generator.new_specialisation,
            generator.new_family,
            generator.specialisation,
        )
    )
    family = _draw(np.cumsum(generator.first_family, axis=-1)[cohort], rng.random(BLOCK))
    specialisation = _draw(popular[family], rng.random(BLOCK))
    level = _draw(np.cumsum(generator.first_level), rng.random(BLOCK))
    titles = np.empty((BLOCK, generator.settings.max_roles), np.int64)
    for step in range(titles.shape[1]):
        titles[:, step] = (family * num_specialisations + specialisation) * NUM_LEVELS + level
        kind = _draw(move[persona, level], rng.random(BLOCK))
        next_family = _draw(switch[cohort, family], rng.random(BLOCK))
        u = rng.random(BLOCK)
        moved = np.where(
            IS_NEW_FAMILY[kind], _draw(popular[next_family], u), _draw(near[family, specialisation], u)
        )
        specialisation = np.where(IS_NEW_FAMILY[kind] | IS_NEW_SPECIALISATION[kind], moved, specialisation)
        family = np.where(IS_NEW_FAMILY[kind], next_family, family)
        level = level + LEVEL_CHANGE[kind]
        if has_past_moves(generator):
            markov = (family * num_specialisations + specialisation) * NUM_LEVELS + level
            title = _past_or(markov, *past_moves(generator, titles[:, : step + 1]), past)
            level, core = title % NUM_LEVELS, title // NUM_LEVELS
            family, specialisation = core // num_specialisations, core % num_specialisations
    return titles


def _past_or(
    markov: NDArray[np.int64],
    titles: NDArray[np.int64],
    probability: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw one of ``titles`` by its probability, or else ``markov``; ``[B]``."""
    options = np.column_stack([titles, markov])
    rest = 1 - probability.sum(1, keepdims=True)
    drawn = _draw(np.cumsum(np.column_stack([probability, rest]), axis=1), rng.random(len(markov)))
    return options[np.arange(len(markov)), drawn]


def _tenures(
    generator: CareerGenerator, persona: NDArray[np.int64], level: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return tenures in whole days ``[B, M]``, log-normal by persona and level."""
    log_mean = generator.log_tenure_mean[persona[:, None], level]
    noise = generator.log_tenure_sigma[persona][:, None] * rng.standard_normal(level.shape)
    days = np.rint(np.exp(log_mean + noise) * DAYS_PER_MONTH)
    return np.clip(days, MIN_TENURE_DAYS, MAX_TENURE_DAYS).astype(np.int64)


def _dates(
    as_of: date,
    age: NDArray[np.int64],
    num_roles: NDArray[np.int64],
    tenure: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and ends ``[B, M]`` in days since 1970, counted backwards from the last role's start."""
    pause = np.rint(np.exp(LOG_PAUSE_MEAN + LOG_PAUSE_SIGMA * rng.standard_normal(tenure.shape)))
    gap = np.where(rng.random(tenure.shape) < 1 - GAP_SHARE, 1, 1 + pause).astype(np.int64)
    is_before_last = np.arange(tenure.shape[1]) < num_roles[:, None] - 1
    step = np.where(is_before_last, tenure + gap, 0)
    days_to_last = np.cumsum(step[:, ::-1], axis=1)[:, ::-1]
    start = (days_since_epoch(as_of) - age)[:, None] - days_to_last
    return start, start + tenure


def _draw(cumulative: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw indices from cumulative probabilities ``[K]`` or ``[B, K]``; never one with probability 0."""
    if cumulative.ndim == 1:
        return np.searchsorted(cumulative / cumulative[-1], u, side="right").astype(np.int64)
    return np.asarray(np.count_nonzero(u[:, None] * cumulative[:, -1:] >= cumulative, axis=1), np.int64)


def _offsets(num_roles: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(num_roles)])


@cache
def days_since_epoch(day: date) -> int:
    """Return the number of days since 1970-01-01."""
    return (day - _EPOCH).days

"""The generator of simulated careers: probability tables that follow from the settings.

Knows nothing of how careers are sampled, written or predicted. `docs/explanation/simulation.md` justifies
the numbers. The hidden state of a career is its persona and its cohort. Given both, its titles are a Markov
chain, except for the moves that `past_moves` derives from the titles so far. The number of roles and the date
of the last move are independent of the titles.
"""

# Z personas, Y cohorts, F families, S specialisations of each family, L levels, K kinds of move

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.title_names import LEVELS

GENERATOR_VERSION: Final = 1
"""Version that increases whenever the same settings and seed give different careers."""

DAYS_PER_MONTH: Final = 365.25 / 12
NUM_LEVELS: Final = len(LEVELS["en"])

# The kinds of moves. Two kinds never lead to the same title, so the titles determine the kind.
MOVES: Final = (
    "same title",
    "promotion",
    "step down",
    "new specialisation",
    "new specialisation and promotion",
    "new family",
    "new family and promotion",
    "new family and step down",
)
LEVEL_CHANGE: Final = np.array([0, 1, -1, 0, 1, 0, 1, -1])
IS_NEW_SPECIALISATION: Final = np.array([k in (3, 4) for k in range(len(MOVES))])
IS_NEW_FAMILY: Final = np.array([k in (5, 6, 7) for k in range(len(MOVES))])

_PERSONA_SHARE = np.array([0.25, 0.20, 0.25, 0.18, 0.12])  # stayer, climber, specialist, explorer, switcher
_MOVE_WEIGHT = np.array(  # [Z, K]
    [
        [0.66, 0.17, 0.02, 0.06, 0.02, 0.04, 0.01, 0.02],  # stayer
        [0.14, 0.62, 0.01, 0.05, 0.10, 0.03, 0.04, 0.01],  # climber
        [0.38, 0.46, 0.02, 0.07, 0.03, 0.02, 0.01, 0.01],  # specialist
        [0.18, 0.17, 0.03, 0.37, 0.15, 0.06, 0.02, 0.02],  # explorer
        [0.14, 0.15, 0.03, 0.11, 0.05, 0.32, 0.07, 0.13],  # switcher
    ]
)
_PROMOTION_BY_LEVEL = np.array([2.2, 1.6, 1.0, 0.6, 0.4, 0.25, 0.0])  # [L], multiplies promotions
_MEDIAN_MONTHS = np.array([12.0, 20.0, 26.0, 32.0, 36.0, 42.0, 48.0])  # [L]
_PERSONA_TENURE = np.array([1.6, 0.75, 1.15, 0.85, 0.65])  # [Z], multiplies the median
_PERSONA_SIGMA = np.array([0.60, 0.45, 0.55, 0.60, 0.65])  # [Z], of log tenure

GAP_SHARE: Final = 0.4
"""Share of moves with a pause before the next role; the other roles begin on the next day."""
LOG_PAUSE_MEAN: Final = float(np.log(60.0))
LOG_PAUSE_SIGMA: Final = 0.8
"""Parameters of the pause in days, which is log-normal."""

_FIRST_LEVEL = np.array([0.22, 0.34, 0.28, 0.10, 0.04, 0.015, 0.005])  # [L]
_HIREABLE_PERSONA = np.array([0.2, 1.8, 1.0, -0.2, -1.6])  # [Z], log odds
_HIREABLE_LEVEL = np.array([-0.6, -0.3, 0.0, 0.3, 0.4, 0.2, 0.0])  # [L], log odds


def num_titles(settings: ProcessSettings) -> int:
    """Return the number of canonical titles in one language."""
    return settings.num_families * settings.num_specialisations * NUM_LEVELS


def num_cohorts(settings: ProcessSettings) -> int:
    """Return the number of cohorts: years of the last move, or 1 without drift."""
    return settings.years if settings.drift > 0 else 1


@dataclass(frozen=True)
class CareerGenerator:
    """The probability tables of a population; every distribution sums to 1 over its last axis.

    Attributes:
        settings: Settings of the population.
        persona: Personas ``[Z]``.
        num_roles: Numbers of roles ``[max_roles + 1]``.
        last_start_age: Days from the start of the last role to the as-of date ``[D]``.
        first_family: Family of the first title ``[Y, F]``.
        specialisation: Specialisation within a family ``[F, S]``, for first titles and new families.
        first_level: Level of the first title ``[L]``.
        move: Kind of move ``[Z, L, K]``; zero where the next level does not exist.
        new_specialisation: Next specialisation ``[F, S, S]``; the diagonal is zero.
        new_family: Next family ``[Y, F, F]``; the diagonal is zero.
        log_tenure_mean, log_tenure_sigma: Parameters of the log-normal tenure in months, ``[Z, L]`` and
            ``[Z]``.
        hireable: Probability of the label, by the level of the last role ``[Z, L]``.
        path: Title that may follow each first title, int64 ``[V]``.
    """

    settings: ProcessSettings
    persona: NDArray[np.float64]
    num_roles: NDArray[np.float64]
    last_start_age: NDArray[np.float64]
    first_family: NDArray[np.float64]
    specialisation: NDArray[np.float64]
    first_level: NDArray[np.float64]
    move: NDArray[np.float64]
    new_specialisation: NDArray[np.float64]
    new_family: NDArray[np.float64]
    log_tenure_mean: NDArray[np.float64]
    log_tenure_sigma: NDArray[np.float64]
    hireable: NDArray[np.float64]
    path: NDArray[np.int64]

    def cohort_of_age(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the cohort of last roles that began ``days`` days before the as-of date; 0 is the oldest."""
        span = len(self.last_start_age)
        return (span - 1 - days) * num_cohorts(self.settings) // span


def build_generator(settings: ProcessSettings) -> CareerGenerator:
    """Return the tables of a population, which depend only on the settings and not on a seed."""
    rng = np.random.default_rng(20_250_630)
    families, specialisations = settings.num_families, settings.num_specialisations
    cohorts = num_cohorts(settings)
    popularity = _normalised(1.0 / (1 + np.arange(families)) ** 0.5)
    specialisation = np.stack([_zipf(specialisations, rng) for _ in range(families)])
    attraction = rng.permuted(np.linspace(-1.0, 1.0, families))
    time = np.linspace(-1.0, 1.0, cohorts) if cohorts > 1 else np.zeros(1)
    tilt = np.exp(settings.drift * time[:, None] * attraction)  # [Y, F]
    graph = rng.gamma(0.4, size=(families, families)) * popularity
    np.fill_diagonal(graph, 0.0)
    age_days = np.arange(round(settings.years * 365.25))
    roles = np.arange(settings.max_roles + 1, dtype=np.float64)
    geometric = (1 - 1 / (settings.mean_roles - 1)) ** roles
    return CareerGenerator(
        settings=settings,
        persona=_PERSONA_SHARE,
        num_roles=_normalised(np.where(roles >= settings.min_roles, geometric, 0.0)),
        last_start_age=_normalised(np.exp(-age_days / (365.25 * settings.recency_years))),
        first_family=_normalised(popularity * tilt),
        specialisation=specialisation,
        first_level=_FIRST_LEVEL,
        move=_move_table(settings.repeats),
        new_specialisation=_specialisation_changes(specialisation, rng),
        new_family=_normalised(graph * tilt[:, None, :]),
        log_tenure_mean=np.log(_MEDIAN_MONTHS * (_PERSONA_TENURE ** (1 - settings.even_tenures))[:, None]),
        log_tenure_sigma=_PERSONA_SIGMA,
        hireable=1 / (1 + np.exp(-(_HIREABLE_PERSONA[:, None] + _HIREABLE_LEVEL))),
        path=_paths(popularity, specialisation),
    )


def _move_table(repeats: float) -> NDArray[np.float64]:
    """Return the moves by persona and level ``[Z, L, K]``; higher levels have fewer promotions.

    Impossible moves have probability 0.
    """
    level = np.arange(NUM_LEVELS)[:, None] + LEVEL_CHANGE
    possible = (level >= 0) & (level < NUM_LEVELS)
    promotion = np.where(LEVEL_CHANGE > 0, _PROMOTION_BY_LEVEL[:, None], 1.0)
    stay = np.where(np.arange(len(MOVES)) == MOVES.index("same title"), repeats, 1.0)
    return _normalised(_MOVE_WEIGHT[:, None, :] * promotion * possible * stay)


def _paths(popularity: NDArray[np.float64], specialisation: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a title for each title ``[V]``, one level higher in a popular specialisation of any family."""
    rng = np.random.default_rng(20_250_701)
    families, specialisations = specialisation.shape
    share = (popularity[:, None] * specialisation).ravel()
    cores = rng.choice(len(share), (families * specialisations, NUM_LEVELS), p=share / share.sum())
    level = np.minimum(np.arange(NUM_LEVELS) + 1, NUM_LEVELS - 1)
    return np.asarray(cores * NUM_LEVELS + level, np.int64).ravel()


def _specialisation_changes(
    specialisation: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return changes of specialisation within a family ``[F, S, S]``, mostly to near or popular ones."""
    num_families, num_specialisations = specialisation.shape
    nearness = rng.gamma(0.3, size=(num_families, num_specialisations, num_specialisations)) + 0.02
    weight = nearness * specialisation[:, None, :]
    weight[:, np.arange(num_specialisations), np.arange(num_specialisations)] = 0.0
    return _normalised(weight)


def _zipf(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return _normalised(rng.permutation(1.0 / (1 + np.arange(size)) ** 0.8))


def _normalised(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)

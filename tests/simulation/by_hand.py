"""Plain, slow reference implementations of the probabilities of a tiny population."""

from datetime import date, timedelta
from statistics import NormalDist

import numpy as np

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import DAYS_PER_MONTH, LEVEL_CHANGE, MOVES, NUM_LEVELS
from trajtune.simulation.split_probability import Window

TINY = ProcessSettings(num_families=2, num_specialisations=2, years=2, drift=0.8, recency_years=1.0)


PAST = TINY.model_copy(update={"returns": 0.3, "first_role_path": 0.4, "repeats": 0.5, "even_tenures": 0.5})

TINY_WINDOW = Window(date(2024, 3, 1), date(2025, 2, 1), date(2025, 1, 31))


def transition(generator, persona, cohort, before, after):
    """Return the probability of one move, with a plain loop over the kinds of moves."""
    size = generator.settings.num_specialisations
    (f, s, level), (g, r, to) = (
        (t // NUM_LEVELS // size, t // NUM_LEVELS % size, t % NUM_LEVELS) for t in (before, after)
    )
    total = 0.0
    for kind, name in enumerate(MOVES):
        if level + LEVEL_CHANGE[kind] != to:
            continue
        share = generator.move[persona, level, kind]
        if name.startswith("new family"):
            total += share * generator.new_family[cohort, f, g] * generator.specialisation[g, r]
        elif name.startswith("new specialisation"):
            total += share * generator.new_specialisation[f, s, r] * (f == g)
        else:
            total += share * (f == g) * (s == r)
    return total


def next_title(generator, persona, cohort, seen, after):
    """Return the probability of the next title given all earlier ones, with moves that depend on the past."""
    markov = transition(generator, persona, cohort, seen[-1], after)
    if len(seen) == 1:
        path = generator.settings.first_role_path
        return (1 - path) * markov + path * (generator.path[seen[0]] == after)
    others = []
    for title in reversed(seen):
        if title != seen[-1] and title not in others:
            others.append(title)
    if not others:
        return markov
    weights = [1 / (number + 1) for number in range(len(others))]
    share = weights[others.index(after)] / sum(weights) if after in others else 0.0
    returns = generator.settings.returns
    return (1 - returns) * markov + returns * share


def first_title(generator, cohort, title):
    size = generator.settings.num_specialisations
    f, s, level = title // NUM_LEVELS // size, title // NUM_LEVELS % size, title % NUM_LEVELS
    return generator.first_family[cohort, f] * generator.specialisation[f, s] * generator.first_level[level]


def months_between(start: date, end: date) -> int:
    return 12 * (end.year - start.year) + end.month - start.month - (end.day < start.day)


def assert_mean_is(observed, expected):
    """Assert that the means of ``observed`` and ``expected`` differ by at most 4.5 standard errors."""
    difference = np.asarray(observed, float) - expected
    assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(len(difference))


def brute_split_probability(generator, window, hireable_months):
    """Return the sums of `split_probability`, with loops over days and roles."""
    settings = generator.settings
    ages, cohorts = len(generator.last_start_age), 2
    shape = cohorts, len(generator.persona), NUM_LEVELS
    chosen, stayed, left = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    ended = np.zeros((*shape, 12 * settings.years))
    below = np.zeros((len(generator.persona), NUM_LEVELS, ages))
    for z in range(len(generator.persona)):
        for level in range(NUM_LEVELS):
            tenure = NormalDist(generator.log_tenure_mean[z, level], generator.log_tenure_sigma[z])
            for day in range(30, ages):
                below[z, level, day] = tenure.cdf(np.log((day + 0.5) / DAYS_PER_MONTH))
    exactly = np.diff(below, axis=-1, prepend=0.0)
    for age in range(ages):
        y = 1 if age < ages / 2 else 0
        start = settings.as_of - timedelta(days=age)
        weight = generator.last_start_age[age]
        starts_in_window = window.first <= start < window.end
        last_seen = settings.as_of if window.by == "career" else window.observed
        if starts_in_window:
            held = weight * (1 - below[:, :, (last_seen - start).days])
            chosen[y] += held
            stayed[y] += held * (months_between(start, window.observed) >= hireable_months)
        for days in range(30, (last_seen - start).days + 1):
            end = start + timedelta(days=days)
            if window.first <= end < window.end if window.by == "career" else starts_in_window:
                months = months_between(start, end)
                part = weight * exactly[:, :, days]
                chosen[y] += part
                ended[y, :, :, months] += part
                (stayed if months >= hireable_months else left)[y] += part
    return chosen, ended, stayed, left

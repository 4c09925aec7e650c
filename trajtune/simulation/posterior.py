"""Posterior probabilities of a career's persona and cohort, given its titles."""

# N careers, R roles of all careers, Y cohorts, Z personas, K kinds of move, P largest number of known roles

import numpy as np
from numpy.typing import NDArray

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import (
    IS_NEW_FAMILY,
    IS_NEW_SPECIALISATION,
    LEVEL_CHANGE,
    NUM_LEVELS,
    CareerGenerator,
    num_cohorts,
)
from trajtune.simulation.past_moves import has_past_moves, past_moves


def posterior_of(
    generator: CareerGenerator, titles: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the posterior of cohort and persona, given all titles except the last ``[N, Y, Z]``.

    The prior of the cohort is left out, because `SplitProbability` includes it.

    Args:
        generator: Tables of the population.
        titles: Title numbers ``[R]``.
        offsets: Offsets of the careers ``[N + 1]``.
    """
    if not has_past_moves(generator):
        return _markov_posterior(generator, titles, offsets)
    num_roles, first = np.diff(offsets), titles[offsets[:-1]]
    with np.errstate(divide="ignore"):
        log = np.log(generator.first_family[:, family_of(generator, first)].T)[:, :, None]
        log = log + np.log(generator.persona)
        for role in range(1, num_roles.max() - 1):
            careers = np.flatnonzero(num_roles > role + 1)
            roles = offsets[careers, None] + np.arange(role + 1)
            log[careers] += np.log(_move_probability(generator, titles[roles]))
    return _normalised(log)


def past_moves_of(
    generator: CareerGenerator, titles: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `past_moves` from all titles except the last, padded with probability 0 ``[N, P]``."""
    num_known = np.diff(offsets) - 1
    shape = len(num_known), int(num_known.max()) if has_past_moves(generator) else 0
    next_titles, probability = np.zeros(shape, np.int64), np.zeros(shape)
    for number in np.unique(num_known).tolist() if shape[1] else []:
        careers = np.flatnonzero(num_known == number)
        so_far = titles[offsets[careers, None] + np.arange(number)]
        next_titles[careers, :number], probability[careers, :number] = past_moves(generator, so_far)
    return next_titles, probability


def _move_probability(generator: CareerGenerator, titles: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability of the last title given the earlier ones ``[C, Y, Z]``, from ``[C, P]``."""
    so_far, before, after = titles[:, :-1], titles[:, -2], titles[:, -1]
    size = generator.settings.num_specialisations
    from_family, to_family = family_of(generator, before), family_of(generator, after)
    from_core, to_core = before // NUM_LEVELS % size, after // NUM_LEVELS % size
    kind = kinds_of_moves(generator.settings, before, after)
    level = before % NUM_LEVELS
    # Kind 0 also means that no move leads from one title to the other.
    by_persona = generator.move[:, level, kind].T * ((kind > 0) | (before == after))[:, None]
    specialisation = np.where(
        IS_NEW_FAMILY[kind],
        generator.specialisation[to_family, to_core],
        np.where(
            IS_NEW_SPECIALISATION[kind], generator.new_specialisation[from_family, from_core, to_core], 1.0
        ),
    )
    switch = generator.new_family[:, from_family, to_family].T
    by_cohort = np.where(IS_NEW_FAMILY[kind][:, None], switch, 1.0) * specialisation[:, None]
    next_titles, probability = past_moves(generator, so_far)
    past = (probability * (next_titles == after[:, None])).sum(1)
    markov = (1 - probability.sum(1))[:, None, None] * by_cohort[:, :, None] * by_persona[:, None, :]
    return np.asarray(markov + past[:, None, None])


def _markov_posterior(
    generator: CareerGenerator, titles: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return `posterior_of` for titles that are a Markov chain.

    Specialisations and the first level depend neither on the persona nor on the cohort, so they cancel out.
    """
    family, level = family_of(generator, titles), titles % NUM_LEVELS
    kind = kinds_of_moves(generator.settings, titles[:-1], titles[1:])
    with np.errstate(divide="ignore"):
        log_move, log_family = np.log(generator.move), np.log(generator.new_family)
        log_first = np.log(generator.first_family)
    is_first = np.zeros(len(titles), bool)
    is_first[offsets[:-1]] = True
    is_last = np.zeros(len(titles), bool)
    is_last[offsets[1:] - 1] = True
    seen = ~(is_first | is_last)[1:]  # moves within a career, except the one to predict
    changed = seen & IS_NEW_FAMILY[kind]
    by_persona = np.zeros((len(titles), len(generator.persona)))
    by_persona[1:][seen] = log_move[:, level[:-1][seen], kind[seen]].T
    by_cohort = np.zeros((len(titles), num_cohorts(generator.settings)))
    by_cohort[is_first] = log_first[:, family[is_first]].T
    by_cohort[1:][changed] = log_family[:, family[:-1][changed], family[1:][changed]].T
    persona = np.add.reduceat(by_persona, offsets[:-1]) + np.log(generator.persona)
    cohort = np.add.reduceat(by_cohort, offsets[:-1])
    log = cohort[:, :, None] + persona[:, None, :]
    return _normalised(log)


def kinds_of_moves(
    settings: ProcessSettings, before: NDArray[np.int64], after: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the kind of each move, an index of `generator.MOVES`; 0 also where no such move exists."""
    size = settings.num_specialisations * NUM_LEVELS
    change = after % NUM_LEVELS - before % NUM_LEVELS
    same_family = before // size == after // size
    same_specialisation = before // NUM_LEVELS == after // NUM_LEVELS
    group = np.where(same_specialisation, 0, np.where(same_family, 3, 5))
    kind = np.zeros(len(before), np.int64)
    for number, (base, step) in enumerate(zip((0, 0, 0, 3, 3, 5, 5, 5), LEVEL_CHANGE, strict=True)):
        kind[(group == base) & (change == step)] = number
    return kind


def family_of(generator: CareerGenerator, titles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the family of each title."""
    return titles // (generator.settings.num_specialisations * NUM_LEVELS)


def _normalised(log: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities ``[N, Y, Z]``, given their logarithms up to a constant per career."""
    weight = np.exp(log - log.max(axis=(1, 2), keepdims=True))
    return np.asarray(weight / weight.sum(axis=(1, 2), keepdims=True))

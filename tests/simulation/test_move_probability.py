"""The Bayes optimum of a split by move, compared with the frequencies in many simulated careers."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise, product

import numpy as np
import pytest

from tests.simulation.by_hand import (
    TINY,
    TINY_WINDOW,
    assert_mean_is,
    first_title,
    months_between,
    next_title,
)
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.bayes_optimum import bayes_optimum
from trajtune.simulation.generator import LEVEL_CHANGE, NUM_LEVELS, build_generator, num_titles
from trajtune.simulation.move_probability import gap_days, move_probabilities
from trajtune.simulation.simulate import days_since_epoch, simulate
from trajtune.simulation.split_probability import Window, split_probability

SETTINGS = ProcessSettings(num_families=3, num_specialisations=3, drift=1.0, years=6, max_roles=6)
# Much of the data is after the window, so many people move again.
WINDOW = Window(date(2021, 2, 1), date(2022, 8, 15), date(2022, 8, 14), "move")


class CareersKnownAtTheEnd:
    """The careers of a split by move, found from their dates with a plain loop.

    Attributes:
        careers: Index of each career ``[N]``.
        titles, offsets: Titles of the careers up to the target.
        months: Complete months of the target's tenure, or until the last observed day if it was still held.
        ended: Whether the target had ended by the last observed day.
        moved_again: Whether the career has further roles.
    """

    def __init__(self, careers, window):
        first, end = days_since_epoch(window.first), days_since_epoch(window.end)
        chosen, titles, months, ended, moved_again = [], [], [], [], []
        for i in range(len(careers)):
            roles = range(careers.offsets[i], careers.offsets[i + 1])
            known = [role for role in roles if careers.starts[role] < end]
            if len(known) < 2 or careers.starts[known[-1]] < first:
                continue
            target = known[-1]
            chosen.append(i)
            titles.append(careers.titles[known].astype(np.int64))
            ended.append(careers.ends[target] < end)
            moved_again.append(len(known) < len(roles))
            until = min(careers.ends[target], end - 1)
            start, until = (
                date(1970, 1, 1) + timedelta(days=int(day)) for day in (careers.starts[target], until)
            )
            months.append(months_between(start, until))
        self.careers = np.array(chosen)
        self.titles = np.concatenate(titles)
        self.offsets = np.cumsum([0, *map(len, titles)])
        self.months, self.ended, self.moved_again = np.array(months), np.array(ended), np.array(moved_again)


@pytest.fixture(scope="module")
def simulated():
    careers = simulate(120_000, 5, SETTINGS)
    return careers, CareersKnownAtTheEnd(careers, WINDOW)


def share_at_level(generator, roles):
    """Return the joint probability of persona and level of the n-th role ``[Z, L]``."""
    share = generator.persona[:, None] * generator.first_level
    for _ in range(roles - 1):
        after = np.zeros_like(share)
        for kind, change in enumerate(LEVEL_CHANGE):
            for level in range(NUM_LEVELS):
                if 0 <= level + change < NUM_LEVELS:
                    after[:, level + change] += share[:, level] * generator.move[:, level, kind]
        share = after
    return share


def test_the_frequency_of_moves_in_the_window_matches_the_probabilities(simulated):
    careers, known = simulated
    generator = build_generator(SETTINGS)
    found = move_probabilities(generator, WINDOW, 12)
    assert list(found) == [2, 3, 4, 5, 6]
    level = known.titles[known.offsets[1:] - 1] % NUM_LEVELS
    persona, cohort = careers.personas[known.careers], careers.cohorts[known.careers]
    for roles, probability in found.items():
        for y in range(SETTINGS.years):
            members = (np.diff(known.offsets) == roles) & (cohort == y)
            expected = share_at_level(generator, roles) * probability.in_split[y]
            observed = np.zeros_like(expected)
            np.add.at(observed, (persona[members], level[members]), 1)
            spread = np.sqrt(expected * len(careers)) + 1
            assert (np.abs(observed - expected * len(careers)) < 5 * spread).all()
    assert known.moved_again.mean() > 0.3


def test_the_frequency_of_gaps_matches_the_probabilities(simulated):
    careers, _ = simulated
    gaps = careers.starts[1:] - careers.ends[:-1]
    gaps = gaps[np.isin(np.arange(1, len(careers.starts)), careers.offsets, invert=True)]
    expected = gap_days(400)
    observed = np.bincount(gaps, minlength=400)[:400]
    assert expected[0] == observed[0] == 0
    assert (np.abs(observed - expected * len(gaps)) < 5 * np.sqrt(expected * len(gaps)) + 1).all()


def test_the_optimum_of_a_split_by_move_is_unbiased(simulated):
    careers, known = simulated
    best = bayes_optimum(SETTINGS, known.titles, known.offsets, WINDOW)
    num_roles = np.diff(known.offsets)
    for members in [num_roles >= 2, *(num_roles == roles for roles in (2, 3, 4))]:
        assert_mean_is((best.rank == 1)[members], best.top1[members])
        assert_mean_is((best.rank <= 5)[members], best.top5[members])
        assert_mean_is(known.ended[members], best.ended[members])
    ended = known.ended
    mean = best.tenure_months @ np.arange(best.tenure_months.shape[1])
    assert_mean_is(known.months[ended], mean[ended])
    outcome = careers.hireable[known.careers]
    assert_mean_is(outcome[~known.moved_again], best.hireable[~known.moved_again])
    stayed = known.months >= 12
    settled = ended | stayed
    assert_mean_is(stayed[settled], best.stayed[settled])


def test_the_optimum_by_move_matches_enumeration_of_hidden_states():
    window = replace(TINY_WINDOW, by="move")
    generator = build_generator(TINY)
    tables = move_probabilities(generator, window, 12)
    careers = simulate(40, 3, TINY)
    found = bayes_optimum(TINY, careers.titles.astype(np.int64), careers.offsets, window)
    for i, (begin, end) in enumerate(pairwise(careers.offsets.tolist())):
        *seen, target = careers.titles[begin:end].tolist()
        table = tables[end - begin]
        titles, outcome, complete, ended = np.zeros(num_titles(TINY)), 0.0, 0.0, 0.0
        for y, z in product(range(2), range(len(generator.persona))):
            path = generator.persona[z] * first_title(generator, y, seen[0])
            for role in range(1, len(seen)):
                path *= next_title(generator, z, y, seen[:role], seen[role])
            for after in range(num_titles(TINY)):
                joint = path * next_title(generator, z, y, seen, after)
                at = y, z, after % NUM_LEVELS
                titles[after] += joint * table.in_split[at]
                ended += joint * table.ended_months[at].sum()
                complete += joint * table.complete[at]
                outcome += joint * table.complete[at] * generator.hireable[z, after % NUM_LEVELS]
        assert found.nll[i] == pytest.approx(-np.log(titles[target] / titles.sum()))
        assert found.ended[i] == pytest.approx(ended / titles.sum())
        assert found.hireable[i] == pytest.approx(outcome / complete)


def test_the_optimum_by_transition_differs_from_that_by_move(simulated):
    _, known = simulated
    by_transition = Window(WINDOW.first, WINDOW.end, WINDOW.observed, "transition")
    other = bayes_optimum(SETTINGS, known.titles, known.offsets, by_transition)
    difference = known.ended - other.ended
    assert abs(difference.mean()) > 4.5 * difference.std() / np.sqrt(len(difference))


def test_a_window_by_move_without_an_end_equals_that_by_transition():
    generator = build_generator(SETTINGS)
    first, as_of = date(2024, 1, 1), SETTINGS.as_of
    by_move = split_probability(generator, Window(first, None, as_of, "move"), 12)
    by_transition = split_probability(generator, Window(first, None, as_of, "transition"), 12)
    assert (by_move.in_split == by_transition.in_split).all()
    assert (by_move.ended_months == by_transition.ended_months).all()


def test_a_window_that_ends_after_the_data_equals_that_by_transition():
    generator = build_generator(SETTINGS)
    end = SETTINGS.as_of + timedelta(days=1)
    window = Window(date(2024, 1, 1), end, SETTINGS.as_of, "move")
    expected = split_probability(generator, Window(window.first, None, SETTINGS.as_of, "transition"), 12)
    for roles, found in move_probabilities(generator, window, 12).items():
        share = generator.num_roles[roles]
        months = found.ended_months.shape[-1]
        assert found.in_split == pytest.approx(share * expected.in_split)
        assert found.ended_months == pytest.approx(share * expected.ended_months[..., :months])
        assert found.stayed == pytest.approx(share * expected.stayed)
        assert found.left == pytest.approx(share * expected.left)
        assert found.complete == pytest.approx(share * expected.complete)

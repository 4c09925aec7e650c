"""The Bayes optimum, compared with enumeration on a tiny population and with samples of a large one."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from tests.simulation.by_hand import assert_mean_is, first_title, next_title
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.bayes_optimum import bayes_optimum, narrowest_intervals
from trajtune.simulation.generator import MOVES, NUM_LEVELS, num_titles
from trajtune.simulation.posterior import kinds_of_moves
from trajtune.simulation.simulate import days_since_epoch, simulate
from trajtune.simulation.split_probability import Window


def test_the_optimum_matches_enumeration_of_hidden_states_and_next_titles(tiny):
    generator, window, (chosen, ended, stayed, left) = tiny
    settings = generator.settings
    careers = simulate(60, 3, settings)
    found = bayes_optimum(
        settings, careers.titles.astype(np.int64), careers.offsets, window, hireable_months=6
    )
    assert len(set(np.diff(careers.offsets))) > 3
    for i in range(len(careers)):
        *seen, target = careers.titles[careers.offsets[i] : careers.offsets[i + 1]].tolist()
        by_title = np.zeros(num_titles(settings))
        months = np.zeros(ended.shape[-1])
        outcome, positive, negative = 0.0, 0.0, 0.0
        for y in range(2):
            for z in range(len(generator.persona)):
                path = generator.persona[z] * first_title(generator, y, seen[0])
                for role in range(1, len(seen)):
                    path *= next_title(generator, z, y, seen[:role], seen[role])
                for after in range(num_titles(settings)):
                    joint = path * next_title(generator, z, y, seen, after)
                    level = after % NUM_LEVELS
                    by_title[after] += joint * chosen[y, z, level]
                    months += joint * ended[y, z, level]
                    positive += joint * stayed[y, z, level]
                    negative += joint * left[y, z, level]
                    outcome += joint * chosen[y, z, level] * generator.hireable[z, level]
        evidence = by_title.sum()
        best = np.argsort(-by_title, kind="stable")
        assert found.nll[i] == pytest.approx(-np.log(by_title[target] / evidence))
        assert found.rank[i] == list(best).index(target) + 1
        assert found.top[i].tolist() == best[:5].tolist()
        assert found.top5[i] == pytest.approx(by_title[best[:5]].sum() / evidence)
        assert found.ended[i] == pytest.approx(months.sum() / evidence)
        assert found.tenure_months[i] == pytest.approx(months / months.sum(), abs=1e-12)
        assert found.stayed[i] == pytest.approx(positive / (positive + negative))
        assert found.hireable[i] == pytest.approx(outcome / evidence)


def in_window(careers, settings, window):
    """Return the careers whose split date is in the window, found from their dates."""
    last = careers.offsets[1:] - 1
    split = np.where(careers.held[last], careers.starts[last], careers.ends[last])
    end = np.inf if window.end is None else days_since_epoch(window.end)
    chosen = np.flatnonzero((split >= days_since_epoch(window.first)) & (split < end))
    num_roles = np.diff(careers.offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(num_roles)])
    roles = np.repeat(careers.offsets[:-1][chosen] - offsets[:-1], num_roles) + np.arange(offsets[-1])
    return chosen, careers.titles[roles].astype(np.int64), offsets


@pytest.mark.parametrize(
    "options", [{}, {"drift": 1.0}, {"drift": 1.0, "returns": 0.3, "first_role_path": 0.5}]
)
def test_the_optimum_predicts_a_large_population_without_bias(options):
    settings = ProcessSettings(num_families=4, num_specialisations=4, years=8, **options)
    careers = simulate(40_000, 1, settings)
    window = Window(date(2024, 1, 1), None, settings.as_of)
    chosen, titles, offsets = in_window(careers, settings, window)
    best = bayes_optimum(settings, titles, offsets, window)
    last = careers.offsets[1:][chosen] - 1
    ended = ~careers.held[last]
    assert_mean_is(best.rank == 1, best.top1)
    assert_mean_is(best.rank <= 5, best.top5)
    assert_mean_is(ended, best.ended)
    assert_mean_is(careers.hireable[chosen], best.hireable)
    start, end = (days.astype("datetime64[D]") for days in (careers.starts[last], careers.ends[last]))
    month = [day.astype("datetime64[M]") for day in (start, end)]
    months = (month[1] - month[0]).astype(int) - ((end - month[1]) < (start - month[0]))
    mean = best.tenure_months @ np.arange(best.tenure_months.shape[1])
    assert_mean_is(months[ended], mean[ended])
    observed = np.datetime64(settings.as_of)
    held = (observed.astype("datetime64[M]") - month[0]).astype(int) - (
        (observed - observed.astype("datetime64[M]")) < (start - month[0])
    )
    stayed = np.where(ended, months, held) >= 12
    known = ended | stayed
    assert_mean_is(stayed[known], best.stayed[known])
    # The optimum is also unbiased in groups of different confidence: by the last move and by the level.
    kind = kinds_of_moves(settings, titles[offsets[1:] - 3], titles[offsets[1:] - 2])
    for group in range(len(MOVES)):
        members = (kind == group) & (np.diff(offsets) > 2)
        assert_mean_is((best.rank == 1)[members], best.top1[members])
    # And in careers that can return to an earlier title, and in those with only a first title.
    can_return = np.array([len(set(titles[a : b - 1])) > 1 for a, b in pairwise(offsets.tolist())])
    for members in (can_return, np.diff(offsets) == 2):
        assert_mean_is((best.rank == 1)[members], best.top1[members])
        assert_mean_is((best.rank <= 5)[members], best.top5[members])
    for level in range(NUM_LEVELS):
        members = ended & (titles[offsets[1:] - 1] % NUM_LEVELS == level)
        assert members.any()
    inside = (narrowest_intervals(best, 0.8)[ended] - months[ended, None]) * [1, -1] <= 0
    assert_mean_is(inside.all(1), 0.8)


def test_titles_before_the_last_one_improve_the_optimum():
    settings = ProcessSettings(num_families=4, num_specialisations=4)
    window = Window(date(2025, 1, 1), None, settings.as_of)
    _, titles, offsets = in_window(simulate(40_000, 2, settings), settings, window)
    last_two = np.column_stack([titles[offsets[1:] - 2], titles[offsets[1:] - 1]]).ravel()
    forgetful = bayes_optimum(settings, last_two, 2 * np.arange(len(offsets)), window)
    assert bayes_optimum(settings, titles, offsets, window).nll.mean() < forgetful.nll.mean() - 0.05


def test_the_intervals_are_the_narrowest_with_their_coverage():
    settings = ProcessSettings(num_families=2, num_specialisations=2, years=4)
    careers = simulate(400, 0, settings)
    window = Window(date(2024, 1, 1), None, settings.as_of)
    best = bayes_optimum(settings, careers.titles.astype(np.int64), careers.offsets, window)
    best = replace(best, ended=np.ones(len(careers)))
    intervals = narrowest_intervals(best, 0.8)
    cumulative = np.pad(np.cumsum(best.tenure_months, axis=1), ((0, 0), (1, 0)))

    def coverage(start, end):
        each = np.arange(len(careers))
        return (cumulative[each, end + 1] - cumulative[each, start]).mean()

    reached, width = coverage(*intervals.T), np.diff(intervals).mean()
    assert reached == pytest.approx(0.8, abs=0.002)
    for low in (0.02, 0.05, 0.1):  # any pair of quantiles with this coverage is wider
        start = np.argmax(cumulative[:, 1:] > low, axis=1)
        for high in np.arange(low + 0.7, 1, 0.005):
            end = np.argmax(cumulative[:, 1:] >= high - 1e-12, axis=1)
            if coverage(start, end) >= reached:
                assert (end - start).mean() > width
                break
        else:
            pytest.fail("no pair of quantiles has this coverage")


def test_knowing_the_moves_that_depend_on_the_past_improves_the_optimum():
    settings = ProcessSettings(num_families=4, num_specialisations=4, returns=0.4, first_role_path=0.5)
    without = settings.model_copy(update={"returns": 0.0, "first_role_path": 0.0})
    window = Window(date(2024, 1, 1), None, settings.as_of)
    _, titles, offsets = in_window(simulate(20_000, 2, settings), settings, window)
    best, other = (bayes_optimum(known, titles, offsets, window) for known in (settings, without))
    possible = np.isfinite(other.nll)
    assert possible.mean() < 1  # some moves have no probability without the past
    assert best.nll[possible].mean() < other.nll[possible].mean() - 0.1
    assert (best.rank == 1).mean() > (other.rank == 1).mean() + 0.05

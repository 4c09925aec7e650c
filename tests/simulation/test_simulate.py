"""Simulated careers: determined by the seed, and distributed like the generator's tables."""

from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import (
    DAYS_PER_MONTH,
    GENERATOR_VERSION,
    MOVES,
    NUM_LEVELS,
    build_generator,
)
from trajtune.simulation.posterior import kinds_of_moves
from trajtune.simulation.simulate import BLOCK, days_since_epoch, simulate, simulate_blocks

SMALL = ProcessSettings(num_families=3, num_specialisations=3)
COLUMNS = ("personas", "cohorts", "languages", "hireable", "titles", "spellings", "starts", "ends", "held")


@pytest.fixture(scope="module")
def many():
    return simulate(5 * BLOCK, 0, SMALL)


def is_last(careers):
    last = np.zeros(len(careers.titles), bool)
    last[careers.offsets[1:] - 1] = True
    return last


def test_the_seed_determines_the_careers():
    one, same, other = simulate(500, 7, SMALL), simulate(500, 7, SMALL), simulate(500, 8, SMALL)
    assert all((getattr(one, name) == getattr(same, name)).all() for name in COLUMNS)
    assert not np.array_equal(one.titles[:500], other.titles[:500])


def digest(careers):
    columns = (getattr(careers, name).tobytes() for name in ("offsets", *COLUMNS))
    return sha256(b"".join(columns)).hexdigest()[:16]


def test_careers_match_the_hashes_of_this_generator_version():
    assert GENERATOR_VERSION == 1
    assert digest(simulate(1000, 0)) == "43518b4d526c25c8"
    assert digest(simulate(1000, 0, ProcessSettings(drift=1.0))) == "c254a0dface2b2fb"
    assert digest(simulate(1000, 0, ProcessSettings(num_specialisations=120))) == "aef692e035f7aab4"


def test_a_career_does_not_depend_on_the_number_of_careers(many):
    few = simulate(BLOCK + 10, 0, SMALL)
    roles = few.offsets[-1]
    assert (many.offsets[: len(few) + 1] == few.offsets).all()
    assert (many.titles[:roles] == few.titles).all()
    assert (many.starts[:roles] == few.starts).all()
    assert (many.candidate_ids == np.arange(len(many)) + 1).all()


def test_blocks_contain_the_same_careers_as_simulate(many):
    blocks = list(simulate_blocks(5 * BLOCK, 0, SMALL))
    assert len(blocks) == 5
    assert (np.concatenate([block.ends for block in blocks]) == many.ends).all()


def test_roles_do_not_overlap_and_only_the_last_may_be_held(many):
    last = is_last(many)
    assert (many.ends > many.starts).all()
    assert (many.starts[1:] > many.ends[:-1])[~last[:-1]].all()
    assert (many.starts <= days_since_epoch(SMALL.as_of)).all()
    assert (many.held == (many.ends > days_since_epoch(SMALL.as_of))).all()
    assert not many.held[~last].any()
    assert 0.4 < many.held[last].mean() < 0.6


def test_the_frequency_of_moves_matches_the_generator(many):
    generator = build_generator(SMALL)
    within = ~is_last(many)[:-1]
    before, after = many.titles[:-1][within].astype(int), many.titles[1:][within].astype(int)
    persona = np.repeat(many.personas, np.diff(many.offsets))[:-1][within]
    kind = kinds_of_moves(SMALL, before, after)
    for z in range(len(generator.persona)):
        for level in range(NUM_LEVELS):
            members = (persona == z) & (before % NUM_LEVELS == level)
            observed = np.bincount(kind[members], minlength=len(MOVES))
            expected = generator.move[z, level] * members.sum()
            assert (observed[expected == 0] == 0).all()
            spread = np.sqrt(expected * (1 - generator.move[z, level])) + 1
            assert (np.abs(observed - expected) < 5 * spread).all()


def test_tenures_are_log_normal_by_persona_and_level(many):
    generator = build_generator(SMALL)
    persona, level = np.repeat(many.personas, np.diff(many.offsets)), many.titles % NUM_LEVELS
    months = (many.ends - many.starts) / DAYS_PER_MONTH
    standard = (np.log(months) - generator.log_tenure_mean[persona, level]) / generator.log_tenure_sigma[
        persona
    ]
    assert np.median(standard) == pytest.approx(0, abs=0.02)
    assert np.quantile(standard, 0.9) == pytest.approx(1.2816, abs=0.03)


def test_the_number_of_roles_is_independent_of_persona_and_titles(many):
    num_roles = np.diff(many.offsets)
    assert num_roles.min() == 2
    first_level = many.titles[many.offsets[:-1]] % NUM_LEVELS
    for z in np.unique(many.personas):
        assert num_roles[many.personas == z].mean() == pytest.approx(num_roles.mean(), abs=0.12)
    assert num_roles[first_level <= 1].mean() == pytest.approx(num_roles.mean(), abs=0.08)


def test_only_drift_changes_the_families_over_the_years():
    def share_of_first_family(drift):
        settings = SMALL.model_copy(update={"drift": drift})
        careers = simulate(3 * BLOCK, 0, settings)
        last = careers.offsets[1:] - 1
        family = careers.titles[last] // (SMALL.num_specialisations * NUM_LEVELS)
        recent = careers.starts[last] > np.median(careers.starts[last])
        shares = [np.bincount(family[part], minlength=3) / part.sum() for part in (recent, ~recent)]
        return np.abs(shares[0] - shares[1]).max()

    assert share_of_first_family(0.0) < 0.03
    assert share_of_first_family(2.0) > 0.06


def test_careers_with_a_single_role_need_min_roles_1():
    careers = simulate(BLOCK, 0, SMALL.model_copy(update={"min_roles": 1}))
    assert np.diff(careers.offsets).min() == 1


def test_only_the_first_title_determines_the_next_one():
    settings = SMALL.model_copy(update={"first_role_path": 0.6})
    careers = simulate(2 * BLOCK, 0, settings)
    path = build_generator(settings).path
    first, three = careers.offsets[:-1], np.diff(careers.offsets) > 2
    followed = careers.titles[first + 1] == path[careers.titles[first]]
    later = (careers.titles[first + 2] == path[careers.titles[first + 1]])[three]
    assert 0.6 < followed.mean() < 0.67
    assert later.mean() < 0.2


def test_the_frequency_of_returns_matches_the_settings():
    settings = SMALL.model_copy(update={"num_families": 12, "num_specialisations": 10, "returns": 0.4})
    careers = simulate(BLOCK, 0, settings)
    possible, happened, latest = 0, 0, 0
    for begin, end in pairwise(careers.offsets.tolist()):
        titles = careers.titles[begin:end].tolist()
        for role in range(2, len(titles)):
            earlier = [title for title in titles[:role] if title != titles[role - 1]]
            possible += bool(earlier)
            happened += titles[role] in earlier
            latest += bool(earlier) and titles[role] == earlier[-1]
    assert 0.42 < happened / possible < 0.48  # some returns are ordinary moves
    assert 0.6 < latest / happened < 0.9

"""The probability of being in a split, compared with plain sums."""

from datetime import date

import pytest

from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import build_generator
from trajtune.simulation.split_probability import Window, split_probability


def test_split_probability_matches_the_sum_over_every_day(tiny):
    generator, window, (chosen, ended, stayed, left) = tiny
    found = split_probability(generator, window, 6)
    assert found.in_split == pytest.approx(chosen, rel=1e-9, abs=1e-12)
    assert found.ended_months == pytest.approx(ended, rel=1e-9, abs=1e-12)
    assert found.stayed == pytest.approx(stayed, rel=1e-9, abs=1e-12)
    assert found.left == pytest.approx(left, rel=1e-9, abs=1e-12)


def test_split_probability_depends_on_persona_and_level_of_the_last_role():
    settings = ProcessSettings(num_families=4, num_specialisations=4)
    window = Window(date(2025, 1, 1), None, settings.as_of)
    chosen = split_probability(build_generator(settings), window, 12).in_split[0]
    assert chosen[:, 1].max() / chosen[:, 1].min() > 1.05

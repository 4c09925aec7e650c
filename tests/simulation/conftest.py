"""A tiny population whose split probabilities are summed with plain loops."""

from dataclasses import replace

import pytest

from tests.simulation.by_hand import PAST, TINY, TINY_WINDOW, brute_split_probability
from trajtune.simulation.generator import build_generator


@pytest.fixture(
    scope="package",
    params=[("career", TINY), ("transition", TINY), ("career", PAST)],
    ids=["career", "transition", "past-moves"],
)
def tiny(request):
    by, settings = request.param
    generator, window = build_generator(settings), replace(TINY_WINDOW, by=by)
    return generator, window, brute_split_probability(generator, window, 6)

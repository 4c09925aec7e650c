"""A tiny population whose split probabilities are summed by hand."""

from dataclasses import replace

import pytest

from tests.simulation.by_hand import TINY, TINY_WINDOW, brute_split_probability
from trajtune.simulation.generator import build_generator


@pytest.fixture(scope="package", params=["career", "transition"])
def tiny(request):
    generator, window = build_generator(TINY), replace(TINY_WINDOW, by=request.param)
    return generator, window, brute_split_probability(generator, window, 6)

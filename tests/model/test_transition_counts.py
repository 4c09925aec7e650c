from collections.abc import Callable
from itertools import pairwise

import pytest

from trajtune.dataset.arrays import CareerArrays
from trajtune.model.transition_counts import transitions_of


@pytest.fixture(scope="module")
def train(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(200, seed=0)


def careers_of(arrays: CareerArrays) -> list[list[int]]:
    return [arrays.title_ids[a:b].tolist() for a, b in pairwise(arrays.offsets)]


def test_transitions_stay_inside_a_career(train: CareerArrays) -> None:
    transitions = transitions_of(train)
    expected = [
        (career[i - 1], career[i]) for career in careers_of(train) for i in range(1, len(career)) if career[i]
    ]
    assert list(zip(transitions.last, transitions.next, strict=True)) == expected

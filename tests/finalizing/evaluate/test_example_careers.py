import numpy as np
import pytest

from tests.support.predictions import predictions
from trajtune.dataset.arrays import Examples
from trajtune.finalizing.evaluate.example_careers import LONGEST, choose
from trajtune.finalizing.evaluate.last_transitions import Transitions
from trajtune.finalizing.export.graph_predictions import GraphPredictions

SURE, UNSURE = 0.9, 0.3
RIGHT, WRONG = 1, 2


def _predicted(people: list[tuple[float, int, bool, int]]) -> tuple[Transitions, GraphPredictions]:
    """Predictions for people, given as (confidence, rank of the next title, is a changer, roles seen)."""
    size = len(people)
    confidence, rank, changers, length = (list(column) for column in zip(*people, strict=True))
    examples = Examples(np.arange(size, dtype=np.int64) * 100, np.array(length, np.int64))
    columns = np.ones(size, np.int32), [frozenset()] * size, np.array(changers), np.array(changers)
    transitions = Transitions(examples, *columns)
    return transitions, GraphPredictions(predictions(rank), np.array(confidence, np.float32))


def test_one_career_of_each_kind_is_chosen_and_none_twice() -> None:
    people = [
        (SURE, RIGHT, True, 3),  # also a changer, but already chosen
        (SURE, WRONG, False, 3),
        (UNSURE, RIGHT, False, 3),
        (UNSURE, WRONG, False, 3),
        (UNSURE, WRONG, True, 3),
        (SURE, RIGHT, False, 1),
    ]
    assert choose(*_predicted(people)) == {
        "sure, and right": 0,
        "sure, and wrong": 1,
        "unsure, and right": 2,
        "unsure, and wrong": 3,
        "a career changer": 4,
        "a short history": 5,
    }


@pytest.mark.parametrize(
    ("people", "chosen"),
    [
        ([(SURE, RIGHT, False, 2), (SURE, RIGHT, False, 3)], 1),  # three roles are preferred to two
        (
            [(SURE, RIGHT, False, LONGEST + 1), (SURE, RIGHT, False, 2)],
            1,
        ),  # too many roles do not fit into the figure
        ([(SURE, RIGHT, False, LONGEST), (SURE, RIGHT, False, 5)], 0),  # the first in the split's order
    ],
)
def test_a_career_of_a_readable_length_comes_first(
    people: list[tuple[float, int, bool, int]], chosen: int
) -> None:
    assert choose(*_predicted(people))["sure, and right"] == chosen


def test_a_kind_without_a_career_is_left_out() -> None:
    assert choose(*_predicted([(SURE, WRONG, False, LONGEST + 1), (SURE, RIGHT, False, 4)])) == {
        "sure, and right": 1
    }

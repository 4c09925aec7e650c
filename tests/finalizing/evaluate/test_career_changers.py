import numpy as np
import pytest

from tests.support.predictions import predictions
from trajtune.finalizing.evaluate.career_changers import core_words, evaluate_career_changers, is_change


@pytest.mark.parametrize(
    ("current", "following", "expected"),
    [
        ("Software Engineer", "Senior Software Engineer", False),
        ("Software Engineer", "Sr. SWE", False),
        ("Software Engineer", "Data Engineer", False),  # exactly half is shared
        ("Software Engineer", "Nurse", True),
        ("Software Engineer", "Product Manager", True),
        ("Head of Marketing", "Director of Marketing", False),
        ("Software Engineer", "Director", False),  # names no other occupation
        ("Director", "Nurse", True),
        ("Gerente de Produção", "Diretor de Produção", False),
        ("Professor", "Professor", False),
        ("Unit 3", "Unit 7", True),
        ("Precinct 103", "Precinct 45", True),
        ("Engineer 3", "Engineer 4", False),  # a grade
        ("Unit 7", "Unit", False),
    ],
)
def test_a_career_change_shares_less_than_half_of_the_next_titles_core_words(
    current: str, following: str, expected: bool
) -> None:
    assert is_change(current, following) is expected


def test_stop_words_and_seniority_are_not_core_words() -> None:
    assert core_words("Sr. Director of the Sales, II") == {"sales"}


def test_changers_are_measured_separately() -> None:
    made = predictions(
        [1, 3, 0, 9, 1],
        nll=[1, 3, np.nan, 9, 1],
        top_ids=[[4], [2], [2], [5], [9]],
        stay_nll=[0.1, 0.2, 0.2, 0.1, np.nan],
    )
    current = np.array([4, 2, 2, 5, 0], np.int32)
    found = evaluate_career_changers(made, current, np.array([False, True, True, True, True]))
    assert found == {
        "num": 4,
        "top1": 0.25,
        "top5": 0.5,
        "mrr": pytest.approx((1 / 3 + 0 + 1 / 9 + 1) / 4),
        "nll": pytest.approx((3 + 9 + 1) / 3),
        "same_title_rate": 0.75,
        "one_step_lag_detected": True,
    }


def test_predicting_the_current_title_for_changers_is_no_lag_and_unknown_titles_never_match() -> None:
    made = predictions([2, 2, 1, 1], top_ids=[[4], [1], [1], [1]], stay_nll=[0.7, np.nan, 0.7, 0.7])
    changers = np.array([True, True, False, False])
    found = evaluate_career_changers(made, np.array([4, 0, 1, 1], np.int32), changers)
    assert found["same_title_rate"] == 0.5
    assert found["one_step_lag_detected"] is False


def test_no_changer_gives_null_and_a_reason() -> None:
    found = evaluate_career_changers(predictions([1]), np.array([1], np.int32), np.zeros(1, bool))
    assert found["num"] == 0
    assert found["same_title_rate"] is None
    assert "no career changer" in found["reason"]

"""Frames of careers in all supported forms."""

from datetime import date

import pandas as pd
import pytest

import trajtune
from tests.steps.conftest import CUTOFFS, ROLES
from trajtune.errors import SourceError, SplitError


def test_rows_of_people_and_rows_of_roles_give_the_same_careers(split: tuple[pd.DataFrame, ...]) -> None:
    columns = ["title", "start_date", "end_date"]
    people = pd.DataFrame(
        [
            {"id": person, "work_history": roles[columns].to_dict("records")}
            for person, roles in ROLES.groupby("candidate_id")
        ]
    )
    for of_roles, of_people in zip(split, trajtune.temporal_split(people, *CUTOFFS), strict=True):
        assert trajtune.generate_sequences(of_roles) == trajtune.generate_sequences(of_people)


def test_a_split_contains_no_later_day(split: tuple[pd.DataFrame, ...]) -> None:
    train, val, test = split
    assert len(train) + len(val) + len(test) == 40
    assert set(train["known_until"]) == {date(2006, 12, 31)}
    assert max(train["split_date"]) < date(2007, 1, 1) <= min(val["split_date"])
    assert trajtune.generate_sequences(train)[0] == (("Nurse", "Senior Nurse"), "Head Nurse", 11.0, "0")
    # After filtering rows, the frame is still a split.
    assert trajtune.generate_sequences(train.iloc[1:3]) == trajtune.generate_sequences(train)[1:3]
    assert trajtune.generate_sequences(train.iloc[:0]) == []


@pytest.mark.parametrize("cutoff", ["2007", "soon", None, 2007])
def test_a_cutoff_that_is_not_a_date_is_refused(split: tuple[pd.DataFrame, ...], cutoff: object) -> None:
    with pytest.raises(SplitError, match="must be a date, but got"):
        trajtune.temporal_split(split[0], cutoff, "2008-01-01")


def test_a_frame_with_other_columns_is_refused() -> None:
    with pytest.raises(SourceError, match="but this one has name, job"):
        trajtune.generate_sequences(pd.DataFrame({"name": ["a"], "job": ["b"]}))

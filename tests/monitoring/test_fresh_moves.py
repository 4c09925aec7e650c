"""Which moves a bundle has not seen, and what its baselines count."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tests.careers.parts import from_json
from tests.dataset.later_facts import Career, role
from trajtune.careers.exchange.join import checked_and_sorted
from trajtune.careers.schema import LoadedCareers
from trajtune.dataset.encode import SplitData
from trajtune.dataset.titles import TitleEncoder
from trajtune.experiment.settings import DataSettings
from trajtune.monitoring.fresh_moves import careers_before, moves_since, training_cutoff

SINCE = date(2015, 6, 15)
TODAY = date(2018, 1, 1)
SETTINGS = DataSettings(as_of=TODAY)
ENCODER = TitleEncoder.fit(["A", "B"])


def source(*careers: Career, as_of: date = TODAY) -> LoadedCareers:
    data = SETTINGS.model_copy(update={"as_of": as_of})
    people = [(f"c{number}", career) for number, career in enumerate(careers)]
    return checked_and_sorted(from_json(people, data), {"kind": "test"}, data, as_of)


def moved(*starts: str) -> Career:
    return [role(title, start, None) for title, start in zip("ABC", starts, strict=False)]


def since(*careers: Career) -> SplitData | None:
    return moves_since(source(*careers), ENCODER, SETTINGS, SINCE)


def test_only_people_whose_last_role_began_later_are_measured() -> None:
    found = since(moved("2010-01-01", "2015-06-15"), moved("2010-01-01", "2015-06-16"))
    assert found is not None
    assert found.candidate_ids.to_pylist() == ["c1"]


@pytest.mark.parametrize(
    ("start", "is_new"), [("2015-06", False), ("2015-07", True), ("2015", False), ("2016", True)]
)
def test_a_coarse_date_counts_if_all_that_it_may_be_is_later(start: str, is_new: bool) -> None:
    assert (since(moved("2010-01-01", start)) is not None) == is_new


def test_the_input_is_the_career_as_it_is_known_now() -> None:
    found = since(moved("2010-01-01", "2015-07-01", "2016-07-01"))
    assert found is not None
    assert found.titles.to_pylist() == [["A", "B", "C"]]
    assert found.arrays.title_ids[-1] == 0


def test_tenures_are_those_of_roles_that_ended_since_and_were_followed() -> None:
    career = [
        role("A", "2010-01-01", "2012-01-01"),
        role("B", "2012-01-01", "2014-01-01"),
        role("A", "2014-01-01", "2016-01-01"),
        role("B", "2016-01-01", "2017-01-01"),
    ]
    found = since(career)
    assert found is not None
    assert found.arrays.is_outcome.tolist() == [False, False, True, False]


def test_nobody_moved() -> None:
    assert since(moved("2010-01-01", "2012-01-01")) is None


def test_a_source_that_is_no_newer_gives_nothing() -> None:
    assert moves_since(source(moved("2010", "2012"), as_of=SINCE), ENCODER, SETTINGS, SINCE) is None


def test_baselines_count_what_was_known_before_the_cutoff() -> None:
    cutoff = date(2014, 1, 1)
    found = careers_before(source(moved("2010-01-01", "2013-12-31", "2014-01-01")), ENCODER, SETTINGS, cutoff)
    assert found.titles.to_pylist() == [["A", "B"]]
    assert np.isnan(found.arrays.tenure_months).all()
    assert found.split_dates == pa.array([date(2013, 12, 31)])


def test_the_cutoff_of_the_training_is_that_of_the_exported_model() -> None:
    known = {"cutoffs": {"train": "2014-01-01", "val": "2016-01-01"}}
    assert training_cutoff(known) == date(2014, 1, 1)
    known["cutoffs"]["calibration"] = "2015-01-01"
    assert training_cutoff(known) == date(2015, 1, 1)

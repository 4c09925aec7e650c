"""The temporal split lets nothing later than a cutoff into an earlier split."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.careers import ladder_careers
from trajtune.careers.schema import CAREERS
from trajtune.dataset.split import (
    DayCounts,
    calibration_window,
    deciding_dates,
    resolve_cutoffs,
    split_dates,
    temporal_split,
)
from trajtune.errors import SplitError
from trajtune.experiment.settings import SplitSettings


def career(*roles: tuple[str, str, str | None], precision: int = 1, name: str = "c") -> dict[str, Any]:
    return {
        "candidate_id": name,
        "titles": [title for title, _, _ in roles],
        "starts": [date.fromisoformat(start) for _, start, _ in roles],
        "ends": [date.fromisoformat(end) if end else None for _, _, end in roles],
        "precisions": [precision] * len(roles),
        "end_precisions": [precision if end else None for _, _, end in roles],
        "hireable": None,
    }


def table(*careers: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(careers), schema=CAREERS)


def dates_of(*careers: dict[str, Any]) -> list[str]:
    return [str(day) for day in split_dates(table(*careers))]


def test_the_split_date_is_the_latest_end_or_the_start_of_a_role_still_held() -> None:
    ended = career(("A", "2018-01-01", "2020-05-03"), ("B", "2019-01-01", "2019-06-01"))
    held = career(("A", "2018-01-01", "2019-01-01"), ("B", "2019-02-01", None))
    held_beside = career(("A", "2018-01-01", None), ("B", "2019-02-01", "2019-03-01"))
    assert dates_of(ended, held, held_beside) == ["2020-05-03", "2019-02-01", "2019-03-01"]


def test_a_coarse_date_counts_as_the_last_day_it_may_stand_for() -> None:
    by_year = career(("A", "2018-01-01", "2019-01-01"), ("B", "2019-01-01", "2020-01-01"), precision=3)
    by_month = career(("A", "2018-01-01", "2019-01-01"), ("B", "2019-01-01", "2020-02-01"), precision=2)
    assert dates_of(by_year, by_month) == ["2020-12-31", "2020-02-29"]


def test_no_career_is_in_two_splits_and_nothing_dated_at_or_after_a_cutoff_is_before_it() -> None:
    careers = ladder_careers(300)
    splits = temporal_split(careers, date(2012, 1, 1), date(2016, 1, 1))
    ids = [set(part["candidate_id"].to_pylist()) for part in (splits.train, splits.val, splits.test)]
    assert sum(map(len, ids)) == len(set.union(*ids)) == 300
    for part, cutoff in ((splits.train, splits.train_cutoff), (splits.val, splits.val_cutoff)):
        for name in ("starts", "ends"):
            days = [day for days in part[name].to_pylist() for day in days if day]
            assert max(days) < cutoff


def test_a_career_dated_on_the_cutoff_is_in_the_later_split() -> None:
    careers = table(
        career(("A", "2018-01-01", "2019-12-31"), ("B", "2019-12-31", "2019-12-31"), name="train"),
        career(("A", "2018-01-01", "2020-01-01"), ("B", "2019-12-31", "2020-01-01"), name="val"),
        career(("A", "2018-01-01", "2021-01-01"), ("B", "2021-01-01", None), name="test"),
    )
    splits = temporal_split(careers, date(2020, 1, 1), date(2021, 1, 1))
    found = [part["candidate_id"].to_pylist() for part in (splits.train, splits.val, splits.test)]
    assert found == [["train"], ["val"], ["test"]]


def test_auto_cuts_at_the_shares_asked_for() -> None:
    careers = ladder_careers(1000)
    cutoffs = resolve_cutoffs(DayCounts.of(split_dates(careers)), SplitSettings())
    splits = temporal_split(careers, *cutoffs)
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == pytest.approx(
        [700, 150, 150], abs=5
    )


def test_auto_moves_on_when_many_careers_share_one_date() -> None:
    days = np.array(["2020-01-01"] * 2 + ["2021-01-01"] * 7 + ["2022-01-01"], dtype="datetime64[D]")
    assert resolve_cutoffs(DayCounts.of(days), SplitSettings()) == (date(2021, 1, 1), date(2022, 1, 1))


@pytest.mark.parametrize(
    ("shared", "cutoffs"),
    [
        # Years alone: both quantiles fall on the last date.
        ({"2021-12-31": 30, "2022-12-31": 30, "2023-12-31": 40}, ("2022-12-31", "2023-12-31")),
        # An export of one day: train and val divide what is left.
        (
            {"2010-06-01": 20, "2012-06-01": 10, "2014-06-01": 4, "2020-01-01": 66},
            ("2012-06-01", "2020-01-01"),
        ),
        # A date that somebody filled in for most careers, before all others.
        ({"1970-01-01": 90, "2021-01-01": 5, "2022-01-01": 5}, ("2021-01-01", "2022-01-01")),
        ({"1970-01-01": 75, "2021-01-01": 10, "2022-01-01": 15}, ("2021-01-01", "2022-01-01")),
        ({"1970-01-01": 5, "2021-01-01": 5, "2022-01-01": 90}, ("2021-01-01", "2022-01-01")),
    ],
)
def test_auto_leaves_each_split_a_date_where_many_careers_share_one(
    shared: dict[str, int], cutoffs: tuple[str, str]
) -> None:
    days = np.repeat(np.array(list(shared), "datetime64[D]"), list(shared.values()))
    assert tuple(str(day) for day in resolve_cutoffs(DayCounts.of(days), SplitSettings())) == cutoffs


def test_auto_says_what_it_lacks_and_never_advises_auto() -> None:
    days = np.array(["2021-12-31"] * 60 + ["2022-12-31"] * 40, "datetime64[D]")
    with pytest.raises(
        SplitError, match="three different days at least.*2021-12-31 and 2022-12-31"
    ) as caught:
        resolve_cutoffs(DayCounts.of(days), SplitSettings())
    assert "auto, " not in str(caught.value)
    assert "or auto" not in str(caught.value)


@pytest.mark.parametrize(
    ("train_cutoff", "val_cutoff", "message"),
    [
        (date(1990, 1, 1), date(2015, 1, 1), "train has none"),
        (date(2015, 1, 1), date(2090, 1, 1), "test has none"),
        (date(2015, 1, 1), date(2014, 1, 1), "train_cutoff < val_cutoff"),
    ],
)
def test_an_empty_split_is_named_with_the_dates_there_are(
    train_cutoff: date, val_cutoff: date, message: str
) -> None:
    with pytest.raises(SplitError, match=message):
        temporal_split(ladder_careers(50), train_cutoff, val_cutoff)


def test_by_transition_the_last_roles_start_decides() -> None:
    rows = table(
        career(("A", "2018-01-01", "2020-05-03"), ("B", "2019-01-01", "2025-06-01")),
        career(("A", "2018-01-01", None), ("B", "2019-02-01", "2019-03-01"), precision=2),
    )
    assert [str(day) for day in split_dates(rows, "transition")] == ["2019-01-01", "2019-02-28"]


def test_by_transition_an_earlier_role_known_by_its_year_may_have_begun_last() -> None:
    row = career(("A", "2019-01-01", None), ("B", "2019-02-01", "2019-03-01"))
    row["precisions"] = [3, 1]
    assert str(split_dates(table(row), "transition")[0]) == "2019-12-31"


def test_by_move_auto_cuts_at_shares_of_all_moves() -> None:
    careers = ladder_careers(1000)
    dates = deciding_dates(careers, "move")
    assert len(dates) == sum(len(titles) - 1 for titles in careers["titles"].to_pylist())
    train, val = resolve_cutoffs(DayCounts.of(dates), SplitSettings())
    shares = [(dates < np.datetime64(cutoff)).mean() for cutoff in (train, val)]
    assert shares == pytest.approx([0.70, 0.85], abs=0.005)


def test_the_calibration_window_is_the_newest_part_of_val_but_at_least_a_hundred_people() -> None:
    days = np.datetime64("2020-01-01") + np.arange(300)
    cutoff = date(2019, 12, 1)
    assert calibration_window(DayCounts.of(days), cutoff, 0.5) == date(2020, 1, 1) + timedelta(days=150)
    assert calibration_window(DayCounts.of(days), cutoff, 0.1) == date(2020, 1, 1) + timedelta(days=200)
    assert calibration_window(DayCounts.of(days[:100]), cutoff, 0.1) == cutoff

"""A career as of a day holds what was known then, and nothing else."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.careers.parts import from_json, from_rows, sorted_table
from tests.dataset.later_facts import CUTOFFS, Career, last_day, some_career
from tests.dataset.test_leakage import LENIENT, load
from tests.dataset.test_split import career, table
from trajtune.careers.exchange.partitioned import partitioned
from trajtune.dataset.as_of import careers_as_of, without_endless_roles
from trajtune.dataset.prepare import write_content
from trajtune.dataset.split import temporal_split
from trajtune.errors import SplitError
from trajtune.experiment.settings import Experiment, SplitSettings, StorageSettings

DAY = timedelta(days=1)


def known(row: dict[str, Any], day: str, **options: Any) -> list[tuple[str, str, str | None]]:
    found = careers_as_of(table(row), date.fromisoformat(day), **options).to_pylist()
    return [
        (title, str(start), end and str(end))
        for one in found
        for title, start, end in zip(one["titles"], one["starts"], one["ends"], strict=True)
    ]


def test_a_role_is_known_from_its_start_and_its_end_from_its_end() -> None:
    row = career(
        ("A", "2001-01-01", "2002-05-01"), ("B", "2002-06-01", "2003-06-01"), ("C", "2003-07-01", None)
    )
    assert known(row, "2002-05-31") == []  # one role is no career
    assert known(row, "2002-06-01") == [("A", "2001-01-01", "2002-05-01"), ("B", "2002-06-01", None)]
    assert known(row, "2003-06-01")[1] == ("B", "2002-06-01", "2003-06-01")
    assert len(known(row, "2003-07-01")) == 3


def test_a_coarse_date_is_known_from_its_last_day_but_never_later_than_the_data() -> None:
    row = career(("A", "2001-01-01", "2002-01-01"), ("B", "2002-01-01", "2003-01-01"), precision=3)
    assert known(row, "2002-12-30") == []
    assert known(row, "2002-12-31") == [("A", "2001-01-01", "2002-01-01"), ("B", "2002-01-01", None)]
    assert known(row, "2003-03-01", as_of=date(2003, 3, 1))[1] == ("B", "2002-01-01", "2003-01-01")


def test_a_role_that_is_not_certain_hides_none_that_is() -> None:
    row = career(("A", "2001-01-01", None), ("B", "2002-01-01", None), ("C", "2002-02-01", None))
    row["precisions"] = [1, 3, 1]
    assert [title for title, _, _ in known(row, "2002-06-01")] == ["A", "C"]
    assert [title for title, _, _ in known(row, "2002-12-31")] == ["A", "B", "C"]


def test_the_label_of_a_career_that_continued_is_unknown() -> None:
    row = {
        **career(("A", "2001-01-01", None), ("B", "2002-01-01", None), ("C", "2003-01-01", None)),
        "hireable": 1,
    }
    labels = [careers_as_of(table(row), date(year, 6, 1))["hireable"].to_pylist() for year in (2002, 2003)]
    assert labels == [[None], [1.0]]


def test_a_later_repeat_changes_nothing_before_it() -> None:
    row = career(
        ("Z", "2009-01-01", "2010-01-01"), ("B", "2011-01-01", "2011-09-01"), ("B", "2014-01-01", None)
    )
    assert known(row, "2011-12-31", merge_repeats=True)[1] == ("B", "2011-01-01", "2011-09-01")
    assert known(row, "2014-01-01", merge_repeats=True)[1] == ("B", "2011-01-01", None)
    assert known(row, "2014-01-01", merge_repeats=False)[2] == ("B", "2014-01-01", None)


def test_a_merged_career_of_one_title_is_none() -> None:
    row = career(("A", "2009-01-01", "2010-01-01"), ("A", "2011-01-01", None))
    assert known(row, "2014-01-01", merge_repeats=True) == []


def test_a_merged_role_ends_with_the_latest_end_that_is_known() -> None:
    row = career(
        ("B", "2000-01-01", "2001-01-01"),
        ("A", "2002-01-01", "2009-01-01"),
        ("A", "2003-01-01", "2004-01-01"),
    )
    assert known(row, "2010-01-01", merge_repeats=True)[1] == ("A", "2002-01-01", "2009-01-01")
    assert known(row, "2008-01-01", merge_repeats=True)[1] == ("A", "2002-01-01", "2004-01-01")


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.booleans())
def test_the_split_by_move_is_that_of_plain_loops(seed: int, merge_repeats: bool) -> None:
    careers = [*(some_career(Random(seed + number)) for number in range(30)), *fillers()]
    everybody = [(f"c{number}", roles) for number, roles in enumerate(careers)]
    read = from_json(everybody).careers.sort_by("candidate_id")
    train, val = CUTOFFS[0], CUTOFFS[2]
    splits = temporal_split(read, train, val, "move", merge_repeats=merge_repeats)
    for part, since, day in (
        (splits.train, date.min, train - DAY),
        (splits.val, train, val - DAY),
        (splits.test, val, date.max),
    ):
        expected = {}
        for row in read.to_pylist():
            roles = as_of(row, day, merge_repeats)
            if len(roles) >= 2 and begun(roles[-1]) >= since and not held_too_long(row, roles[-1], day):
                expected[row["candidate_id"]] = ([title for title, *_ in roles], begun(roles[-1]))
        found = {row["candidate_id"]: (row["titles"], row["split_date"]) for row in part.to_pylist()}
        assert found == expected


def fillers() -> list[Career]:
    days = (date(2000, 1, 1), *CUTOFFS)
    return [[{"title": title, "start_date": str(day)} for title in ("A", "B")] for day in days]


def begun(role: Sequence[Any]) -> date:
    _, start, precision, *_ = role
    return last_day(str(start)[: {1: 10, 2: 7, 3: 4}[precision]])


def held_too_long(row: dict[str, Any], last: Sequence[Any], day: date) -> bool:
    """As far as the careers of this test need it: none has been held for seventy to seventy-one years."""
    if day == date.max:
        return False
    keys = ("titles", "starts", "precisions", "ends", "end_precisions")
    *_, end, end_precision = [
        fact for fact in zip(*(row[key] for key in keys), strict=True) if begun(fact) <= day
    ][-1]
    is_open = end is None or begun((None, end, end_precision)) > day
    return is_open and day - begun(last) > timedelta(days=365.25 * 71)


def as_of(row: dict[str, Any], day: date, merge_repeats: bool) -> list[tuple[Any, ...]]:
    roles = [
        role
        for role in zip(row["titles"], row["starts"], row["precisions"], strict=True)
        if begun(role) <= day
    ]
    if merge_repeats:
        return [next(group) for _, group in groupby(roles, key=lambda role: role[0])]
    return roles


def test_by_move_a_person_may_be_in_every_split_with_what_was_known_then() -> None:
    row = career(
        *((title, f"{year}-06-01", None) for title, year in zip("ABCD", range(2001, 2005), strict=True))
    )
    splits = temporal_split(table(row), date(2003, 1, 1), date(2004, 1, 1), "move")
    assert [part["titles"].to_pylist() for part in (splits.train, splits.val, splits.test)] == [
        [["A", "B"]],
        [["A", "B", "C"]],
        [["A", "B", "C", "D"]],
    ]


def test_by_move_an_empty_split_is_named_with_the_dates_of_all_moves() -> None:
    row = career(("A", "2001-06-01", None), ("B", "2002-06-01", None), ("C", "2003-06-01", None))
    with pytest.raises(SplitError, match="val has none: .* cover 2002-06-01 to 2003-06-01"):
        temporal_split(table(row), date(2003, 1, 1), date(2003, 2, 1), "move")


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_the_same_facts_as_rows_and_as_json_give_the_same_careers(seed: int) -> None:
    rng = Random(seed)
    everybody = [(f"c{number}", some_career(rng)) for number in range(20)]
    rows = [
        (who, role["title"], role["start_date"], role["end_date"])
        for who, roles in everybody
        for role in roles
    ]
    from_lists = from_json(everybody)
    from_table = from_rows(rng.sample(rows, len(rows)))
    assert sorted_table(from_lists.careers, "candidate_id") == sorted_table(
        from_table.careers, "candidate_id"
    )
    assert from_lists.latest == from_table.latest
    for count in ("careers", "roles", "roles_duplicate", "roles_without_end", "roles_concurrent"):
        assert from_lists.counts[count] == from_table.counts[count]


def test_a_role_held_for_more_than_seventy_years_is_no_career_from_then_on() -> None:
    row = career(("A", "1900-01-01", None), ("B", "1910-01-01", None))
    assert known(row, "1979-12-31")[1] == ("B", "1910-01-01", None)
    assert known(row, "1980-02-01") == []
    ended = career(("A", "1900-01-01", None), ("B", "1910-01-01", "1950-01-01"))
    assert len(known(ended, "2020-01-01")) == 2


ENDLESS = [{"title": "A", "start_date": "1900-01-01"}, {"title": "B", "start_date": "1910-01-01"}]
ENDED = [ENDLESS[0], {**ENDLESS[1], "end_date": "1950-01-01"}]


def test_a_role_held_for_more_than_seventy_years_is_in_quarantine_and_counts_balance() -> None:
    loaded = without_endless_roles(load([("x", ENDLESS), ("y", ENDED)]), date(2015, 1, 1), False, False)
    assert loaded.careers["candidate_id"].to_pylist() == ["y"]
    assert loaded.quarantine.to_pylist() == [
        {
            "candidate_id": "x",
            "level": "career",
            "reason": "held_too_long",
            "detail": "last role without an end since 1910-01-01",
            "num_rows": 1,
        }
    ]
    counts = loaded.counts
    assert counts["rows_in"] == counts["rows_kept"] + counts["rows_quarantined"] == 2
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"] == 2
    assert counts["roles_in"] == counts["roles"] + counts["roles_quarantined"] == 4


def test_it_is_in_the_snapshots_quarantine(tmp_path: Path) -> None:
    days = ("2000-06-01", "2010-01-01", "2015-01-01")
    rows = [
        (day, [{"title": title, "start_date": day, "end_date": None} for title in ("A", "B")]) for day in days
    ]
    split = SplitSettings(by="career", train_cutoff=date(2010, 1, 1), val_cutoff=date(2015, 1, 1))
    experiment = Experiment(data=LENIENT, split=split, storage=StorageSettings(snapshots=str(tmp_path)))
    snapshot, _ = write_content(partitioned(load([*rows, ("x", ENDLESS)])), experiment)
    assert snapshot.manifest["quarantine"] == {"held_too_long": 1}
    assert snapshot.manifest["counts"]["careers"] == 3

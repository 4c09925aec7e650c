"""Each role is parsed and validated separately."""

from datetime import date
from typing import Any

import pytest

from tests.careers.parts import assert_balanced, from_json, from_rows, reasons, role
from trajtune.careers.schema import Precision
from trajtune.experiment.settings import DataSettings


@pytest.mark.parametrize(
    ("broken", "reason", "detail"),
    [
        (role("", "2001"), "no_title", "2001 to None"),
        (role(["x"], "2001"), "title_not_text", '["x"]'),
        (role("C", None), "no_start", "C"),
        (role("C", "since long"), "unreadable_start", "since long"),
        (role("C", "now"), "unreadable_start", "now"),
        (role("C", "2001", "soon"), "unreadable_end", "soon"),
        (role("C", "2001-01-01", "03/04/2002"), "ambiguous_date", "2001-01-01 to 03/04/2002"),
        (role("C", "2026-01-02"), "start_in_future", "2026-01-02"),
        (role("C", "2002-05-02", "2002-05-01"), "end_before_start", "2002-05-02 to 2002-05-01"),
        (7, "not_a_role", "7"),
    ],
)
def test_a_faulty_role_is_dropped_and_the_career_stays(broken: Any, reason: str, detail: str):
    part = from_json([("x", [role("A", "2000"), broken, role("B", "2001")])])
    assert part.careers["titles"].to_pylist() == [["A", "B"]]
    assert reasons(part, "role") == [("x", reason, detail)]
    assert part.counts["rows_quarantined"] == 0
    assert_balanced(part)


def test_an_end_of_coarser_precision_is_not_before_its_start():
    part = from_json([("x", [role("A", "2020-05-03", "2020"), role("B", "2020-06", "2020-06-01")])])
    career = part.careers.to_pylist()[0]
    assert career["precisions"] == [Precision.DAY, Precision.MONTH]
    assert career["end_precisions"] == [Precision.YEAR, Precision.DAY]


def test_an_end_more_than_seventy_years_after_the_start_is_dropped():
    rows = [
        role("A", "1900-01-01", "1970-01-31"),
        role("B", "1900-01-01", "1970-02-01"),
        role("C", "1900", "1971"),
    ]
    part = from_json([("x", rows)])
    assert part.careers["titles"].to_pylist() == [["A", "B", "C"]]
    assert part.careers["ends"].to_pylist() == [[date(1970, 1, 31), None, None]]
    assert part.counts["ends_too_late"] == 2
    assert reasons(part, "role") == []


def test_an_end_in_the_future_means_still_held():
    part = from_json([("x", [role("A", "2000", "2001"), role("B", "2001", "2031-01-01")])])
    assert part.careers["ends"].to_pylist() == [[date(2001, 1, 1), None]]
    assert part.counts["ends_in_future"] == 1


def test_no_role_starts_after_a_fixed_as_of_date():
    settings = DataSettings(as_of=date(2010, 6, 1))
    rows = [role("A", "2000", "2010-06-02"), role("B", "2010-06-01"), role("C", "2010-06-02")]
    part = from_json([("x", rows)], settings)
    assert part.careers["titles"].to_pylist() == [["A", "B"]]
    assert part.careers["ends"].to_pylist() == [[None, None]]
    assert reasons(part, "role") == [("x", "start_in_future", "2010-06-02")]


def test_a_current_role_has_no_end_whatever_its_end_says():
    part = from_rows(
        [("x", "A", "2000", "2001"), ("x", "B", "2001", "2003", "TRUE"), ("x", "C", "2002", "", "f")]
    )
    assert part.careers["ends"].to_pylist() == [[date(2001, 1, 1), None, None]]
    assert part.counts["ends_of_current_roles"] == 1

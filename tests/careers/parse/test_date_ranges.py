"""Ranges in one field are split into two dates, and single dates stay unchanged."""

import pyarrow as pa
import pytest

from trajtune.careers.parse.date_ranges import split_range, split_ranges
from trajtune.careers.parse.dates import DateRules


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Jan 2020 - Present", "Jan 2020", "Present"),
        ("Jan 2020 – Mar 2021 · 1 yr 3 mos", "Jan 2020", "Mar 2021"),
        ("Jan 2020 - Mar 2021 (1 year 3 months)", "Jan 2020", "Mar 2021"),
        ("2015-2018", "2015", "2018"),
        ("2015–2018", "2015", "2018"),
        ("2015 – ", "2015", ""),
        ("2020-01 - 2021-02", "2020-01", "2021-02"),
        ("2020-01-15/2021-02-01", "2020-01-15", "2021-02-01"),
        ("[2020-01-15,2021-02-01)", "2020-01-15", "2021-02-01"),
        ("[2020-01-15,)", "2020-01-15", None),
        ("01/2020 - 03/2021", "01/2020", "03/2021"),
        ("15.01.2020-31.03.2021", "15.01.2020", "31.03.2021"),
        ("Jan 2020 to Mar 2021", "Jan 2020", "Mar 2021"),
        ("from 2015 to 2018", "2015", "2018"),
        ("von März 2015 bis heute", "März 2015", "heute"),
        ("de 2015 à 2018", "2015", "2018"),
        ("since 2018", "2018", None),
        ("Jan - Mar 2020", "Jan 2020", "Mar 2020"),
        ("март 2015 — по настоящее время", "март 2015", "по настоящее время"),
        ("2015年3月 - 至今", "2015年3月", "至今"),
        ("2015年3月～2018年4月", "2015年3月", "2018年4月"),
    ],
)
def test_a_range_is_split_into_two_dates(text: str, start: str, end: str | None) -> None:
    assert split_range(text, DateRules()) == (start, end)


@pytest.mark.parametrize(
    "text", ["2020-01-15", "2020-01", "01/2020", "Jan-2020", "present", "nothing", "a - b"]
)
def test_a_date_and_other_text_are_not_ranges(text: str) -> None:
    assert split_range(text, DateRules()) is None


def test_only_equal_starts_and_ends_are_split() -> None:
    starts = pa.array(["2015-2018", "2015-2018", "2020", None, "2015-2018"])
    ends = pa.array(["2015-2018", "2019", "2020", None, None])
    first, last = split_ranges(starts, ends, DateRules())
    assert first.to_pylist() == ["2015", "2015-2018", "2020", None, "2015-2018"]
    assert last.to_pylist() == ["2018", "2019", "2020", None, None]

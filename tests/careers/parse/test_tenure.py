from datetime import date

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from trajtune.careers.parse.tenure import tenure_months
from trajtune.careers.schema import Precision

DATES = st.dates(date(1900, 1, 1), date(2100, 12, 31))


def months(start: date | None, end: date | None, precision: Precision) -> float:
    return float(
        tenure_months(
            pa.array([start], pa.date32()), pa.array([end], pa.date32()), pa.array([precision], pa.int8())
        )[0]
    )


def test_a_month_is_complete_on_the_same_day_of_the_next():
    assert months(date(2020, 1, 15), date(2020, 3, 14), Precision.DAY) == 1
    assert months(date(2020, 1, 15), date(2020, 3, 15), Precision.DAY) == 2
    assert months(date(2020, 1, 31), date(2020, 2, 28), Precision.DAY) == 0
    assert months(date(1969, 12, 20), date(1970, 1, 19), Precision.DAY) == 0


def test_month_precision_is_the_difference_of_the_months():
    assert months(date(2019, 11, 1), date(2020, 2, 1), Precision.MONTH) == 3


def test_year_precision_is_twelve_times_the_difference_of_the_years():
    assert months(date(1968, 1, 1), date(1971, 1, 1), Precision.YEAR) == 36
    assert months(date(1968, 1, 1), date(1971, 12, 1), Precision.YEAR) == 36


def test_a_role_still_held_has_no_tenure():
    assert np.isnan(months(date(2020, 1, 1), None, Precision.DAY))
    assert np.isnan(months(None, date(2020, 1, 1), Precision.YEAR))


def test_no_roles_have_no_tenures():
    empty = pa.array([], pa.date32())
    assert tenure_months(empty, empty, pa.array([], pa.int8())).dtype == np.float32


@given(st.lists(st.tuples(DATES, DATES), max_size=20))
def test_complete_months_equal_a_count(pairs: list[tuple[date, date]]):
    spans = [(min(pair), max(pair)) for pair in pairs]
    got = tenure_months(
        pa.array([start for start, _ in spans], pa.date32()),
        pa.array([end for _, end in spans], pa.date32()),
        pa.array([Precision.DAY] * len(spans), pa.int8()),
    )
    assert got.tolist() == [_count(*span) for span in spans]


def _count(start: date, end: date) -> int:
    months = 0
    while True:
        years, month = divmod(start.month + months, 12)  # the month after the ones counted, from 0
        if (start.year + years, month + 1, start.day) > (end.year, end.month, end.day):
            return months
        months += 1

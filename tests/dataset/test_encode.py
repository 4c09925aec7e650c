"""Labels say what was known when the split ended, and nothing else."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tests.dataset.test_split import career, table
from trajtune.dataset.as_of import careers_as_of
from trajtune.dataset.encode import SplitData, encode_split, with_vocabulary
from trajtune.dataset.split import SPLIT_DATE
from trajtune.dataset.titles import TitleEncoder
from trajtune.experiment.settings import DataSettings

ENCODER = TitleEncoder.fit(["A", "B"])


def encode(
    *careers: dict[str, object], observed: str = "2020-06-30", as_of: str = "2026-01-01", **settings: object
) -> SplitData:
    day = date.fromisoformat(observed)
    known = careers_as_of(table(*careers), day, as_of=date.fromisoformat(as_of))
    dated = known.append_column(SPLIT_DATE, pa.nulls(len(known), pa.date32()))
    return encode_split(dated, ENCODER, DataSettings(**settings), observed=day)  # type: ignore[arg-type]


def test_tenure_of_a_role_still_held_is_unknown_but_bounded_below() -> None:
    arrays = encode(career(("A", "2018-01-15", "2019-01-14"), ("B", "2019-02-01", None))).arrays
    np.testing.assert_array_equal(arrays.tenure_months, [11, np.nan])
    np.testing.assert_array_equal(arrays.tenure_at_least, [11, 16])


def test_an_earlier_role_without_an_end_is_bounded_by_nothing() -> None:
    arrays = encode(career(("A", "2018-01-15", None), ("B", "2019-02-01", "2020-02-01"))).arrays
    np.testing.assert_array_equal(arrays.tenure_at_least, [np.nan, 12])


def test_the_bound_of_a_coarse_start_never_claims_too_much() -> None:
    by_year = encode(career(("A", "2018-01-01", "2019-01-01"), ("B", "2019-01-01", None), precision=3)).arrays
    by_month = encode(
        career(("A", "2018-01-01", "2019-01-01"), ("B", "2020-05-01", None), precision=2)
    ).arrays
    assert by_year.tenure_at_least[1] == 5  # it may have begun on 31 December
    assert by_month.tenure_at_least[1] == 0  # or on 31 May


def test_staying_after_the_cutoff_is_not_known_before_it() -> None:
    """A role begun five months before the cutoff and still held years later does not prove staying."""
    young = career(("A", "2018-01-15", "2019-01-14"), ("B", "2020-02-01", None))
    assert np.isnan(encode(young, observed="2020-06-30").arrays.hireable[1])
    assert encode(young, observed="2026-01-01").arrays.hireable[1] == 1


def test_an_end_after_the_split_ended_is_masked() -> None:
    """Split by transition, a role begun before the cutoff may end after it."""
    arrays = encode(career(("A", "2018-01-15", "2019-01-14"), ("B", "2020-02-01", "2020-07-01"))).arrays
    np.testing.assert_array_equal(arrays.tenure_months, [11, np.nan])
    np.testing.assert_array_equal(arrays.tenure_at_least, [11, 4])
    assert np.isnan(arrays.hireable[1])


def test_a_coarse_end_counts_as_known_when_it_may_have_happened_last() -> None:
    row = career(("A", "2017-01-01", "2018-01-01"), ("B", "2018-01-01", "2020-01-01"), precision=3)
    assert np.isnan(encode(row, observed="2020-06-30").arrays.tenure_months[1])
    assert encode(row, observed="2020-06-30", as_of="2020-06-30").arrays.tenure_months[1] == 24


@pytest.mark.parametrize(
    ("start", "end", "precision", "label"),
    [
        ("2018-01-01", "2019-01-01", 1, 1.0),
        ("2018-01-01", "2018-12-31", 1, 0.0),
        ("2018-01-01", "2019-01-01", 2, 1.0),
        ("2018-01-01", "2018-01-01", 3, 0.0),
        ("2018-01-01", "2019-01-01", 3, None),  # a day or two years
        ("2018-01-01", "2020-01-01", 3, 1.0),
    ],
)
def test_the_proxy_is_one_zero_or_unknown(start: str, end: str, precision: int, label: float | None) -> None:
    arrays = encode(career(("A", "2017-01-01", "2018-01-01"), ("B", start, end), precision=precision)).arrays
    assert (None if np.isnan(arrays.hireable[1]) else arrays.hireable[1]) == label


def test_a_label_speaks_of_the_last_role_alone() -> None:
    row = {**career(("A", "2018-01-15", "2019-01-14"), ("B", "2019-02-01", None)), "hireable": 1.0}
    arrays = encode(row, hireable_key="hired").arrays
    np.testing.assert_array_equal(arrays.hireable, [np.nan, 1])


def test_a_title_the_vocabulary_does_not_hold_is_zero() -> None:
    data = encode(
        career(("A", "2018-01-15", "2019-01-14"), ("Z", "2019-02-01", None), ("b", "2020-02-01", None))
    )
    assert data.arrays.title_ids.tolist() == [ENCODER.encode("A"), 0, ENCODER.encode("B")]


def test_another_vocabulary_changes_the_title_ids_alone() -> None:
    own = encode(career(("A", "2018-01-15", "2019-01-14"), ("B", "2019-02-01", None)))
    other = TitleEncoder.fit(["B", "C", "A", "C"])
    seen = with_vocabulary(own, other)
    assert seen.arrays.title_ids.tolist() == [other.encode("A"), other.encode("B")]
    assert seen.arrays.title_ids.dtype == own.arrays.title_ids.dtype
    for name, values in own.arrays.to_dict().items():
        if name != "title_ids":
            np.testing.assert_array_equal(values, getattr(seen.arrays, name))
    again = with_vocabulary(seen, ENCODER)
    np.testing.assert_array_equal(again.arrays.title_ids, own.arrays.title_ids)


def test_by_move_outcomes_ended_in_the_window_and_were_followed_by_another_role() -> None:
    careers = (
        career(
            ("A", "2010-01-01", "2012-06-30"),
            ("B", "2012-07-01", "2017-12-31"),  # ended on the eve of the window
            ("C", "2018-01-01", "2019-12-31"),
            ("D", "2020-01-01", None),
        ),
        career(("A", "2012-01-01", "2018-06-30"), ("B", "2018-07-01", "2019-01-31")),
        career(("A", "2012-01-01", "2018-06-30"), ("B", "2018-07-01", None), ("C", "2019-07-01", None)),
    )
    known = careers_as_of(table(*careers), date(2020, 6, 30), as_of=date(2026, 1, 1))
    dated = known.append_column(SPLIT_DATE, pa.nulls(len(known), pa.date32()))

    def marked(since: date | None) -> list[list[int]]:
        arrays = encode_split(
            dated, ENCODER, DataSettings(), observed=date(2020, 6, 30), ended_since=since
        ).arrays
        return [part.astype(int).tolist() for part in np.split(arrays.is_outcome, arrays.offsets[1:-1])]

    assert marked(date(2018, 1, 1)) == [[0, 0, 1, 0], [0, 0], [0, 0, 0]]
    assert marked(date(2017, 12, 31)) == [[0, 1, 1, 0], [0, 0], [0, 0, 0]]
    assert marked(date.min) == [[0, 1, 1, 0], [0, 0], [0, 0, 0]]
    assert marked(None) == [[0, 0, 0, 1], [0, 1], [0, 0, 1]]

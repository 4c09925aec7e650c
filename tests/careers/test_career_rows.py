"""Sources with one row per career: every row is accounted for in any order."""

import random
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.careers.parts import assert_balanced, from_json, reasons, role, sorted_table
from trajtune.experiment.settings import DataSettings

few = hypothesis_settings(max_examples=60)


JSON_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "", None]),
        st.none()
        | st.text(max_size=5)
        | st.lists(
            st.builds(
                role,
                st.sampled_from(["A", "B", "", None, 5]),
                st.sampled_from(["2001", "2002-05", "2003-05-06", "1/2/2003", "x", None, "2031"]),
                st.sampled_from(["2002", "2003-07", "1/2/2003", "x", None, "2031", "now"]),
            )
            | st.integers(),
            max_size=4,
        ),
    ),
    max_size=12,
)


@few
@given(JSON_ROWS, st.randoms(use_true_random=False), st.booleans())
def test_every_row_is_accounted_for_in_any_order(rows: list[Any], rng: random.Random, merge: bool):
    settings = DataSettings(merge_repeats=merge)
    part = from_json(rows, settings)
    assert_balanced(part)
    assert part.counts["rows_in"] == len(rows)
    shuffled = rng.sample(rows, len(rows))
    again = from_json(shuffled, settings, pieces=3)
    assert again.counts == part.counts
    assert again.latest == part.latest
    assert sorted_table(again.careers, "candidate_id") == sorted_table(part.careers, "candidate_id")
    assert sorted_table(again.quarantine) == sorted_table(part.quarantine)


def test_the_longer_of_two_careers_with_the_same_id_stays():
    short, long = (
        [role("A", "2000"), role("B", "2001")],
        [role("A", "2000"), role("B", "2001"), role("C", "2002")],
    )
    for rows in ([("x", short), ("x", long), ("x", "[]")], [("x", "[]"), ("x", long), ("x", short)]):
        part = from_json(rows)
        assert part.careers["titles"].to_pylist() == [["A", "B", "C"]]
        assert reasons(part, "career") == [
            ("x", "duplicate_id", "2 roles"),
            ("x", "too_few_roles", "0 good roles"),
        ]
        assert_balanced(part)

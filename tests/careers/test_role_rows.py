"""Sources with one row per role: every row is accounted for in any order."""

import random
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.careers.parts import assert_balanced, from_rows, sorted_table
from trajtune.experiment.settings import DataSettings

few = hypothesis_settings(max_examples=60)


ROLE_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", " a", "", None]),
        st.sampled_from(["A", "B", " ", None]),
        st.sampled_from(["2001", "2001-01", "2003-05-06", "x", None, "2031"]),
        st.sampled_from(["2002", "2001-07", "1/2/2003", None, "2031"]),
        st.sampled_from([None, "true", "f"]),
        st.sampled_from([None, "yes", "0", "perhaps"]),
    ),
    max_size=14,
)


@few
@given(ROLE_ROWS, st.randoms(use_true_random=False), st.booleans())
def test_every_role_row_is_accounted_for_in_any_order(rows: list[Any], rng: random.Random, merge: bool):
    settings = DataSettings(merge_repeats=merge)
    part = from_rows(rows, settings)
    assert part.counts["rows_in"] == len(rows)
    assert_balanced(part)
    again = from_rows(rng.sample(rows, len(rows)), settings)
    assert again.counts == part.counts
    assert sorted_table(again.careers, "candidate_id") == sorted_table(part.careers, "candidate_id")
    assert sorted_table(again.quarantine) == sorted_table(part.quarantine)


def test_a_label_that_rows_disagree_on_is_unknown():
    rows = [
        ("x", "A", "2000", "", "", "yes"),
        ("x", "B", "2001", "", "", ""),
        ("y", "A", "2000", "", "", "1"),
    ]
    rows += [
        ("y", "B", "2001", "", "", "0"),
        ("z", "A", "2000", "", "", "?"),
        ("z", "B", "2001", "", "", "false"),
    ]
    part = from_rows(rows)
    assert part.careers["hireable"].to_pylist() == [1.0, None, 0.0]
    assert part.counts["labels_known"] == 2
    assert part.counts["labels_unreadable"] == 2


def test_role_rows_with_equal_dates_are_sorted_by_title():
    rows = [("x", title, "2001", "2002") for title in ("C", "A", "B")]
    assert from_rows(rows).careers["titles"].to_pylist() == [["A", "B", "C"]]

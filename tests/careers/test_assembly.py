import json
import random
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trajtune.careers.assembly import Part
from trajtune.careers.career_rows import career_part, join_parts, unpack
from trajtune.careers.reasons import Reason
from trajtune.careers.role_rows import join_roles, role_block
from trajtune.careers.schema import CAREERS, QUARANTINE, Precision
from trajtune.experiment.settings import DataSettings
from trajtune.experiment.sources import JsonHistory, RoleRows

TODAY = date(2026, 1, 1)
few = hypothesis_settings(max_examples=60)
MONTHS = [
    *("janeiro", "fevereiro", "março", "abril", "maio", "junho"),
    *("julho", "agosto", "setembro", "outubro", "novembro", "dezembro"),
]
ROLES = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.dates(date(2000, 1, 1), date(2001, 1, 1)),
        st.none() | st.integers(0, 60),
    ),
    min_size=2,
    max_size=6,
)


def from_json(rows: list[tuple[Any, Any]], settings: DataSettings = DataSettings(), pieces: int = 1) -> Part:
    """Careers of (id, history) rows; a history that is no text is written as JSON."""
    texts = [h if isinstance(h, str) or h is None else json.dumps(h) for _, h in rows]
    table = pa.table(
        {"id": pa.array([i for i, _ in rows], pa.string()), "history": pa.array(texts, pa.string())}
    )
    size = max(1, -(-len(table) // pieces))
    blocks = [table.slice(start, size) for start in range(0, max(1, len(table)), size)]
    packed = [career_part(block, JsonHistory(), settings, TODAY) for block in blocks]
    return join_parts([part for block in packed for part in unpack(block)])


def from_rows(rows: list[tuple[Any, ...]], settings: DataSettings = DataSettings()) -> Part:
    """Careers of (id, title, start, end[, current[, label]]) rows."""
    names = ("id", "title", "start", "end", "current", "label")
    columns = {
        name: pa.array([row[at] if at < len(row) else None for row in rows], pa.string())
        for at, name in enumerate(names)
    }
    return join_roles([role_block(pa.table(columns), RoleRows(), settings, TODAY)], settings)


def role(title: Any, start: Any, end: Any = None) -> dict[str, Any]:
    return {"title": title, "start_date": start, "end_date": end}


def assert_balanced(part: Part) -> None:
    counts = part.counts
    assert counts["rows_in"] == sum(counts[f"rows_{fate}"] for fate in ("kept", "quarantined", "duplicate"))
    assert counts["careers_in"] == counts["careers"] + counts["careers_quarantined"]
    assert counts["careers"] == len(part.careers)
    assert counts["roles_in"] == sum(
        counts[f"roles{fate}"] for fate in ("", "_merged", "_quarantined", "_duplicate")
    )
    levels = part.quarantine["level"].to_pylist()
    assert sum(part.quarantine["num_rows"].to_pylist()) == counts["rows_quarantined"]
    assert set(part.quarantine["reason"].to_pylist()) <= {reason.code for reason in Reason if reason}
    assert part.careers.schema == CAREERS
    assert part.quarantine.schema == QUARANTINE
    if "" not in levels and None not in part.quarantine["candidate_id"].to_pylist():
        assert levels.count("career") == counts["careers_quarantined"]


def reasons(part: Part, level: str) -> list[tuple[Any, str, str]]:
    entries = [e for e in part.quarantine.to_pylist() if e["level"] == level]
    return sorted((e["candidate_id"], e["reason"], e["detail"]) for e in entries)


@few
@given(ROLES, st.randoms(use_true_random=False))
def test_any_order_and_any_date_form_give_the_cleaned_career(roles: Any, rng: random.Random):
    spans = [(t, s, None if days is None else s + timedelta(days=days)) for t, s, days in roles]
    messy = [
        role(f" {t} ", _some_form(s, rng), None if e is None else _some_form(e, rng)) for t, s, e in spans
    ]
    # Equal dates keep the list's order, so the shuffle may not change the order among those.
    messy.sort(key=lambda entry: rng.random() if len({s for _, s, _ in spans}) == len(spans) else 0)
    expected = sorted(dict.fromkeys(spans), key=lambda span: (span[1], span[2] or date.max))
    part = from_json([("x", messy)])
    assert_balanced(part)
    assert part.counts["roles_duplicate"] == len(spans) - len(expected)
    if len(expected) < 2:
        assert len(part.careers) == 0
        return
    career = part.careers.to_pylist()[0]
    assert list(zip(career["titles"], career["starts"], career["ends"], strict=True)) == expected
    assert career["precisions"] == [Precision.DAY] * len(expected)


def _some_form(day: date, rng: random.Random) -> Any:
    stamp = (day - date(1970, 1, 1)).days * 86_400_000
    forms: list[Any] = [
        day.isoformat(),
        f"{day:%Y/%m/%d}",
        f"{day.isoformat()}T12:30:00Z",
        f"{day.day} {day:%b} {day.year}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day} de {MONTHS[day.month - 1]} de {day.year}",
        stamp,
        f"{day:%Y%m%d}",
    ]
    if day.day > 12:
        forms += [f"{day:%d/%m/%Y}", f"{day:%m/%d/%Y}"]
    return rng.choice(forms)


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
def test_every_row_is_accounted_for_and_their_order_changes_nothing(
    rows: list[Any], rng: random.Random, merge: bool
):
    settings = DataSettings(merge_repeats=merge)
    part = from_json(rows, settings)
    assert_balanced(part)
    assert part.counts["rows_in"] == len(rows)
    shuffled = rng.sample(rows, len(rows))
    again = from_json(shuffled, settings, pieces=3)
    assert again.counts == part.counts
    assert again.latest == part.latest
    assert _sorted(again.careers, "candidate_id") == _sorted(part.careers, "candidate_id")
    assert _sorted(again.quarantine) == _sorted(part.quarantine)


def _sorted(table: pa.Table, *names: str) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names or table.column_names])


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
def test_every_role_row_is_accounted_for_and_their_order_changes_nothing(
    rows: list[Any], rng: random.Random, merge: bool
):
    settings = DataSettings(merge_repeats=merge)
    part = from_rows(rows, settings)
    assert part.counts["rows_in"] == len(rows)
    assert_balanced(part)
    again = from_rows(rng.sample(rows, len(rows)), settings)
    assert again.counts == part.counts
    assert _sorted(again.careers, "candidate_id") == _sorted(part.careers, "candidate_id")
    assert _sorted(again.quarantine) == _sorted(part.quarantine)


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
        (role("C", "1900", "1971"), "tenure_too_long", "1900 to 1971"),
        (7, "not_a_role", "7"),
    ],
)
def test_a_broken_role_is_left_out_and_the_career_stays(broken: Any, reason: str, detail: str):
    part = from_json([("x", [role("A", "2000"), broken, role("B", "2001")])])
    assert part.careers["titles"].to_pylist() == [["A", "B"]]
    assert reasons(part, "role") == [("x", reason, detail)]
    assert part.counts["rows_quarantined"] == 0
    assert_balanced(part)


def test_a_career_that_broken_roles_leave_too_short_is_named_after_the_commonest():
    part = from_json(
        [
            ("x", [role("A", "2000"), role("B", "x"), role("C", None), role("D", None)]),
            ("y", [role("A", "2000")]),
        ]
    )
    assert reasons(part, "career") == [
        ("x", "no_start", "1 good role"),
        ("y", "too_few_roles", "1 good role"),
    ]


def test_an_end_of_coarser_precision_is_not_before_its_start():
    part = from_json([("x", [role("A", "2020-05-03", "2020"), role("B", "2020-06", "2020-06-01")])])
    assert part.careers.to_pylist()[0]["precisions"] == [Precision.YEAR, Precision.MONTH]


def test_seventy_years_are_long_and_no_longer_believed():
    part = from_json([("x", [role("A", "1900-01-01", "1970-01-31"), role("B", "1900-01-01", "1970-02-01")])])
    assert reasons(part, "role") == [("x", "tenure_too_long", "1900-01-01 to 1970-02-01")]


def test_an_end_in_the_future_means_still_held():
    part = from_json([("x", [role("A", "2000", "2001"), role("B", "2001", "2031-01-01")])])
    assert part.careers["ends"].to_pylist() == [[date(2001, 1, 1), None]]
    assert part.counts["ends_in_future"] == 1


def test_a_fixed_as_of_date_is_the_day_after_which_nothing_happened():
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


def test_of_two_careers_with_one_id_the_longer_stays():
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


def test_rows_without_an_id_are_named():
    part = from_json([(None, [role("A", "2000"), role("B", "2001")]), (" ", "[]")])
    assert [reason for _, reason, _ in reasons_of_nameless(part)] == ["no_id", "no_id"]
    part = from_rows([(None, "A", "2000", "2001")])
    assert [(level, reason) for level, reason, _ in reasons_of_nameless(part)] == [("role", "no_id")]


def reasons_of_nameless(part: Part) -> list[tuple[str, str, int]]:
    entries = [e for e in part.quarantine.to_pylist() if e["candidate_id"] is None]
    return [(e["level"], e["reason"], e["num_rows"]) for e in entries]


def test_repeats_are_merged_when_asked():
    rows = [
        role("A", "2000-01", "2001-01"),
        role("A", "2001-02-03", "2003"),
        role("A", "2002", "2002-05"),
        role("B", "2004", None),
        role("A", "2005", None),
    ]
    part = from_json([("x", rows), ("y", rows[:3])], DataSettings(merge_repeats=True))
    career = part.careers.to_pylist()[0]
    assert career["titles"] == ["A", "B", "A"]
    assert career["starts"][0] == date(2000, 1, 1)
    assert career["ends"] == [date(2003, 1, 1), None, None]
    assert career["precisions"] == [Precision.YEAR, Precision.YEAR, Precision.YEAR]
    assert part.counts["roles_merged"] == 2
    assert reasons(part, "career") == [("y", "too_few_roles", "1 good role")]


def test_a_merged_role_has_an_end_if_the_last_of_them_has_one():
    rows = [role("B", "1999", "2000"), role("A", "2000", None), role("A", "2010", "2012")]
    part = from_json([("x", rows), ("y", rows[::-1])], DataSettings(merge_repeats=True))
    for career in part.careers.to_pylist():
        assert career["titles"] == ["B", "A"]
        assert career["ends"] == [date(2000, 1, 1), date(2012, 1, 1)]


def test_concurrent_and_repeated_roles_are_counted():
    part = from_json(
        [
            (
                "x",
                [
                    role("A", "2000", "2010"),
                    role("B", "2001", "2002"),
                    role("B", "2003", "2004"),
                    role("C", "2011"),
                ],
            ),
            ("y", [role("A", "2000", "2001"), role("B", "2001", "2002")]),
            ("z", [role("A", "2000"), role("B", "2000")]),
        ]
    )
    assert part.counts["roles_concurrent"] == 3
    assert part.counts["titles_repeated"] == 1
    assert part.counts["roles_without_end"] == 3


def test_the_latest_day_is_as_late_as_the_precision_allows():
    roles = [role("A", "2000", "2001"), role("B", "2001-02-03", "2001-11")]
    assert from_json([("x", roles)]).latest == (date(2001, 12, 31) - date(1970, 1, 1)).days
    roles = [role("A", "2000", "2001"), role("B", "2001-02-03", "2002-02")]
    assert from_json([("x", roles)]).latest == (date(2002, 2, 28) - date(1970, 1, 1)).days


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


def test_far_apart_dates_and_many_owners_are_sorted_too():
    rng = np.random.default_rng(0)
    rows = [
        (str(i % 50), rng.choice(["A", "B"]), str(1500 + int(rng.integers(500))), None) for i in range(300)
    ]
    part = from_rows(rows)
    for career in part.careers.to_pylist():
        pairs = list(zip(career["starts"], career["titles"], strict=True))
        assert pairs == sorted(set(pairs))


def test_role_rows_of_equal_dates_stand_by_title_whatever_their_order():
    rows = [("x", title, "2001", "2002") for title in ("C", "A", "B")]
    assert from_rows(rows).careers["titles"].to_pylist() == [["A", "B", "C"]]

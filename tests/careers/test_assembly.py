import random
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.careers.parts import assert_balanced, from_json, from_rows, reasons, role
from trajtune.careers.assembly import Part
from trajtune.careers.schema import Precision
from trajtune.dataset.as_of import careers_as_of
from trajtune.experiment.settings import DataSettings

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


@few
@given(ROLES, st.randoms(use_true_random=False))
def test_any_order_and_any_date_format_give_the_same_career(roles: Any, rng: random.Random):
    spans = [(t, s, None if days is None else s + timedelta(days=days)) for t, s, days in roles]
    messy = [
        role(f" {t} ", _some_form(s, rng), None if e is None else _some_form(e, rng)) for t, s, e in spans
    ]
    rng.shuffle(messy)
    by_start = sorted(spans, key=lambda span: (span[1], span[0], span[2] or date.max))
    expected = [next(group) for _, group in groupby(by_start, key=lambda span: (span[1], span[0]))]
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


def test_a_career_too_short_after_faulty_roles_has_their_most_frequent_reason():
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


def test_rows_without_an_id_are_named():
    part = from_json([(None, [role("A", "2000"), role("B", "2001")]), (" ", "[]")])
    assert [reason for _, reason, _ in reasons_of_nameless(part)] == ["no_id", "no_id"]
    part = from_rows([(None, "A", "2000", "2001")])
    assert [(level, reason) for level, reason, _ in reasons_of_nameless(part)] == [("role", "no_id")]


def reasons_of_nameless(part: Part) -> list[tuple[str, str, int]]:
    entries = [e for e in part.quarantine.to_pylist() if e["candidate_id"] is None]
    return [(e["level"], e["reason"], e["num_rows"]) for e in entries]


def merged(part: Part) -> list[dict[str, Any]]:
    return careers_as_of(part.careers, date.max, merge_repeats=True).to_pylist()


def test_repeats_are_merged_when_asked():
    rows = [
        role("A", "2000-01", "2001-01"),
        role("A", "2001-02-03", "2003"),
        role("A", "2002", "2002-05"),
        role("B", "2004", None),
        role("A", "2005", None),
    ]
    part = from_json([("x", rows), ("y", rows[:3])], DataSettings(merge_repeats=True))
    assert_balanced(part)
    career = merged(part)[0]
    assert career["titles"] == ["A", "B", "A"]
    assert career["starts"][0] == date(2000, 1, 1)
    assert career["ends"] == [date(2003, 1, 1), None, None]
    assert career["precisions"] == [Precision.MONTH, Precision.YEAR, Precision.YEAR]
    assert career["end_precisions"] == [Precision.YEAR, None, None]
    assert part.counts["roles_merged"] == 2
    assert reasons(part, "career") == [("y", "too_few_roles", "1 good role")]


def test_a_merged_role_has_an_end_if_the_last_of_them_has_one():
    rows = [role("B", "1999", "2000"), role("A", "2000", None), role("A", "2010", "2012")]
    part = from_json([("x", rows), ("y", rows[::-1])], DataSettings(merge_repeats=True))
    for career in merged(part):
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


def test_distant_dates_and_many_owners_are_sorted():
    rng = np.random.default_rng(0)
    rows = [
        (str(i % 50), rng.choice(["A", "B"]), str(1500 + int(rng.integers(500))), None) for i in range(300)
    ]
    part = from_rows(rows)
    for career in part.careers.to_pylist():
        pairs = list(zip(career["starts"], career["titles"], strict=True))
        assert pairs == sorted(set(pairs))

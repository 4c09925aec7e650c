from typing import Any

from trajtune.dataset.report_sections import data_sections
from trajtune.page.page import Page

COUNTS = {"rows_in": 100, "rows_kept": 90, "careers_in": 80, "careers": 70, "roles_in": 300, "roles": 250}
SPLIT: dict[str, Any] = {
    "careers": 30,
    "unseen_titles": 0.0,
    "unseen_targets": 0.0,
    "unknown_targets": 0.0,
    "psi": 0.0,
}


def html(roles: bool) -> str:
    page = Page("Data", "")
    counts = {name: n for name, n in COUNTS.items() if roles or not name.startswith("roles")}
    splits = {name: {**SPLIT, **({"roles": 99} if roles else {})} for name in ("train", "val", "test")}
    data_sections(page, {"counts": counts, "splits": splits, "quarantine": {"no title": 3, "no date": 1}})
    return page.html()


def test_the_funnel_is_in_careers_and_in_roles() -> None:
    page = html(roles=True)
    assert "careers found: 80; careers kept: 70; train: 30" in page
    assert "roles found: 300; roles kept: 250; train: 99" in page


def test_a_snapshot_without_counts_of_roles_has_a_funnel_of_careers_alone() -> None:
    page = html(roles=False)
    assert "careers kept: 70" in page
    assert "roles kept" not in page


def test_what_was_left_out_is_in_percent_too() -> None:
    assert "75.0 %" in html(roles=True)


def test_drift_is_in_percent() -> None:
    page = Page("Data", "")
    split = {**SPLIT, "unseen_targets": 0.009663, "psi": 0.0183}
    data_sections(page, {"counts": COUNTS, "splits": {"val": split}, "quarantine": {}})
    text = page.html()
    assert 'data-order="0.009663">1.0 %</td>' in text
    assert "0.018</td>" in text

"""The box that answers a typed career, in a real browser."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trajtune.bundle.bundle import load_bundle
from trajtune.finalizing.report.answers import answer_box, commonest_careers
from trajtune.page.page import Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def page(finalized: Path, browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Any:
    written = Page("Answers", "")
    answer_box(written, load_bundle(finalized), "stays 12+ months")
    path = tmp_path_factory.mktemp("answers") / "page.html"
    written.write(path)
    opened: Any = browser.new_page()
    opened.faults = []
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.goto(path.as_uri())
    return opened


def typed(page: Any, *titles: str) -> str:
    page.get_by_role("button", name="Start again").click()
    for title in titles:
        page.get_by_label("Title", exact=True).fill(title)
        page.get_by_role("button", name="Add").click()
    text: str = page.locator(".answer").inner_text()
    return text


def test_careers_are_bounded_and_continue_with_likely_titles(finalized: Path) -> None:
    bundle = load_bundle(finalized)
    careers = commonest_careers(bundle)
    assert 0 < len(careers) <= 2400
    assert len(set(careers)) == len(careers)
    longest = next(career for career in careers if len(career) == 3)
    (before,) = bundle.predict([[bundle.encoder.decode(index) for index in longest[:-1]]])
    assert bundle.encoder.decode(longest[-1]) in [title for title, _ in before.top5[:3]]


def test_a_typed_career_gets_the_bundles_own_prediction(page: Any, finalized: Path) -> None:
    bundle = load_bundle(finalized)
    career = [bundle.encoder.decode(index) for index in commonest_careers(bundle)[-1]]
    (expected,) = bundle.predict([career])
    answer = typed(page, *(f"  {title.upper()} " for title in career))
    assert f"Next role: {expected.next_role}" in answer
    assert f"Confidence {100 * expected.confidence:.1f} %" in answer
    assert f"tenure {expected.shown_min_months} to {expected.shown_max_months} months" in answer
    for title, _ in expected.top5:
        assert title in answer
    assert page.faults == []


def test_a_career_that_is_not_in_the_page_is_reported_with_the_command(page: Any, finalized: Path) -> None:
    bundle = load_bundle(finalized)
    title = bundle.encoder.decode(1)
    answer = typed(page, *([title] * 6))
    assert "This page does not hold the answer for the whole career." in answer
    assert f'trajtune predict BUNDLE "{title}" "{title}"' in answer


def test_a_title_that_is_not_in_the_page_is_reported_and_no_markup_of_it_runs(page: Any) -> None:
    answer = typed(page, "<img src=x onerror=alert(1)>")
    assert "This page does not know “<img src=x onerror=alert(1)>”" in answer
    assert page.locator(".answer img").count() == 0

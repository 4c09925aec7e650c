"""The page with a form for a career, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.running import Server, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(finalized: Path) -> Iterator[Server]:
    with served(finalized) as opened:
        yield opened


@pytest.fixture(params=[(390, "light"), (1280, "dark")], ids=str)
def page(browser: "Browser", server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, scheme = request.param
    opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda found: requests.append(found.url))
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(server.url)
    yield opened
    assert all(url.startswith((server.url, "data:")) for url in requests)
    assert complaints == []
    opened.close()


def test_a_career_is_typed_and_answered_with_the_keyboard_alone(page: Any) -> None:
    page.wait_for_function("document.activeElement.id === 'titles'")
    page.keyboard.type("Jr. Nurse\nWizard\nSr. Nurse")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".next")
    said = page.inner_text("#answer")
    for part in ("Confidence", "months", "The model does not know the title “Wizard”.", "Top five"):
        assert part in said
    roles = page.locator("table").last.locator("tbody th").all_inner_texts()
    assert roles == ["Jr. Nurse", "Wizard", "Sr. Nurse"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "Not every gate passed" in page.inner_text("#gates")


def test_what_is_typed_is_never_markup(page: Any) -> None:
    page.fill("#titles", "<img src=x onerror=alert(1)>\nJr. Nurse")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".next")
    assert "<img src=x onerror=alert(1)>" in page.inner_text("#answer")
    assert page.locator("#answer img").count() == 0


def test_a_career_without_a_known_title_and_one_without_a_title(page: Any) -> None:
    page.fill("#titles", "Wizard")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".next")
    assert "The model knows none of these titles." in page.inner_text("#answer")
    assert "True of all careers in training" in page.inner_text("#answer")

"""How the report looks in a real browser: nothing is off screen, nothing overlaps, the colours are there."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.looks import CLIPPED, COLLISIONS, OFF_SCREEN, PALE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

PHONE, LAPTOP, LARGE = 390, 1280, 1920
PAPER = 720
"""Pixels between the margins of a portrait page."""


@pytest.fixture(scope="module")
def open_at(finalized: Path, browser: "Browser") -> Iterator[Any]:
    """Opens the report at a width and in a colour scheme; each page is opened once."""
    opened: dict[tuple[int, str], Any] = {}

    def at(width: int, scheme: str = "light") -> Any:
        if (width, scheme) not in opened:
            page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
            page.goto((finalized / "report.html").as_uri())
            page.wait_for_function("document.documentElement.dataset.drawn === 'all'")
            opened[width, scheme] = page
        return opened[width, scheme]

    yield at
    for page in opened.values():
        page.close()


@pytest.mark.parametrize("width", [PHONE, LAPTOP, LARGE])
def test_nothing_is_off_screen(open_at: Any, width: int) -> None:
    page = open_at(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OFF_SCREEN) == []


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_no_two_labels_of_a_figure_overlap(open_at: Any, width: int) -> None:
    assert open_at(width).evaluate(COLLISIONS) == []


@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_no_text_is_cut_off(open_at: Any, width: int) -> None:
    assert open_at(width).evaluate(CLIPPED) == []


@pytest.mark.parametrize("width", [PHONE, LAPTOP, LARGE])
def test_the_badge_and_a_large_number_are_in_the_first_screen(open_at: Any, width: int) -> None:
    page = open_at(width)
    page.evaluate("scrollTo(0, 0)")
    for part in (".badge", ".headline .value"):
        box = page.locator(part).first.bounding_box()
        assert 0 <= box["y"] < box["y"] + box["height"] <= 844
        assert 0 <= box["x"] < box["x"] + box["width"] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_at: Any, scheme: str) -> None:
    assert open_at(LAPTOP, scheme).evaluate(PALE) == []


def test_headings_are_in_order_and_every_figure_has_a_text(open_at: Any) -> None:
    page = open_at(LAPTOP)
    ranks = page.evaluate("[...document.querySelectorAll('main :is(h1, h2, h3)')].map(h => +h.tagName[1])")
    assert ranks[0] == 1
    assert ranks.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(ranks))
    assert all(figure.get_attribute("aria-label") for figure in page.locator(".figure").all())


def test_what_has_the_focus_is_outlined(open_at: Any) -> None:
    page = open_at(LAPTOP)
    page.locator("h1").click()
    page.keyboard.press("Tab")
    width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
    assert width >= 2


def test_the_side_bar_is_open_beside_the_page_and_closed_on_a_phone(open_at: Any) -> None:
    for width, is_open in ((LAPTOP, True), (PHONE, False)):
        page = open_at(width)
        assert page.evaluate("document.querySelector('nav.side details').open") is is_open
    links = open_at(LAPTOP).locator("nav.side a").evaluate_all("links => links.map(link => link.hash)")
    assert all(open_at(LAPTOP).locator(link).count() == 1 for link in links)


def test_a_table_is_cards_on_a_phone_with_each_columns_name(open_at: Any) -> None:
    page = open_at(PHONE)
    table = page.locator("table", has_text="latency").first
    assert table.locator("tbody tr").first.evaluate("row => getComputedStyle(row).display") == "block"
    labels = (
        table.locator("tbody tr")
        .first.locator("> *")
        .evaluate_all("cells => cells.map(cell => getComputedStyle(cell, '::before').content)")
    )
    assert labels == [f'"{name}"' for name in ("gate", "result", "value", "limit", "people", "rule")]


def test_a_table_filters_and_downloads_the_rows_that_are_left(open_at: Any, tmp_path: Path) -> None:
    page = open_at(LAPTOP)
    box = page.locator("div.table", has=page.locator("input")).first
    rows = box.locator("tbody tr")
    names = box.locator("tbody tr > :first-child").all_inner_texts()
    box.locator("input").fill(names[-1].upper())
    left = [name for name, row in zip(names, rows.all(), strict=True) if row.is_visible()]
    assert names[-1] in left
    assert len(left) < len(names)
    with page.expect_download() as download:
        box.locator("button.csv").click()
    text = download.value.path().read_text("utf-8-sig")
    header, *lines = text.splitlines()
    assert header.count(",") == box.locator("thead th").count() - 1
    assert len(lines) == len(left)
    box.locator("input").fill("")


def test_paper_is_white_with_dark_ink_and_no_controls(open_at: Any) -> None:
    page = open_at(LAPTOP, "dark")
    page.set_viewport_size({"width": PAPER, "height": 1018})
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("nav.side").is_visible()
    assert page.locator(".tools").first.is_hidden()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert light == "rgb(255, 255, 255)"
    assert ink == "rgb(27, 31, 36)"
    page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=PAPER)
    assert page.locator(".badge").bounding_box()["x"] < PAPER
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen", color_scheme="dark")
    page.set_viewport_size({"width": LAPTOP, "height": 844})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screenshot_is_mostly_page_with_every_colour_of_the_first_screen(open_at: Any, scheme: str) -> None:
    """A coarse look at the pixels: a page that lost its style or its figures differs in these shares."""
    image = pytest.importorskip("PIL.Image")
    page = open_at(LAPTOP, scheme)
    page.evaluate("scrollTo(0, 0)")
    picture = image.open(io.BytesIO(page.screenshot())).convert("RGB")
    colours = picture.getcolors(picture.width * picture.height)
    shares = {colour: count / (picture.width * picture.height) for count, colour in colours}
    card, paper = {
        "light": ((255, 255, 255), (243, 245, 247)),
        "dark": ((23, 27, 31), (15, 18, 20)),
    }[scheme]
    assert 0.4 < shares[card] < 0.8
    assert 0.1 < shares[paper] < 0.4
    model = {"light": (0, 114, 178), "dark": (86, 180, 233)}[scheme]
    assert 0.001 < shares[model] < 0.05

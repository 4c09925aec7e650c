"""Every kind of page in a real browser: nothing is off screen, no labels collide, and it is not empty.

`tests/finalizing/report/test_html_looks.py` looks at the report of a bundle more closely.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.monitoring.test_backtest_report import result
from tests.searching.show.report_runs import run_of, search
from tests.support.looks import CLIPPED, COLLISIONS, OFF_SCREEN, PALE
from trajtune.dataset.snapshot import Snapshot
from trajtune.finalizing.report.comparison import Comparison, Row, comparison_page
from trajtune.monitoring.backtest_report import write_backtest_report
from trajtune.searching.show.report.html import write_search_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

GAIN = {"gain": 0.012, "low": -0.004, "high": 0.028}


def data_report(folder: Path, snapshot: Snapshot) -> Path:
    return Path(str(snapshot.path / "data_report.html"))


def search_report(folder: Path, snapshot: Snapshot) -> Path:
    run = run_of(folder, snapshot, 14)
    search(run, 14)
    write_search_report(run, folder / "search.html")
    return folder / "search.html"


def backtest_report(folder: Path, snapshot: Snapshot) -> Path:
    write_backtest_report(result(), folder / "backtest.html")
    return folder / "backtest.html"


def comparison(folder: Path, snapshot: Snapshot) -> Path:
    names = ("next_role_top1", "next_role_top5", "next_role_nll", "next_role_mrr")
    rows = [Row(name, 0.4, 0.41, GAIN) for name in names]
    found = Comparison("bundle", ("bundles/first", "bundles/second"), ("a", "a"), val=rows, test=rows)
    (folder / "comparison.html").write_text(comparison_page(found), "utf-8")
    return folder / "comparison.html"


PAGES = [data_report, search_report, backtest_report, comparison]


@pytest.mark.parametrize("written", PAGES)
def test_a_page_looks_right_on_a_phone_on_large_screens_and_on_paper(
    written: Callable[[Path, Snapshot], Path],
    tmp_path: Path,
    ladder_snapshot: Snapshot,
    browser: "Browser",
) -> None:
    image = pytest.importorskip("PIL.Image")
    path = written(tmp_path, ladder_snapshot)
    for width, scheme in ((390, "light"), (1280, "light"), (1280, "dark"), (1920, "light")):
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(path.as_uri())
        page.wait_for_function("document.documentElement.dataset.drawn === 'all'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for faults in (OFF_SCREEN, COLLISIONS, CLIPPED, PALE):
            assert page.evaluate(faults) == [], (width, scheme)
        picture = image.open(io.BytesIO(page.screenshot())).convert("RGB")
        colours = picture.getcolors(picture.width * picture.height)
        shares = {colour: count / (picture.width * picture.height) for count, colour in colours}
        card = {"light": (255, 255, 255), "dark": (23, 27, 31)}[scheme]
        assert 0.25 < shares[card] < 0.95, "a page without its style or its figures differs here"
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 720, "height": 1018})
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=720)
        page.close()


@pytest.mark.parametrize("written", PAGES)
def test_a_page_writes_no_share_as_a_raw_number(
    written: Callable[[Path, Snapshot], Path],
    tmp_path: Path,
    ladder_snapshot: Snapshot,
    browser: "Browser",
) -> None:
    page = browser.new_page()
    page.goto(written(tmp_path, ladder_snapshot).as_uri())
    # Params are shown as they are: a learning rate is 0.002571.
    cells = page.locator("main :is(section, header):not(:has-text('Press a trial')) :is(td, .value, dd)")
    raw = re.compile(r"0\.\d{5,}|\de-\d")
    assert cells.count() > 10
    assert [cell for cell in cells.all_inner_texts() if raw.search(cell)] == []
    page.close()

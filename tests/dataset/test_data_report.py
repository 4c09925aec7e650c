"""The data report opens offline in a real browser, with every figure drawn."""

from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import pyarrow.compute as pc
import pytest

from trajtune.dataset.snapshot import Snapshot, read_split, split_files
from trajtune.page.page import Page

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as BrowserPage


# Of each figure and trace: its type, and how many of its marks have a size on the screen.
MARKS = """
() => [...document.querySelectorAll('.figure.js-plotly-plot')].map(plot => {
  const large = path => { const box = path.getBBox(); return box.width > 0 && box.height > 0; };
  const long = path => path.getTotalLength() > 1;
  const bars = [...plot.querySelectorAll('.trace.bars')];
  const lines = [...plot.querySelectorAll('.trace.scatter')];
  const count = (group, marks, drawn) => [...group?.querySelectorAll(marks) ?? []].filter(drawn).length;
  return plot._fullData.map(({type}) => [type, type === 'scatter'
    ? count(lines.shift(), '.js-line', long) : count(bars.shift(), '.point > path', large)]);
})
"""


def opened(path: Path, browser: "Browser") -> tuple["BrowserPage", list[str]]:
    """The page, and all that it asked the network for or complained of."""
    page = browser.new_page()
    faults: list[str] = []
    page.on(
        "request",
        lambda request: (
            faults.append(request.url)
            if request.url != path.as_uri() and not request.url.startswith(("data:", "blob:"))
            else None
        ),
    )
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_function("document.documentElement.dataset.drawn === 'all'")
    return page, faults


def test_figures_without_data_have_no_marks(tmp_path: Path, browser: "Browser") -> None:
    """What the next test counts is seen to be nothing where nothing is drawn."""
    drawn = Page("Some drawn, some not", "")
    drawn.figure(go.Figure(go.Bar(x=[], y=[])), "empty")
    drawn.figure(go.Figure(go.Bar(x=["a", "b"], y=[0, None])), "no heights")
    drawn.figure(go.Figure(go.Scatter(x=[1, 2], y=[None, None])), "no line")
    drawn.figure(go.Figure(go.Scatter(x=[1], y=[1], mode="lines")), "a point is no line")
    drawn.figure(go.Figure(go.Funnel(x=[0, 0], y=["a", "b"])), "empty funnel")
    both = go.Figure([go.Bar(x=["a"], y=[0]), go.Bar(x=["a", "b"], y=[1, 2])])
    both.add_scatter(x=[1, 2, 3], y=[1, 2, 1])
    drawn.figure(both, "two of three traces")
    drawn.write(tmp_path / "page.html")
    page, _ = opened(tmp_path / "page.html", browser)
    assert [[count for _, count in traces] for traces in page.evaluate(MARKS)] == [
        *([0] for _ in range(5)),
        [0, 2, 1],
    ]


def test_it_opens_offline_with_every_figure_drawn(ladder_snapshot: Snapshot, browser: "Browser") -> None:
    path = ladder_snapshot.path / "data_report.html"
    assert path.stat().st_size < 6_000_000
    page, faults = opened(path, browser)
    assert page.locator(".figure").count() == 9
    for figure in page.locator(".figure").all():
        assert figure.get_attribute("aria-label")
    splits = [read_split(split_files(ladder_snapshot, name)) for name in ("train", "val", "test")]
    years = [len(set(pc.year(data.split_dates).to_pylist())) for data in splits]
    described = ladder_snapshot.manifest["splits"].values()
    shares = ("unseen_titles", "unseen_targets", "unknown_titles")
    assert page.evaluate(MARKS) == [
        [["bar", 7]],
        [["bar", 5 if "roles" in ladder_snapshot.manifest["counts"] else 3]],
        [["bar", sum(split[share] > 0 for share in shares)] for split in described],
        [["bar", sum(split[key] > 0 for split in described)] for key in ("psi", "psi_by_chance")],
        [["bar", number] for number in years],
        [["scatter", 1]] * 3,
        [["bar", ladder_snapshot.manifest["vocab_size"] - 1]],
        [["scatter", 1]],
        [["scatter", 1]] * 3,
    ]
    cutoffs = page.locator(".figure").nth(4).locator(".shapelayer path")
    assert [cutoff.evaluate("path => path.getTotalLength() > 10") for cutoff in cutoffs.all()] == [True] * 2
    assert faults == []
    text = page.inner_text("main")
    assert ladder_snapshot.manifest["as_of"] in text
    assert "Führungskraft" in page.content()
    train = ladder_snapshot.read("train").arrays
    last = train.offsets[1:] - 1
    examples = page.locator("section", has_text="From careers to examples")
    row = examples.locator("tr", has_text="train").first.locator("td").all_inner_texts()
    assert [int(cell.split(" (")[0].replace(",", "")) for cell in row] == [
        len(train.title_ids) - train.num_careers,
        train.num_careers,
        sum(train.title_ids[last] > 0),
        sum(train.tenure_months[last] >= 0),
        sum(train.hireable[last] >= 0),
    ]

"""The data report opens offline in a real browser, with every figure drawn."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.dataset.test_split import career, table
from tests.support.careers import loaded
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.profile import profile, stability_index, warnings
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.summary import summary
from trajtune.dataset.test_split import read_split, split_file
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment
from trajtune.page import Page

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_it_opens_offline_with_every_figure_drawn(ladder_snapshot: Snapshot, browser: "Browser") -> None:
    path = ladder_snapshot.path / "data_report.html"
    assert path.stat().st_size < 6_000_000
    page, faults = opened(path, browser)
    assert page.locator(".figure").count() == 7
    for figure in page.locator(".figure").all():
        assert figure.get_attribute("aria-label")
    splits = [read_split(split_file(ladder_snapshot.path, name)) for name in ("train", "val", "test")]
    years = [len(set(pc.year(data.split_dates).to_pylist())) for data in splits]
    described = ladder_snapshot.manifest["splits"].values()
    shares = ("unseen_titles", "unseen_targets", "unknown_targets", "psi")
    assert page.evaluate(MARKS) == [
        [["funnel", 4], *[["funnel", 1]] * 3],
        [["bar", sum(split[share] > 0 for split in described)] for share in shares],
        [["bar", number] for number in years],
        [["scatter", 1]] * 3,
        [["bar", ladder_snapshot.manifest["vocab_size"] - 1]],
        [["scatter", 1]],
        [["scatter", 1]] * 3,
    ]
    cutoffs = page.locator(".figure").nth(2).locator(".shapelayer path")
    assert [cutoff.evaluate("path => path.getTotalLength() > 10") for cutoff in cutoffs.all()] == [True] * 2
    assert faults == []
    text = page.inner_text("main")
    assert ladder_snapshot.manifest["as_of"] in text
    assert "Führungskraft" in page.content()
    train = ladder_snapshot.read("train").arrays
    last = train.offsets[1:] - 1
    row = page.locator("tr", has_text="train").first.locator("td").all_inner_texts()
    assert [int(cell.replace(",", "")) for cell in row] == [
        len(train.title_ids) - train.num_careers,
        train.num_careers,
        sum(train.title_ids[last] > 0),
        sum(train.tenure_months[last] >= 0),
        sum(train.hireable[last] >= 0),
    ]


def test_a_cutoff_on_a_date_that_many_careers_share_is_warned_of(ladder_snapshot: Snapshot) -> None:
    splits = {name: read_split(split_file(ladder_snapshot.path, name)) for name in ("train", "val", "test")}
    described = profile(splits, dict.fromkeys(splits, (0, 0)))
    dates = pa.array([date(2020, 1, 1)] * 21 + [date(2020, 1, 2)] * 79)
    found = warnings(described, dates, {"train": date(2020, 1, 1), "val": date(2020, 6, 1)})
    assert [sentence for sentence in found if "21%" in sentence and "train cutoff" in sentence]
    assert not [sentence for sentence in found if "val cutoff" in sentence]


def test_the_profile_counts_what_hand_counting_counts(ladder_snapshot: Snapshot) -> None:
    data = ladder_snapshot.read("val")
    described = ladder_snapshot.manifest["splits"]["val"]
    ends = [bool(np.isnan(data.arrays.tenure_months[offset - 1])) for offset in data.arrays.offsets[1:]]
    assert described["still_held"] == pytest.approx(sum(ends) / len(ends), abs=1e-4)
    assert described["roles"] == len(data.titles.values)


@pytest.mark.parametrize("vocabulary", [{"min_count": 2}, {"max_titles": 1}])
def test_a_title_that_the_vocabulary_leaves_out_as_too_rare_is_unknown_but_not_unseen(
    tmp_path: Path, vocabulary: dict[str, int]
) -> None:
    """Train: common twice, rare once. Of val's four titles one is new, of its two last ones none."""
    careers = table(
        career(("Common", "2001-01-01", "2002-01-01"), ("Common", "2002-01-01", "2003-01-01"), name="a"),
        career(("Rare", "2001-01-01", "2002-01-01"), ("common!", "2002-01-01", "2003-01-01"), name="b"),
        career(("New", "2009-01-01", "2010-01-01"), ("rare", "2010-01-01", "2011-01-01"), name="c"),
        career(("Common", "2009-01-01", "2010-01-01"), ("Common", "2010-01-01", "2011-01-01"), name="d"),
        career(("工程师", "2015-01-01", "2016-01-01"), ("New", "2016-01-01", "2017-01-01"), name="e"),
    )
    settings = {
        "split": {"train_cutoff": "2008-01-01", "val_cutoff": "2014-01-01"},
        "vocabulary": vocabulary,
        "storage": {"snapshots": str(tmp_path)},
    }
    snapshot = snapshot_of(loaded(careers), validate(Experiment, settings, "test"))
    keys = ("unseen_titles", "unseen_targets", "unknown_titles", "unknown_targets")
    described = snapshot.manifest["splits"]
    assert [described["train"][key] for key in keys] == [0, 0, 0.25, 0]
    assert [described["val"][key] for key in keys] == [0.25, 0, 0.5, 0.5]
    assert [described["test"][key] for key in keys] == [1, 1, 1, 1]
    assert "of the last titles 0.0% never seen in train and 50.0% unknown" in summary(snapshot)
    report = (snapshot.path / "data_report.html").read_text("utf-8")
    rows = [
        re.findall("<td[^>]*>(.*?)</td>", row)
        for row in re.findall('<tr><th scope="row">val</th>.*?</tr>', report)
    ]
    assert [row[4:8] for row in rows if len(row) == 9] == [["0.25", "0.0", "0.5", "0.5"]]


def test_the_stability_index_is_zero_without_change_and_grows_with_it() -> None:
    same = np.array([10, 20, 30])
    assert stability_index(same, same) == 0
    by_hand = (0.75 - 0.25) * np.log(0.75 / 0.25) * 2
    assert stability_index(np.array([1, 4]) * 10**6, np.array([4, 1]) * 10**6) == pytest.approx(
        2 * (0.8 - 0.2) * np.log(4), rel=1e-4
    )
    assert stability_index(np.array([1, 3]) * 10**6, np.array([3, 1]) * 10**6) == pytest.approx(
        by_hand, rel=1e-4
    )

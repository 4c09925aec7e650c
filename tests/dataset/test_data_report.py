"""The data report opens offline in a real browser, with every figure drawn."""

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from trajtune.dataset.profile import profile, stability_index, warnings
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import read_split, split_file

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.slow
def test_it_opens_offline_with_every_figure_drawn(ladder_snapshot: Snapshot, browser: "Browser") -> None:
    path = ladder_snapshot.path / "data_report.html"
    assert path.stat().st_size < 6_000_000
    page = browser.new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('.figure .main-svg').length >= 7")
    assert page.locator(".figure").count() == 7
    for figure in page.locator(".figure").all():
        assert figure.locator(".main-svg").count() >= 1
        assert figure.get_attribute("aria-label")
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []
    text = page.inner_text("main")
    assert ladder_snapshot.manifest["as_of"] in text
    assert "Führungskraft" in page.content()
    train = ladder_snapshot.read("train").arrays
    last = train.offsets[1:] - 1
    row = page.locator("tr", has_text="train").first.locator("td").all_inner_texts()
    assert [int(cell.replace(",", "")) for cell in row[1:]] == [
        len(train.title_ids) - train.num_careers,
        train.num_careers,
        sum(train.title_ids[last] > 0),
        sum(train.tenure_months[last] >= 0),
        sum(train.hireable[last] >= 0),
    ]


def test_a_cutoff_on_a_date_that_many_careers_share_is_warned_of(ladder_snapshot: Snapshot) -> None:
    splits = {name: read_split(split_file(ladder_snapshot.path, name)) for name in ("train", "val", "test")}
    described = profile(splits)
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

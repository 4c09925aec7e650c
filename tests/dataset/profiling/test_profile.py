"""The profile of the splits: counts, drift and warnings."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.dataset.test_split import career, table
from tests.support.careers import loaded
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.profiling.drift import sample_of, stability_index
from trajtune.dataset.profiling.facts import facts_of
from trajtune.dataset.profiling.profile import profile
from trajtune.dataset.profiling.summary import summary
from trajtune.dataset.profiling.warnings import warnings
from trajtune.dataset.snapshot import Snapshot, read_split, split_files
from trajtune.dataset.split import DayCounts
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment


def test_a_cutoff_on_a_date_that_many_careers_share_is_warned_of(ladder_snapshot: Snapshot) -> None:
    splits = {name: read_split(split_files(ladder_snapshot, name)) for name in ("train", "val", "test")}
    encoder = ladder_snapshot.encoder()
    facts = {name: facts_of(data, encoder, date(2020, 1, 1)) for name, data in splits.items()}
    samples = {name: sample_of(data, 0, data.arrays.num_careers) for name, data in splits.items()}
    described = profile(facts, dict.fromkeys(splits, (0, 0)), samples)
    dates = DayCounts.of(np.array([date(2020, 1, 1)] * 21 + [date(2020, 1, 2)] * 79, "datetime64[D]"))
    found = warnings(described, dates, {"train": date(2020, 1, 1), "val": date(2020, 6, 1)}, "career")
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
    assert [row[4:8] for row in rows if len(row) == 12] == [["25.0 %", "0.0 %", "50.0 %", "50.0 %"]]


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


def test_targets_before_the_train_cutoff_and_on_the_day_of_the_last_input_are_counted(tmp_path: Path) -> None:
    """By career, val's first person began the last role before the train cutoff and left it after."""
    careers = table(
        career(("A", "2001-01-01", None), ("B", "2001-01-01", None), name="a"),
        career(("A", "2001-01-01", None), ("B", "2002-01-01", None), name="b"),
        career(("A", "2005-01-01", None), ("B", "2006-01-01", "2010-01-01"), name="c"),
        career(("A", "2009-01-01", None), ("B", "2010-01-01", None), name="d"),
        career(("A", "2015-01-01", None), ("B", "2016-01-01", None), name="e"),
    )
    settings = {
        "split": {"by": "career", "train_cutoff": "2008-01-01", "val_cutoff": "2014-01-01"},
        "storage": {"snapshots": str(tmp_path)},
    }
    snapshot = snapshot_of(loaded(careers), validate(Experiment, settings, "test"))
    described = snapshot.manifest["splits"].values()
    assert [split["targets_before_train_cutoff"] for split in described] == [1, 0.5, 0]
    assert [split["targets_on_input_day"] for split in described] == [0.5, 0, 0]
    assert "50.0% of the last roles begun before the train cutoff" in summary(snapshot)
    assert [
        text
        for text in snapshot.manifest["warnings"]
        if "(50% of train's, 0% of val's, 0% of test's)" in text
    ]
    by_move = {**settings, "split": {**settings["split"], "by": "move"}}
    snapshot = snapshot_of(loaded(careers), validate(Experiment, by_move, "test"))
    assert [split["careers"] for split in snapshot.manifest["splits"].values()] == [3, 1, 1]
    assert snapshot.manifest["splits"]["val"]["targets_before_train_cutoff"] == 0


def _careers_of_one_population(num_careers: int, change: bool) -> pa.Table:
    """Careers whose titles do not depend on their dates; with ``change`` the latest have other titles."""
    random = np.random.default_rng(1)
    titles = random.zipf(1.3, (num_careers, 2)) % 400
    days = np.sort(random.integers(0, 5_000, num_careers))
    late = np.array([date(2005, 1, 1) + timedelta(days=int(day)) for day in days])
    return table(
        *(
            career(
                (f"title{first + 200 * (change and at > 0.7 * num_careers)}", str(day - timedelta(90)), None),
                (f"title{second + 200 * (change and at > 0.7 * num_careers)}", str(day), None),
                name=f"{at:05}",
            )
            for at, ((first, second), day) in enumerate(zip(titles.tolist(), late, strict=True))
        )
    )


@pytest.mark.parametrize("num_careers", [100, 600])
def test_a_population_without_drift_does_not_warn_at_any_size(num_careers: int, tmp_path: Path) -> None:
    """The plain index exceeds 0.25 here, because few careers fill few bins."""
    settings = {"split": {"by": "career"}, "storage": {"snapshots": str(tmp_path)}}
    careers = _careers_of_one_population(num_careers, change=False)
    manifest = snapshot_of(loaded(careers), validate(Experiment, settings, "test")).manifest
    assert manifest["splits"]["val"]["psi"] > 0.25
    assert manifest["splits"]["val"]["psi_by_chance"] > 0.25
    assert not [text for text in manifest["warnings"] if "stability index" in text]


def test_titles_that_change_over_time_are_warned_of(tmp_path: Path) -> None:
    settings = {"split": {"by": "career"}, "storage": {"snapshots": str(tmp_path)}}
    careers = _careers_of_one_population(600, change=True)
    snapshot = snapshot_of(loaded(careers), validate(Experiment, settings, "test"))
    found = [text for text in snapshot.manifest["warnings"] if "stability index" in text]
    assert len(found) == 2
    assert "where chance alone gives up to" in found[0]
    assert "(chance gives up to" in summary(snapshot)


def test_one_career_that_moves_as_of_by_more_than_a_year_is_warned_of(tmp_path: Path) -> None:
    ladder = [
        career(("A", f"20{year:02}-01-01", None), ("B", f"20{year:02}-06-01", None), name=f"p{year}")
        for year in range(1, 12)
    ]
    lone = career(("A", "2005-01-01", None), ("B", "2019-03-01", None), name="z")
    settings = {"storage": {"snapshots": str(tmp_path)}}

    def warned(*careers: dict[str, object], as_of: str) -> list[str]:
        read = replace(loaded(table(*careers)), as_of=date.fromisoformat(as_of))
        manifest = snapshot_of(read, validate(Experiment, settings, "test")).manifest
        return [text for text in manifest["warnings"] if "as_of" in text]

    (sentence,) = warned(*ladder, lone, as_of="2019-03-01")
    assert "One career alone has dates after 2011-06-01" in sentence
    assert "`as_of` to 2019-03-01" in sentence
    assert warned(*ladder, as_of="2011-06-01") == []
    settings = {**settings, "data": {"as_of": "2019-03-01"}}
    assert warned(*ladder, lone, as_of="2019-03-01") == []

"""Properties of the way from rows to a snapshot, for careers of any dates and precisions, by every rule."""

import json
import tempfile
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.careers.parts import from_json, from_rows
from tests.dataset import later_facts
from tests.dataset.later_facts import CHANGES, Career, Later, last_day, role, some_career
from trajtune.careers.exchange.by_person import CAREERS_IN_A_PARTITION
from trajtune.careers.exchange.join import checked_and_sorted
from trajtune.careers.exchange.partitioned import partitioned
from trajtune.careers.schema import LoadedCareers
from trajtune.dataset.divide import days_of, divide
from trajtune.dataset.encode import SplitData
from trajtune.dataset.prepare import snapshot_of, write_content
from trajtune.dataset.snapshot import Snapshot, read_split, split_files
from trajtune.dataset.split import SplitBy
from trajtune.dataset.write_snapshot import Division
from trajtune.experiment.settings import DataSettings, Experiment, SplitSettings, StorageSettings

TODAY = date(2026, 1, 1)
LENIENT = DataSettings(max_quarantine_fraction=1, as_of=TODAY)
# Careers are small enough to read, and shrinking them would hold a failure back for minutes.
some = settings(phases=[Phase.explicit, Phase.generate])
whole_careers = pytest.mark.parametrize("by", ["career", "transition"])
every_rule = pytest.mark.parametrize("by", ["career", "transition", "move"])
SPLITS = ("train", "val", "test")
PARTITION_SIZES = st.sampled_from([CAREERS_IN_A_PARTITION, 10, 4])
"""Careers in a partition, so that there are one, two or several, of which some may be empty."""

FORMS = st.sampled_from(["%Y-%m-%d", "%Y-%m", "%Y"])
DAYS = st.dates(date(2001, 1, 1), date(2020, 12, 31))
ROLE = st.tuples(
    st.sampled_from(["A", "B", "Söme one", "sr. C"]), DAYS, FORMS, st.none() | st.integers(0, 4000), FORMS
)
CAREER = st.lists(ROLE, min_size=1, max_size=4)
CAREERS = st.lists(CAREER, max_size=8)
CUTOFFS = st.lists(DAYS, min_size=2, max_size=2, unique=True).map(sorted)
Rows = list[tuple[str, list[dict[str, Any]]]]


def rows_of(careers: list[Any], prefix: str = "c") -> Rows:
    return [
        (
            f"{prefix}{number}",
            [
                {
                    "title": title,
                    "start_date": start.strftime(form),
                    "end_date": None
                    if length is None
                    else (start + timedelta(days=length)).strftime(end_form),
                }
                for title, start, form, length, end_form in career
            ],
        )
        for number, career in enumerate(careers)
    ]


def anchors(cutoffs: list[date]) -> Rows:
    """A career for each split, so that none is empty."""
    days = (date(2000, 6, 1), *cutoffs)
    return [
        (
            f"anchor{number}",
            [{"title": title, "start_date": day.isoformat()} for title in ("A", f"Title {number}")],
        )
        for number, day in enumerate(days)
    ]


def load(rows: Rows, pieces: int = 1) -> LoadedCareers:
    return checked_and_sorted(from_json(rows, LENIENT, pieces), {"kind": "test"}, LENIENT, TODAY)


def prepare(
    rows: Rows,
    folder: str,
    cutoffs: list[date],
    by: SplitBy,
    pieces: int = 1,
    careers_in_a_partition: int = CAREERS_IN_A_PARTITION,
) -> Snapshot:
    split = SplitSettings(by=by, train_cutoff=cutoffs[0], val_cutoff=cutoffs[1])
    experiment = Experiment(data=LENIENT, split=split, storage=StorageSettings(snapshots=folder))
    # Drawing the report takes fifty times as long as the rest.
    return write_content(partitioned(load(rows, pieces), careers_in_a_partition), experiment)[0]


@whole_careers
@some
@given(CAREERS, CUTOFFS, PARTITION_SIZES)
def test_no_career_is_in_two_splits_and_nothing_from_a_cutoff_on_is_before_it(
    by: SplitBy, careers: list[Any], cutoffs: list[date], size: int
) -> None:
    rows = rows_of(careers) + anchors(cutoffs)
    written = dict(rows)
    with tempfile.TemporaryDirectory() as folder:
        snapshot = prepare(rows, folder, cutoffs, by, careers_in_a_partition=size)
        splits = {name: read_split(split_files(snapshot, name)) for name in SPLITS}
    ids = [data.candidate_ids.to_pylist() for data in splits.values()]
    assert sum(map(len, ids)) == len(set().union(*ids))
    assert sum(map(len, ids)) == snapshot.manifest["counts"]["careers"]
    assert snapshot.manifest["counts"]["rows_in"] == len(rows)
    for name, cutoff in zip(SPLITS, cutoffs, strict=False):
        data = splits[name]
        assert max(data.split_dates.to_pylist()) < cutoff
        tenures = np.split(data.arrays.tenure_months, data.arrays.offsets[1:-1])
        bounds = np.split(data.arrays.tenure_at_least, data.arrays.offsets[1:-1])
        for who, tenure, bound in zip(data.candidate_ids.to_pylist(), tenures, bounds, strict=True):
            starts = [last_day(entry["start_date"]) for entry in written[who]]
            ends = [last_day(entry.get("end_date")) for entry in written[who]]
            assert all(start < cutoff for start in starts)
            known = [end for end in ends if end < cutoff]
            if by == "career":
                assert len(known) == sum(end <= TODAY for end in ends)  # a later one means still held
            # No more ends are told than were known, and no bound reaches beyond the cutoff.
            assert np.isfinite(tenure).sum() <= len(known)
            months = 12 * (cutoff.year - 2000) + cutoff.month
            assert not (bound > months).any()


@whole_careers
@some
@given(CAREERS, CAREERS, CUTOFFS, st.sampled_from(["A", "Astronaut"]))
def test_careers_after_the_cutoff_change_no_byte_of_train_nor_of_the_vocabulary(
    by: SplitBy,
    careers: list[Any],
    more: list[Any],
    cutoffs: list[date],
    title: str,
) -> None:
    rows = rows_of(careers) + anchors(cutoffs)
    later = [
        (name, [*roles, {"title": title, "start_date": (cutoffs[0] + timedelta(days=at)).isoformat()}])
        for at, (name, roles) in enumerate(rows_of(more, "later"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            prepare(found, f"{folder}/{name}", cutoffs, by)
            for name, found in (("before", rows), ("after", [*later, *rows]))
        )
        for file in ("train/careers.parquet", "vocabulary.json"):
            assert (before.path / file).read_bytes() == (after.path / file).read_bytes()


@every_rule
@some
@given(CAREERS, CUTOFFS, st.randoms(use_true_random=False), st.integers(1, 4), PARTITION_SIZES)
def test_the_order_of_rows_changes_no_byte_of_the_snapshot(
    by: SplitBy,
    careers: list[Any],
    cutoffs: list[date],
    rng: Random,
    pieces: int,
    size: int,
) -> None:
    rows = [*rows_of(careers), *anchors(cutoffs), ("c0", []), (None, []), *rows_of(careers[:1])]
    shuffled = rng.sample(rows, len(rows))
    with tempfile.TemporaryDirectory() as folder:
        first = prepare(rows, f"{folder}/first", cutoffs, by, careers_in_a_partition=size)
        second = prepare(shuffled, f"{folder}/second", cutoffs, by, pieces, size)
        assert files_of(first.path) == files_of(second.path)


def test_the_order_of_rows_changes_no_byte_of_the_report(tmp_path: Path) -> None:
    rows = rows_of([[("A", date(2001, 1, at), "%Y", None, "%Y")] * at for at in range(1, 9)])
    cutoffs = [date(2005, 1, 1), date(2010, 1, 1)]
    rows += [(f"{name} again", roles) for name, roles in anchors(cutoffs)] + anchors(cutoffs)
    split = SplitSettings(train_cutoff=cutoffs[0], val_cutoff=cutoffs[1])
    first, second = (
        snapshot_of(
            load(found),
            Experiment(data=LENIENT, split=split, storage=StorageSettings(snapshots=str(tmp_path / name))),
        )
        for name, found in (("first", rows), ("second", rows[::-1]))
    )
    assert "data_report.html" in files_of(first.path)
    assert files_of(first.path) == files_of(second.path)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(["title", "role", "start_date", "from", "end_date", "is_current", "jobs"])
            | st.text(),
            children,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(some, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "", None]), ANYTHING), max_size=6), st.booleans())
def test_any_json_as_a_history_is_accounted_for_in_the_snapshot(rows: list[Any], nested: bool) -> None:
    texts = [(who, json.dumps({"work_history": value} if nested else value)) for who, value in rows]
    good = [{"title": "A", "start_date": "2001"}, {"title": "B", "start_date": "2002"}]
    loaded = load([*texts, ("good", good)])
    left_out = [entry for entry in loaded.quarantine.to_pylist() if entry["level"] == "career"]
    assert len(loaded.careers) + len(left_out) == len(rows) + 1 == loaded.counts["rows_in"]
    assert "good" in loaded.careers["candidate_id"].to_pylist()


def one_for_each_split() -> list[Career]:
    """A career for each split, by every rule and on either side of each cutoff."""
    days = (date(2000, 6, 1), *later_facts.CUTOFFS)
    return [[role("A", day.isoformat(), None), role("B", day.isoformat(), None)] for day in days]


def load_either_way(careers: list[Career], data: DataSettings, as_rows: bool) -> LoadedCareers:
    everybody = [(f"c{number}", career) for number, career in enumerate([*careers, *one_for_each_split()])]
    if as_rows:
        part = from_rows(
            [
                (who, entry["title"], entry["start_date"], entry["end_date"], entry["is_current"] and "true")
                for who, career in everybody
                for entry in career
            ],
            data,
        )
    else:
        part = from_json(everybody, data)
    return checked_and_sorted(part, {"kind": "test"}, data, TODAY)


def divided(
    loaded: LoadedCareers, experiment: Experiment, cutoffs: tuple[date, date], careers_in_a_partition: int
) -> Division:
    careers = partitioned(loaded, careers_in_a_partition)
    return divide(careers, experiment, *cutoffs, days_of(careers, experiment))[0]


def by_person(data: SplitData) -> dict[str, tuple[Any, ...]]:
    """Everything that a split says of each person, but the numbers of the titles."""
    arrays = data.arrays
    columns = arrays.to_dict()
    of_roles = [columns[name] for name in columns if name not in ("title_ids", "offsets")]
    parts = zip(*(np.split(column, arrays.offsets[1:-1]) for column in of_roles), strict=True)
    return {
        who: (titles, day, *(part.tobytes() for part in roles))
        for who, titles, day, roles in zip(
            data.candidate_ids.to_pylist(),
            data.titles.to_pylist(),
            data.split_dates.to_pylist(),
            parts,
            strict=True,
        )
    }


@every_rule
@settings(some, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    split=st.sampled_from(["train", "train of the refit", "val"]),
    merge_repeats=st.booleans(),
    as_of=st.sampled_from([TODAY, "auto"]),
    as_rows=st.booleans(),
    size=PARTITION_SIZES,
)
def test_no_later_fact_changes_what_a_split_holds(
    by: SplitBy,
    seed: int,
    split: str,
    merge_repeats: bool,
    as_of: Any,
    as_rows: bool,
    size: int,
) -> None:
    """By `career` and `transition` later facts decide who is in a split: only who is in both is compared."""
    train, window, val = later_facts.CUTOFFS
    name, cutoffs, day = {
        "train": ("train", (train, val), train),
        "train of the refit": ("train", (window, val), window),
        "val": ("val", (train, val), val),
    }[split]
    rng = Random(seed)
    careers = [some_career(rng) for _ in range(30)]
    changed = deepcopy(careers)
    for career in changed:
        for change in rng.choices(CHANGES, k=rng.randint(1, 3)):
            change(career, Later(rng, day))
    options = DataSettings(merge_repeats=merge_repeats, as_of=as_of, max_quarantine_fraction=1)
    experiment = Experiment(data=options, split=SplitSettings(by=by))
    before, after = (
        divided(load_either_way(rows, options, as_rows), experiment, cutoffs, size)
        for rows in (careers, changed)
    )
    old, new = (by_person(division.split(name)) for division in (before, after))
    if by == "move":
        assert sorted(old) == sorted(new)
    both = old.keys() & new.keys()
    assert {who: old[who] for who in both} == {who: new[who] for who in both}
    ids = [division.split("train").candidate_ids for division in (before, after)]
    if sorted(ids[0].to_pylist()) == sorted(ids[1].to_pylist()):
        assert before.encoder.title_to_idx == after.encoder.title_to_idx

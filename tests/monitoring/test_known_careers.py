"""Careers as they were known on an earlier day, from a snapshot's train and val alone."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import date
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.careers.parts import from_json
from tests.dataset import later_facts
from tests.dataset.later_facts import CHANGES, Career, Later, role, some_career
from trajtune.careers.exchange.join import checked_and_sorted
from trajtune.careers.exchange.partitioned import partitioned
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.as_of import careers_as_of
from trajtune.dataset.divide import days_of, divide
from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.write_snapshot import Division
from trajtune.errors import SnapshotError
from trajtune.experiment.settings import DataSettings, Experiment
from trajtune.monitoring.known_careers import KnownCareers, last_possible_ends

TODAY = date(2026, 1, 1)
CUTOFFS = (later_facts.CUTOFFS[0], later_facts.CUTOFFS[2])
EARLIER = date(2008, 9, 1)
IN_VAL = later_facts.CUTOFFS[1]
DAYS = [EARLIER, IN_VAL]
some = settings(phases=[Phase.explicit, Phase.generate])


def options(**data: Any) -> DataSettings:
    return DataSettings(max_quarantine_fraction=1, as_of=TODAY, **data)


def anchors() -> list[Career]:
    """A career for each split, so that none is empty."""
    days = (date(2000, 6, 1), *CUTOFFS)
    return [[role("A", day.isoformat(), None), role("B", day.isoformat(), None)] for day in days]


def divided(careers: Sequence[Career], data: DataSettings) -> Division:
    everybody = [(f"c{number:03}", career) for number, career in enumerate([*careers, *anchors()])]
    loaded = partitioned(checked_and_sorted(from_json(everybody, data), {"kind": "test"}, data, TODAY))
    experiment = Experiment(data=data)
    return divide(loaded, experiment, *CUTOFFS, days_of(loaded, experiment))[0]


def known(careers: Sequence[Career], data: DataSettings) -> KnownCareers:
    division = divided(careers, data)
    return KnownCareers.joined(division.split("train"), division.split("val"), *CUTOFFS, data)


def content(data: SplitData) -> dict[str, Any]:
    """All that a split holds, but the numbers of titles, which another vocabulary gives."""
    columns = {
        name: column.tobytes() for name, column in data.arrays.to_dict().items() if name != "title_ids"
    }
    lists = (data.candidate_ids, data.titles, data.split_dates)
    return {**columns, "lists": [each.to_pylist() for each in lists]}


def by_person(ids: list[str], titles: list[list[str]]) -> dict[str, tuple[str, ...]]:
    return {who: tuple(own) for who, own in zip(ids, titles, strict=True)}


def changed_later(careers: Sequence[Career], rng: Random, day: date) -> list[Career]:
    changed = deepcopy(list(careers))
    for career in changed:
        for change in rng.choices(CHANGES, k=rng.randint(1, 3)):
            change(career, Later(rng, day))
    return changed


@some
@given(seed=st.integers(0, 2**32), day=st.sampled_from(DAYS))
def test_no_fact_from_a_day_on_changes_what_was_known_before_it(seed: int, day: date) -> None:
    """By dates of every precision, for a day before the train cutoff and one in val."""
    rng, data = Random(seed), options()
    careers = [some_career(rng) for _ in range(30)]
    before, after = (known(each, data) for each in (careers, changed_later(careers, rng, day)))
    assert content(before.before(day)) == content(after.before(day))
    first = date(2006, 3, 1)
    assert content(before.moved_in(first, day)) == content(after.moved_in(first, day))


@some
@given(seed=st.integers(0, 2**32), day=st.sampled_from(DAYS))
def test_the_roles_are_those_that_prepare_would_have_read_on_that_day(seed: int, day: date) -> None:
    rng, data = Random(seed), options()
    careers = [some_career(rng) for _ in range(30)]
    everybody = [(f"c{number:03}", career) for number, career in enumerate([*careers, *anchors()])]
    loaded = checked_and_sorted(from_json(everybody, data), {"kind": "test"}, data, TODAY)
    eve = date.fromordinal(day.toordinal() - 1)
    wanted = careers_as_of(loaded.careers, eve, as_of=TODAY)
    titles = by_person(wanted["candidate_id"].to_pylist(), wanted["titles"].to_pylist())
    found = known(careers, data).before(day)
    own = by_person(found.candidate_ids.to_pylist(), found.titles.to_pylist())
    # Who is held for seventy years at the end of val is left out on every day.
    assert own.items() <= titles.items()
    assert all(
        any("1936" in role["start_date"] for role in careers[int(who[1:])]) for who in titles.keys() - own
    )


def careers_of(*careers: Career) -> KnownCareers:
    return known(careers, options())


def test_a_tenure_is_known_once_the_role_has_certainly_ended() -> None:
    career = [
        role("A", "2005-01-10", "2006-03-20"),
        role("B", "2006-03-20", "2007-05-04"),
        role("C", "2007-05-04", None),
    ]
    careers = careers_of(career)

    def tenures(day: date) -> list[float]:
        arrays = careers.before(day).arrays
        return arrays.tenure_months[: arrays.offsets[1]].tolist()

    # B lasted 13 complete months, so it may have ended as late as 2007-05-19.
    assert np.isnan(tenures(date(2007, 5, 19))[1])
    assert tenures(date(2007, 5, 20))[:2] == [14, 13]
    assert np.isnan(tenures(date(2007, 5, 20))[2])


def test_a_role_that_is_held_has_a_lower_bound_as_of_the_eve() -> None:
    career = [role("A", "2005-01-10", "2006-03-20"), role("B", "2006-03-20", "2009-01-02")]
    arrays = careers_of(career).before(date(2007, 3, 20)).arrays
    assert arrays.tenure_at_least[1] == 11
    assert np.isnan(arrays.hireable[1])
    arrays = careers_of(career).before(date(2007, 3, 21)).arrays
    assert (arrays.tenure_at_least[1], arrays.hireable[1]) == (12, 1)


def test_an_end_in_val_of_somebody_who_moved_later_is_not_known() -> None:
    """It is in the snapshot because the person moved later, which is what is to be predicted."""
    held = [role("A", "2005-01-01", "2006-01-01"), role("B", "2006-01-01", "2011-02-03")]
    moved = [*held, role("C", "2013-05-01", None)]
    day = date(2012, 8, 1)
    one, other = (careers_of(career).before(day) for career in (held, moved))
    assert content(one) == content(other)


def test_a_window_holds_the_last_move_of_each_person_in_it() -> None:
    career = [
        role(title, f"{year}-03-01", None)
        for title, year in zip("ABCD", (2004, 2006, 2007, 2009), strict=True)
    ]
    found = careers_of(career).moved_in(date(2006, 1, 1), date(2008, 1, 1))
    assert found.candidate_ids.to_pylist() == ["c000"]
    assert found.titles.to_pylist() == [["A", "B", "C"]]
    assert found.split_dates.to_pylist() == [date(2007, 3, 1)]


def test_outcomes_of_a_window_are_roles_that_ended_in_it_and_were_followed_by_another() -> None:
    career = [
        role("A", "2003-01-10", "2005-03-20"),
        role("B", "2005-03-20", "2006-05-04"),
        role("C", "2006-05-04", "2007-07-04"),
        role("D", "2007-07-04", None),
    ]
    arrays: CareerArrays = careers_of(career).moved_in(date(2006, 1, 1), date(2008, 1, 1)).arrays
    assert arrays.is_outcome.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("start", "months", "last"),
    [
        ("2020-01-15", 1, "2020-03-14"),
        ("2020-03-01", 2, "2020-05-31"),
        ("2020-01-31", 0, "2020-12-31"),
        ("2020-01-31", 1, "2020-03-30"),
        ("2019-12-31", 13, "2021-02-28"),
        ("2019-12-31", 12, "2021-01-30"),
        ("2020-05-20", 24, "2022-12-31"),
    ],
)
def test_the_last_day_on_which_a_role_may_have_ended(start: str, months: int, last: str) -> None:
    day = np.array([np.datetime64(start).astype(int)], np.int32)
    found = last_possible_ends(day, np.array([months], np.float32))
    assert str(found.astype("datetime64[D]")[0]) == last


def test_a_snapshot_that_is_split_by_career_is_refused(ladder_snapshot: Snapshot) -> None:
    manifest = deepcopy(dict(ladder_snapshot.manifest))
    manifest["settings"]["split"]["by"] = "career"
    with pytest.raises(SnapshotError, match=r"needs `split\.by: move`"):
        KnownCareers.of(Snapshot(ladder_snapshot.path, manifest, ladder_snapshot.ledger))


def test_a_snapshot_with_merged_roles_is_refused(ladder_snapshot: Snapshot) -> None:
    manifest = deepcopy(dict(ladder_snapshot.manifest))
    manifest["settings"]["data"]["merge_repeats"] = True
    manifest["settings"]["split"]["by"] = "move"
    with pytest.raises(SnapshotError, match=r"needs `data\.merge_repeats: false`"):
        KnownCareers.of(Snapshot(ladder_snapshot.path, manifest, ladder_snapshot.ledger))

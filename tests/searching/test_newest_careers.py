"""A search on only the newest train careers."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.model.network.test_recent_roles import long_careers
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.model.training.fit import fit
from trajtune.searching.newest_careers import newest, train_careers, what_is_not_read
from trajtune.searching.run import start_search
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials


def split_of(days: list[int], num_roles: list[int]) -> SplitData:
    """Return a split in which career ``i`` has the titles 10 i + 1, 10 i + 2, ..."""
    titles = [10 * career + role + 1 for career, length in enumerate(num_roles) for role in range(length)]
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    values = np.array(titles, np.float32)
    return SplitData(
        CareerArrays(
            np.array(titles, np.int32),
            offsets,
            values,
            values,
            values,
            np.array(titles, np.int32),
            values > 0,
        ),
        pa.array([str(career) for career in range(len(days))]),
        pa.array([["a"] * length for length in num_roles], pa.list_(pa.string())),
        pa.array([date(2020, 1, 1) + timedelta(days=day) for day in days]),
    )


def test_the_newest_careers_stay_in_their_order_with_all_their_columns() -> None:
    found = newest(split_of([3, 9, 1, 9, 3], [2, 3, 2, 2, 2]), 3)

    assert found.offsets.tolist() == [0, 2, 5, 7]
    assert found.title_ids.tolist() == [1, 2, 11, 12, 13, 31, 32]
    for name in ("tenure_months", "tenure_at_least", "hireable"):
        assert getattr(found, name).tolist() == found.title_ids.tolist()


@pytest.mark.parametrize("number", [None, 10**9])
def test_without_a_limit_all_of_train_is_read(small_snapshot: Snapshot, number: int | None) -> None:
    found = train_careers(small_snapshot, SearchSettings(max_train_careers=number))

    assert found.num_careers == small_snapshot.manifest["splits"]["train"]["careers"]


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_trials_train_on_the_newest_careers_and_are_measured_on_all_of_val(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    content = {
        "search": {"space": "smoke", "trials": 1, "max_train_careers": 40, "max_epochs_total": 2},
        "storage": {"runs": str(tmp_path / "runs")},
    }
    run = start_search(validate(Experiment, content, "test"), small_snapshot)

    train, val = newest(small_snapshot.read("train"), 40), small_snapshot.read("val").arrays
    vocab_size = small_snapshot.encoder().vocab_size
    epochs = fit(RESEARCH_DEFAULT, train, val, vocab_size, seed=0)
    reported = read_trials(read_study(run.path))[0].epochs[0]
    assert reported["val_next_role_nll"] == next(iter(epochs)).metrics["val_next_role_nll"]


def test_the_search_says_which_roles_the_model_does_not_read() -> None:
    arrays = long_careers(3, 70, 100)
    line = what_is_not_read(arrays, 64)
    assert line is not None
    assert line.startswith("2 of 3 train careers have more than 64 roles before their last one: their 40 ")
    assert what_is_not_read(arrays, 99) is None
    assert what_is_not_read(arrays, 0) is None

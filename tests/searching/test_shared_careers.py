"""A search on only the newest train careers."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ray

from tests.model.network.test_recent_roles import long_careers
from tests.support.careers import ladder_careers, loaded
from trajtune.careers.exchange.partitioned import partitioned
from trajtune.dataset import snapshot as snapshot_module
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.prepare import write_content
from trajtune.dataset.snapshot import Snapshot, split_files
from trajtune.errors import StorageError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.finalizing.run import finalize
from trajtune.finalizing.verify import verify
from trajtune.model.training.fit import fit
from trajtune.searching.run import start_search
from trajtune.searching.shared_careers import newest, roles_left_out, shared_split, shared_train
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials


def careers_of(num_roles: list[int]) -> CareerArrays:
    """Return careers in which career ``i`` has the titles 10 i + 1, 10 i + 2, ..."""
    titles = [10 * career + role + 1 for career, length in enumerate(num_roles) for role in range(length)]
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    values = np.array(titles, np.float32)
    ids = np.array(titles, np.int32)
    return CareerArrays(ids, offsets, values, values, values, ids, values > 0)


def test_the_newest_careers_stay_in_their_order_with_all_their_columns() -> None:
    found = newest(careers_of([2, 3, 2, 2, 2]), np.array([3, 9, 1, 9, 3], np.int32), 3)

    assert found.offsets.tolist() == [0, 2, 5, 7]
    assert found.title_ids.tolist() == [1, 2, 11, 12, 13, 31, 32]
    for name in ("tenure_months", "tenure_at_least", "hireable"):
        assert getattr(found, name).tolist() == found.title_ids.tolist()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("number", [None, 10**9])
def test_without_a_limit_all_of_train_is_read(small_snapshot: Snapshot, number: int | None) -> None:
    found = ray.get(shared_train(small_snapshot, SearchSettings(max_train_careers=number)))

    assert CareerArrays.from_dict(found).num_careers == small_snapshot.manifest["splits"]["train"]["careers"]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The careers of `small_snapshot` in several shards."""
    folder = tmp_path_factory.mktemp("sharded")
    experiment = validate(Experiment, {"storage": {"snapshots": str(folder)}}, "test")
    return write_content(partitioned(loaded(ladder_careers(120)), 20), experiment)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("number", [None, 40])
def test_a_task_reads_several_shards_and_not_this_process(
    sharded: Snapshot, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    train, val = sharded.arrays("train"), sharded.arrays("val")
    np.testing.assert_array_equal(train.title_ids, sharded.read("train").arrays.title_ids)
    if number is not None:
        train = newest(train, sharded.split_days("train"), number)
    assert sharded.has_shards

    def refused(*_: object) -> None:
        raise AssertionError("this process must not read careers")

    monkeypatch.setattr(snapshot_module.Snapshot, "_sources", refused)
    settings = SearchSettings(max_train_careers=number)
    found = ray.get([shared_train(sharded, settings), shared_split(sharded, "val")])

    for arrays, expected in zip(found, (train, val), strict=True):
        for name, column in expected.to_dict().items():
            np.testing.assert_array_equal(arrays[name], column)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_a_shard_that_is_gone_is_one_line_without_rays_traceback(sharded: Snapshot, tmp_path: Path) -> None:
    damaged = replace(sharded, path=Path(shutil.copytree(str(sharded.path), tmp_path / "damaged")))
    shard = split_files(damaged, "train")[1]
    assert isinstance(shard, Path)
    shard.unlink()
    content = {
        "search": {"space": "smoke", "trials": 1},
        "storage": {"runs": str(tmp_path / "runs")},
    }
    with pytest.raises(StorageError, match="No such file or directory. Fix that, then continue") as raised:
        start_search(validate(Experiment, content, "test"), damaged)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_a_snapshot_in_several_shards_is_searched_and_finalized(sharded: Snapshot, tmp_path: Path) -> None:
    content = {
        "search": {"space": "smoke", "trials": 1},
        "finalize": {"top_k": 1, "seeds": 1},
        "storage": {"runs": str(tmp_path / "runs"), "bundles": str(tmp_path / "bundles")},
    }
    bundle = finalize(start_search(validate(Experiment, content, "test"), sharded))

    assert verify(bundle)["probes"] > 0


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

    train, val = (
        newest(small_snapshot.arrays("train"), small_snapshot.split_days("train"), 40),
        small_snapshot.arrays("val"),
    )
    vocab_size = small_snapshot.encoder().vocab_size
    epochs = fit(RESEARCH_DEFAULT, train, val, vocab_size, seed=0)
    reported = read_trials(read_study(run.path))[0].epochs[0]
    assert reported["val_next_role_nll"] == next(iter(epochs)).metrics["val_next_role_nll"]


def test_the_search_says_which_roles_the_model_does_not_read() -> None:
    train = long_careers(3, 70, 100).to_dict()
    line = roles_left_out(train, 64)
    assert line is not None
    assert line.startswith("2 of 3 train careers have more than 64 roles before their last one: their 40 ")
    assert roles_left_out(train, 99) is None
    assert roles_left_out(train, 0) is None

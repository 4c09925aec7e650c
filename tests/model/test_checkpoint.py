from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.checkpoint import build_model, load_checkpoint, save_checkpoint, without_optimizer
from trajtune.model.training.fit import fit


@pytest.fixture(scope="module")
def state(careers: Callable[..., CareerArrays], vocab_size: int) -> dict[str, Any]:
    arrays = careers(100, seed=0)
    return next(fit(plain(embedding_dim=8, hidden_dim=4), arrays, arrays, vocab_size, seed=0)).checkpoint()


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    else:
        assert one == other


def test_a_checkpoint_round_trips(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "trial" / "last.pt")
    assert_same(load_checkpoint(tmp_path / "trial" / "last.pt"), state)
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["last.pt"]


def test_torch_reads_the_file_with_weights_only(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "last.pt")
    assert_same(torch.load(tmp_path / "last.pt", weights_only=True), state)


def test_the_same_state_gives_the_same_bytes(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "one.pt")
    save_checkpoint(load_checkpoint(tmp_path / "one.pt"), tmp_path / "other.pt")
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_damage_is_detected_before_parsing(state: dict[str, Any], tmp_path: Path, damage: str) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(state, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "cut": content[:-100], "empty": b"", "foreign": b"x" * 500}[damage])
    with pytest.raises(TrainingError, match=r"last\.pt is damaged"):
        load_checkpoint(path)


def test_a_missing_checkpoint_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.pt: No such file"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_checkpoint_without_optimizer_gives_the_same_model(state: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(state, tmp_path / "last.pt")
    save_checkpoint(without_optimizer(state), tmp_path / "best.pt")
    assert (tmp_path / "best.pt").stat().st_size < 0.55 * (tmp_path / "last.pt").stat().st_size
    model = build_model(load_checkpoint(tmp_path / "best.pt"))
    assert not model.training
    assert_same(dict(model.state_dict()), dict(state["model"]))


def test_a_checkpoint_of_an_earlier_version_gives_the_same_model(
    state: dict[str, Any], careers: Callable[..., CareerArrays], vocab_size: int
) -> None:
    params = {key: value for key, value in state["params"].items() if key not in Params.added}
    model = build_model({**state, "params": params})
    assert_same(dict(model.state_dict()), dict(state["model"]))
    arrays = careers(100, seed=0)
    same = Params.model_validate(params)
    assert (
        next(fit(same, arrays, arrays, vocab_size, seed=0, checkpoint={**state, "params": params})).epoch == 2
    )


def test_weights_for_another_vocabulary_are_refused(state: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="do not match its params"):
        build_model({**state, "vocab_size": 12})

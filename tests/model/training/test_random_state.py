from collections.abc import Callable

import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays
from trajtune.model.training.fit import fit

SMALL = plain(embedding_dim=16, hidden_dim=8, max_epochs=4, learning_rate=5e-3)


@pytest.fixture(scope="module")
def train(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(300, seed=0)


@pytest.fixture(scope="module")
def val(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(120, seed=1)


def test_training_leaves_the_callers_random_state_alone(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    next(fit(SMALL, train, val, vocab_size, seed=0))
    assert torch.equal(torch.rand(3), expected)

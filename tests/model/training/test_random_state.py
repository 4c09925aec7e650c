import torch

from tests.model.conftest import SMALL
from trajtune.dataset.arrays import CareerArrays
from trajtune.model.training.fit import fit


def test_training_does_not_change_the_callers_random_state(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    next(fit(SMALL, train, val, vocab_size, seed=0))
    assert torch.equal(torch.rand(3), expected)

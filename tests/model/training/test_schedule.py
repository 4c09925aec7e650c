from typing import Any

import pytest
import torch

from tests.model.conftest import SMALL, plain
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.batches import Loader
from trajtune.model.checkpoint import new_model
from trajtune.model.training.epoch import train_epoch
from trajtune.model.training.optimizer import create_optimizer
from trajtune.model.training.schedule import learning_rate


def test_schedules_match_expected_rates() -> None:
    def rates(**options: Any) -> list[float]:
        params = plain(learning_rate=1.0, max_epochs=10, **options)
        return [learning_rate(params, epoch) for epoch in (0, 1, 3, 5, 10)]

    assert rates() == [1, 1, 1, 1, 1]
    assert rates(schedule="cosine") == pytest.approx([1, 0.97553, 0.79389, 0.5, 0], abs=1e-5)
    assert rates(schedule="one_cycle") == pytest.approx([0.04, 0.36, 1, 0.81174, 0], abs=1e-5)
    assert rates(warmup_epochs=2) == [0, 0.5, 1, 1, 1]


def test_each_step_has_the_rate_of_the_schedule(train: CareerArrays, vocab_size: int) -> None:
    params = SMALL.model_copy(update={"schedule": "cosine", "max_epochs": 4})
    model = new_model(params, vocab_size)
    optimizer = create_optimizer(model, params)
    loader = Loader(train, examples_of(train, "last"), 32, generator=torch.Generator().manual_seed(0))
    train_epoch(model, loader, optimizer, params, epoch=3)
    expected = learning_rate(params, 2 + (len(loader) - 1) / len(loader))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)

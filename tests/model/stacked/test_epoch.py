"""A stacked epoch gives each model the results that it would get alone."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.conftest import OPTIONS, SMALL
from trajtune.dataset.arrays import CareerArrays
from trajtune.model.batches import create_dataloaders
from trajtune.model.checkpoint import new_model
from trajtune.model.data_parallel import ALONE
from trajtune.model.network.title_words import TitleWords
from trajtune.model.stacked.epoch import train_stacked
from trajtune.model.training.epoch import EpochTraining, train_alone
from trajtune.model.training.optimizer import create_optimizer
from trajtune.model.training.random_state import RandomState
from trajtune.model.training.recency import recency_weights

BATCH = 32

DIFFERENT: list[dict[str, Any]] = [
    {"learning_rate": 2e-3},
    {"learning_rate": 5e-3, "dropout": 0.0, "recency_half_life": 0.0, "schedule": "cosine"},
    {"learning_rate": 1e-3, "dropout": 0.3, "tenure_weight": 0.5, "hireability_weight": 0.0},
]
"""Params in which the models of a stack differ."""


def trainings(
    options: dict[str, Any], train: CareerArrays, vocab_size: int, words: TitleWords
) -> list[EpochTraining]:
    """Return the first epochs of three trainings with different params and seeds."""
    made = []
    for seed, different in enumerate(DIFFERENT):
        params = SMALL.model_copy(update={"batch_size": BATCH, "examples": "last", **different, **options})
        torch.manual_seed(seed)
        model = new_model(params, vocab_size, words if params.title_vectors == "id_and_words" else None)
        model.tenure_mean.fill_(20.0)
        model.tenure_std.fill_(9.0)
        loader, _ = create_dataloaders(
            *(params, train, train, vocab_size), seed=seed, weights=recency_weights(params, train)
        )
        random_state = RandomState(seed, torch.device("cpu"))
        optimizer = create_optimizer(model, params)
        made.append(EpochTraining(model, loader, optimizer, params, 1, ALONE, random_state))
    return made


def next_epoch(training: EpochTraining) -> EpochTraining:
    return EpochTraining(**{**vars(training), "epoch": training.epoch + 1})


@pytest.mark.parametrize("options", [{}, {"num_layers": 1}, *OPTIONS, {"tenure_loss": "mse"}], ids=str)
def test_a_stacked_model_gets_the_results_that_it_gets_alone(
    options: dict[str, Any], train: CareerArrays, vocab_size: int, words: TitleWords
) -> None:
    alone = trainings(options, train, vocab_size, words)
    stacked = trainings(options, train, vocab_size, words)
    for _ in range(2):
        losses = [train_alone(training) for training in alone]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # torch warns of an operation that vmap runs model by model
            assert train_stacked(stacked) == pytest.approx(losses, rel=2e-4)
        alone, stacked = list(map(next_epoch, alone)), list(map(next_epoch, stacked))
    for own, other in zip(alone, stacked, strict=True):
        for (name, weights), others in zip(
            own.model.state_dict().items(), other.model.state_dict().values(), strict=True
        ):
            np.testing.assert_allclose(others, weights, atol=2e-4, err_msg=name)
        assert torch.equal(own.random_state.get()["cpu"], other.random_state.get()["cpu"])

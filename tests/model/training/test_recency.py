from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.batches import create_dataloaders
from trajtune.model.data_parallel import Workers
from trajtune.model.training.fit import fit
from trajtune.model.training.recency import recency_weights

YEAR = 365.25


def arrays(*start_years: list[float]) -> CareerArrays:
    """Return one career for each list of start years; all other values are 1."""
    days = np.concatenate([np.array(years) * YEAR for years in start_years]).astype(np.int32)
    ones = np.ones(len(days), np.float32)
    offsets = np.cumsum([0, *map(len, start_years)])
    return CareerArrays(ones.astype(np.int32), offsets, ones, ones, ones, days, ones > 0)


def test_an_example_has_half_the_weight_after_the_half_life() -> None:
    weights = recency_weights(
        plain(recency_half_life=10.0, examples="last"), arrays([0, 1, 20], [0, 40], [5, 30])
    )
    assert weights is not None
    np.testing.assert_allclose(weights, np.array([0.25, 1, 0.5]) / (1.75 / 3), rtol=1e-3)


def test_the_age_of_a_transition_is_that_of_its_next_role() -> None:
    weights = recency_weights(plain(recency_half_life=10.0), arrays([50, 20, 30], [0, 40]))
    assert weights is not None
    np.testing.assert_allclose(weights / weights[-1], [0.25, 0.5, 1], rtol=1e-3)
    assert weights.mean() == pytest.approx(1)


def test_without_a_half_life_there_are_no_weights() -> None:
    assert recency_weights(plain(recency_half_life=0.0), arrays([0, 1])) is None


class _Others(Workers):
    """A worker next to another worker, whose examples have fixed weights."""

    def all_gather(self, value: Any) -> list[Any]:
        return [value, (1.0, 1)] if isinstance(value, tuple) else [value, 60 * YEAR]


def test_workers_agree_on_the_newest_start_and_the_mean() -> None:
    weights = recency_weights(plain(recency_half_life=10.0), arrays([0, 40], [0, 50]), _Others())
    assert weights is not None
    np.testing.assert_allclose(weights, np.array([0.25, 0.5]) / (1.75 / 3), rtol=1e-3)


def test_with_a_half_life_the_model_follows_the_newest_moves(
    careers: Callable[..., CareerArrays], vocab_size: int
) -> None:
    """The older half of the careers moves in the opposite direction."""
    train, val = careers(400, seed=0), careers(150, seed=1)
    is_old = np.arange(len(train.title_ids)) < train.offsets[200]
    backwards = np.where(train.title_ids > 0, vocab_size - train.title_ids, 0).astype(np.int32)
    changed = replace(
        train,
        title_ids=np.where(is_old, backwards, train.title_ids),
        start_days=np.where(is_old, 0, 20 * YEAR).astype(np.int32),
    )
    reached = []
    for half_life in (0.0, 4.0):
        params = plain(embedding_dim=16, hidden_dim=8, max_epochs=6, learning_rate=0.02)
        params = params.model_copy(update={"recency_half_life": half_life})
        epochs = list(fit(params, changed, val, vocab_size, seed=0))
        reached.append(min(epoch.metrics["val_next_role_nll"] or 99 for epoch in epochs))
    assert reached[1] < reached[0] - 0.1


def test_batches_contain_the_weights_of_their_examples(careers: Callable[..., CareerArrays]) -> None:
    train, params = careers(50, seed=0), plain(recency_half_life=1.0)
    weights = recency_weights(params, train)
    assert weights is not None
    assert len(weights) == len(examples_of(train, params.examples))
    loader, val = create_dataloaders(params, train, train, 25, seed=0, weights=weights)
    for batch in loader:
        assert batch.weight is not None
        np.testing.assert_array_equal(batch.weight.numpy(), weights[batch.index.numpy()])
    assert all(batch.weight is None for batch in val)

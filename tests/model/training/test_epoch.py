from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.model.conftest import SMALL
from trajtune.dataset.arrays import CareerArrays, examples_of, outcome_examples
from trajtune.errors import TrainingError
from trajtune.experiment.params import RESEARCH_DEFAULT
from trajtune.model.batches import Loader, outcome_batches
from trajtune.model.checkpoint import new_model
from trajtune.model.metrics import tenure_metrics
from trajtune.model.network.lstm import UNKNOWN_LOGIT
from trajtune.model.predict import predict
from trajtune.model.training.epoch import evaluate, train_epoch
from trajtune.model.training.fit import fit


def test_one_batch_overfits(careers: Callable[..., CareerArrays], vocab_size: int) -> None:
    arrays = careers(16, seed=2)
    params = RESEARCH_DEFAULT.model_copy(update={"dropout": 0.0, "learning_rate": 0.01})
    model = new_model(params, vocab_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=params.learning_rate)
    loader = Loader(arrays, examples_of(arrays, "last"), 16, generator=torch.Generator().manual_seed(0))
    first = train_epoch(model, loader, optimizer, params)
    for _ in range(150):
        last = train_epoch(model, loader, optimizer, params)
    assert last < 0.2 < 3 < first


@pytest.mark.parametrize("tenure_loss", ["mse", "pinball"])
def test_training_does_not_change_padding_and_unknown(
    train: CareerArrays, val: CareerArrays, vocab_size: int, tenure_loss: str
) -> None:
    params = SMALL.model_copy(update={"max_epochs": 2, "tenure_loss": tenure_loss})
    *_, last = fit(params, train, val, vocab_size, seed=0)
    weights = last.checkpoint()["model"]
    assert not weights["embedding.weight"][0].any()
    assert not weights["next_role_head.3.weight"][0].any()
    assert weights["next_role_head.3.bias"][0] == UNKNOWN_LOGIT


def test_the_error_for_a_diverging_loss_names_step_learning_rate_and_last_good_epoch(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    params = SMALL.model_copy(update={"learning_rate": 1e20})
    with pytest.raises(
        TrainingError, match=r"step \d+ of epoch 1 with learning_rate=1e\+20; last good checkpoint: none"
    ):
        list(fit(params, train, val, vocab_size, seed=0))


def test_metrics_without_known_targets_are_undefined(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    nothing = np.full_like(val.tenure_months, np.nan)
    bare = replace(val, tenure_months=nothing, tenure_at_least=nothing, hireable=nothing)
    metrics = evaluate(new_model(SMALL, vocab_size), Loader(bare, examples_of(bare, "last"), 64))
    assert metrics["val_tenure_mae_months"] is None
    assert metrics["val_hireability_auc"] is None
    assert metrics["val_next_role_nll"] is not None


def test_tenure_is_measured_on_outcomes_and_the_next_role_on_last_moves(
    val: CareerArrays, vocab_size: int
) -> None:
    marked = ~val.is_outcome
    marked[val.offsets[:-1]] = False
    by_move = replace(val, is_outcome=marked)
    model = new_model(SMALL, vocab_size)
    last, last_by_move = (Loader(arrays, examples_of(arrays, "last"), 64) for arrays in (val, by_move))
    assert outcome_batches(last) is last
    of_last = evaluate(model, last, outcomes=outcome_batches(last))
    found = evaluate(model, last_by_move, outcomes=outcome_batches(last_by_move))
    expected = tenure_metrics(predict(model, by_move, outcome_examples(by_move)))["tenure_mae_months"]
    assert found["val_tenure_mae_months"] == pytest.approx(expected)
    assert found["val_tenure_mae_months"] != of_last["val_tenure_mae_months"]
    assert found["val_next_role_nll"] == of_last["val_next_role_nll"]


def test_outcome_metrics_are_undefined_without_outcomes_in_val(val: CareerArrays, vocab_size: int) -> None:
    nothing = np.full_like(val.hireable, np.nan)
    none = replace(val, is_outcome=np.zeros_like(val.is_outcome), hireable=nothing)
    loader = Loader(none, examples_of(none, "last"), 64)
    found = evaluate(new_model(SMALL, vocab_size), loader, outcomes=outcome_batches(loader))
    assert found["val_tenure_mae_months"] is found["val_hireability_auc"] is None
    assert found["val_next_role_nll"] is not None

"""Steps with only the titles in use train the same model as steps with all titles."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.model.conftest import SMALL, process_arrays
from trajtune.experiment.params import Params
from trajtune.model.network.title_words import number_words
from trajtune.model.training import titles_in_use
from trajtune.model.training.fit import fit

VOCAB_SIZE = 2_500
WORDS = number_words([[f"family {title % 40}", f"level {title % 7}"] for title in range(1, VOCAB_SIZE)])


def trained(params: Params) -> tuple[list[float], dict[str, Any]]:
    train, val = process_arrays(300, seed=0), process_arrays(80, seed=1)
    losses = []
    for result in fit(params, train, val, VOCAB_SIZE, seed=0, title_words=WORDS):
        losses.append(result.train_loss)
        checkpoint = result.checkpoint()
    return losses, checkpoint


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tie_weights": True, "weight_decay": 0.3, "decay_embeddings": True},
        {"tie_weights": True, "title_vectors": "id_and_words", "skip_last_title": True, "copy_head": True},
        {"repeat_gate": True, "title_changes": True, "schedule": "one_cycle", "batch_size": 7},
    ],
    ids=str,
)
def test_the_weights_and_the_state_of_adam_are_those_of_steps_with_all_titles(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without dropout both draw the same titles, because nothing else is drawn in an epoch.
    fixed = {"softmax_samples": 100, "dropout": 0.0, "max_epochs": 3, "learning_rate": 2e-3}
    params = SMALL.model_copy(update={**fixed, **options})
    dense_losses, dense = trained(params)
    used: list[int] = []
    original = titles_in_use.LazyAdamW.use

    def counted(self: Any, rows: torch.Tensor) -> Any:
        used.append(len(rows))
        return original(self, rows)

    monkeypatch.setattr(titles_in_use.LazyAdamW, "use", counted)
    monkeypatch.setattr(titles_in_use, "MIN_TITLES", 100)
    losses, lazy = trained(params)

    assert 0 < max(used) < VOCAB_SIZE / 2, "a step used many of the titles"
    assert losses == pytest.approx(dense_losses, rel=1e-4)
    for name, weights in dense["model"].items():
        # Adam amplifies float noise; without the steps in between, weights differ by 0.02 and more.
        np.testing.assert_allclose(lazy["model"][name], weights, atol=1e-3, err_msg=name)
    assert lazy["optimizer"]["state"].keys() == dense["optimizer"]["state"].keys()
    for number, state in dense["optimizer"]["state"].items():
        for name, value in state.items():
            np.testing.assert_allclose(lazy["optimizer"]["state"][number][name], value, atol=1e-3)


def test_training_resumes_bit_for_bit_with_only_the_titles_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(titles_in_use, "MIN_TITLES", 100)
    params = SMALL.model_copy(update={"softmax_samples": 100, "max_epochs": 3, "tie_weights": True})
    train, val = process_arrays(300, seed=0), process_arrays(80, seed=1)
    checkpoints = [result.checkpoint() for result in fit(params, train, val, VOCAB_SIZE, seed=0)]
    *_, last = fit(params, train, val, VOCAB_SIZE, seed=0, checkpoint=checkpoints[0])
    for name, weights in checkpoints[-1]["model"].items():
        assert torch.equal(last.checkpoint()["model"][name], weights), name

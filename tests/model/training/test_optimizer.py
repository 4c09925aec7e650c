from typing import Any

import torch

from tests.model.conftest import SMALL
from trajtune.model.checkpoint import new_model
from trajtune.model.network.title_words import TitleWords
from trajtune.model.training.optimizer import create_optimizer


def test_weights_decay_but_biases_and_title_vectors_do_not(vocab_size: int, words: TitleWords) -> None:
    def decaying(**options: Any) -> set[str]:
        params = SMALL.model_copy(update={"weight_decay": 0.1, "title_vectors": "id_and_words", **options})
        model = new_model(params, vocab_size, words)
        optimizer = create_optimizer(model, params)
        before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
        for weights in model.parameters():
            weights.grad = torch.zeros_like(weights) if weights.grad is None else weights.grad
        optimizer.step()  # without a gradient, a weight can only decay
        return {name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])}

    assert not {name for name in decaying() if "bias" in name or name.startswith("embedding")}
    assert "next_role_head.3.weight" in decaying()
    assert decaying(decay_embeddings=True) - decaying() == {"embedding.weight", "embedding.words"}

import pytest
import torch

from tests.model.conftest import plain
from trajtune.model.checkpoint import new_model
from trajtune.model.training.optimizer import create_optimizer


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_packed_weights_take_the_same_steps_as_separate_ones(weight_decay: float) -> None:
    params = plain(weight_decay=weight_decay, decay_embeddings=True, learning_rate=0.01)
    torch.manual_seed(0)
    packed = new_model(params, 600)
    separate = new_model(params, 600)
    separate.load_state_dict(packed.state_dict())
    ours = create_optimizer(packed, params)
    theirs = torch.optim.AdamW(
        [
            {"params": [w for w in separate.parameters() if w.ndim >= 2], "weight_decay": weight_decay},
            {"params": [w for w in separate.parameters() if w.ndim < 2], "weight_decay": 0.0},
        ],
        lr=0.01,
        fused=True,
    )
    assert packed.embedding.weight.numel() > 2**15 > packed.lstm.weight_ih_l0.numel()
    for step in range(3):
        for model, optimizer in ((packed, ours), (separate, theirs)):
            optimizer.zero_grad()
            torch.manual_seed(step)
            logits, tenure, hireability = model.scores(torch.randint(1, 600, (8, 3)))
            (logits.multiplied().square().mean() + tenure.sum() + hireability.sum()).backward()
            optimizer.step()
    for (name, ours_now), theirs_now in zip(packed.named_parameters(), separate.parameters(), strict=True):
        torch.testing.assert_close(ours_now, theirs_now, msg=name)


def test_packing_leaves_few_tensors() -> None:
    params = plain()
    model = new_model(params, 600)
    optimizer = create_optimizer(model, params)
    assert len(list(model.parameters())) > 20
    assert [len(group["params"]) for group in optimizer.param_groups] == [3]  # two tables and the pack

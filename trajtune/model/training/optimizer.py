"""The optimizer of a training, with weight decay for some of the weights."""

from torch import nn

from trajtune.experiment.params import Params
from trajtune.model.fast.packed_adamw import PackedAdamW
from trajtune.model.network.lstm import CareerTrajectoryLSTM


def create_optimizer(model: CareerTrajectoryLSTM, params: Params) -> PackedAdamW:
    """Return Adam, or AdamW if ``weight_decay`` is set.

    Only matrices decay. Title vectors decay only with ``decay_embeddings``; biases never do.
    """
    decaying: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weights in model.named_parameters():
        is_title_vector = name.startswith("embedding.")
        decays = params.weight_decay and weights.ndim >= 2
        decays = decays and (params.decay_embeddings or not is_title_vector)
        (decaying if decays else others).append(weights)
    groups = [
        {"params": decaying, "weight_decay": params.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return PackedAdamW(groups, params.learning_rate)

"""AdamW over few tensors: most of a model's weights are small, and a step pays for each tensor anew.

On a CPU the small ones are packed into one run of memory, of which each keeps its part; what the model, its
names and its checkpoints hold stays as it is. On a GPU one kernel takes all tensors at once anyway.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trajtune.experiment.params import Params
from trajtune.model.network.lstm import CareerTrajectoryLSTM

_SMALL = 2**15
"""Numbers in a tensor below which a step costs more for the tensor than for its numbers."""


class PackedAdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, fused, with the small weights of a group packed.

    Without weight decay it is Adam. From its creation on, the weights have to stay where they are: no
    ``model.to(...)``.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], learning_rate: float) -> None:
        """Take over the weights.

        Args:
            groups: Each ``params``, a list of weights, and ``weight_decay``.
            learning_rate: Of all groups.
        """
        self._packs: list[Tensor] = []
        packed = [{**group, "params": self._pack(group["params"])} for group in groups]
        super().__init__([group for group in packed if group["params"]], lr=learning_rate, fused=True)
        packs = set(map(id, self._packs))
        self._large = [
            weights for group in self.param_groups for weights in group["params"] if id(weights) not in packs
        ]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; packed ones keep their memory whatever ``set_to_none`` says."""
        for weights in self._large:
            weights.grad = None
        for pack in self._packs:
            assert pack.grad is not None
            pack.grad.zero_()

    def _pack(self, group: Sequence[nn.Parameter]) -> list[nn.Parameter]:
        small = [w for w in group if w.numel() < _SMALL and w.device.type == "cpu"]
        if not small:
            return list(group)
        pack = nn.Parameter(torch.cat([weights.detach().flatten() for weights in small]))
        pack.grad = torch.zeros_like(pack)
        sizes = [weights.numel() for weights in small]
        for weights, values, gradient in zip(
            small, torch.split(pack.detach(), sizes), torch.split(pack.grad, sizes), strict=True
        ):
            weights.data = values.view_as(weights)
            weights.grad = gradient.view_as(weights)
        self._packs.append(pack)
        packed = set(map(id, small))
        return [*(weights for weights in group if id(weights) not in packed), pack]


def create_optimizer(model: CareerTrajectoryLSTM, params: Params) -> PackedAdamW:
    """Adam, or AdamW where weights decay: matrices, but neither biases nor, unless asked, title vectors."""
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

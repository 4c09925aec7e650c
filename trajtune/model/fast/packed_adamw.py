"""AdamW that updates few large tensors instead of many small ones.

Plain form: ``torch.optim.AdamW(groups, lr=learning_rate, fused=True)``. Most weights of a small model are
small tensors, and each tensor adds overhead to a step. On a CPU the small ones are packed into one block of
memory, and each becomes a view of its part; names and checkpoints stay the same. On a GPU one kernel updates
all tensors at once, so nothing is packed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

_SMALL = 2**15
"""Number of elements below which the overhead of a tensor exceeds the cost of its elements."""


class PackedAdamW(torch.optim.AdamW):
    """Plain form: ``torch.optim.AdamW(groups, lr=learning_rate, fused=True)``; small weights are packed.

    Without weight decay it is equal to Adam. After it is created, the weights must stay on their device: do
    not call ``model.to(...)``.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], learning_rate: float) -> None:
        """Pack the small weights of each group.

        Args:
            groups: Parameter groups; each has ``params``, a list of weights, and ``weight_decay``.
            learning_rate: Learning rate of all groups.
        """
        self._packs: list[Tensor] = []
        packed = [{**group, "params": self._pack(group["params"])} for group in groups]
        super().__init__([group for group in packed if group["params"]], lr=learning_rate, fused=True)
        packs = set(map(id, self._packs))
        self._large = [
            weights for group in self.param_groups for weights in group["params"] if id(weights) not in packs
        ]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients; packed gradients keep their memory even with ``set_to_none``."""
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

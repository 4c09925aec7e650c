"""Data-parallel training: several workers train one model, each on its own shard of the careers.

Workers communicate through torch.distributed; the caller initialises the process group. All workers take the
same steps with the same gradients, so their weights are always equal. They also make the same decisions, for
example to stop or that the loss has diverged. Knows nothing of Ray.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """The rank of this worker and the number of workers; a single worker never communicates.

    Attributes:
        rank: Number of this worker, from 0. Rank 0 writes files.
        size: Number of workers.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def share_of(self, count: int) -> int:
        """Return how many of ``count`` items this worker gets; the remainder goes to the lowest ranks."""
        return count // self.size + (self.rank < count % self.size)

    def seed(self, seed: int, epoch: int) -> int:
        """Return the seed of this worker's random numbers in an epoch."""
        return int(np.random.SeedSequence([seed, epoch, self.rank]).generate_state(1)[0])

    def all_gather(self, value: T) -> list[T]:
        """Return the values of all workers, by rank."""
        if self.size == 1:
            return [value]
        values: list[T | None] = [None] * self.size
        dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def broadcast(self, value: T) -> T:
        """Return the value of rank 0."""
        if self.size == 1:
            return value
        values = [value if self.is_first else None]
        dist.broadcast_object_list(values, src=0)
        return values[0]  # type: ignore[return-value]

    def all_reduce_mean(
        self, parameters: Iterable[torch.nn.Parameter], loss: Tensor | None, num: int
    ) -> Tensor:
        """Replace each gradient by its mean over the examples of all workers.

        Args:
            parameters: Parameters with the gradients of this worker's mean loss.
            loss: Mean loss of this worker, a scalar; None: this worker has no examples left.
            num: Number of examples in that mean.

        Returns:
            The mean loss over the examples of all workers.
        """
        if self.size == 1:
            assert loss is not None
            return loss.detach()
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None or loss is None else parameter.grad
            for parameter in trained
        ]
        value = gradients[0].new_zeros(()) if loss is None else loss.detach()
        total = torch.cat([*(gradient.flatten() for gradient in gradients), value[None]]).mul_(num)
        total = torch.cat([total, total.new_tensor([num])])
        dist.all_reduce(total)
        total = total[:-1].div_(total[-1].clamp(min=1))
        *means, loss = torch.split(total, [*(parameter.numel() for parameter in trained), 1])
        for parameter, mean in zip(trained, means, strict=True):
            if parameter.grad is None:
                parameter.grad = mean.view_as(parameter)
            else:  # it may be a view of the memory that the optimizer has packed
                parameter.grad.copy_(mean.view_as(parameter))
        return loss.squeeze(0)


ALONE: Final = Workers()
"""A single worker, which trains on all careers."""

"""The workers that train one model together, each on its share of the careers. Knows nothing of Ray.

They speak through torch.distributed, whose process group whoever starts them has set up. All take the same
steps with the same gradients, so each has the same weights at any time, and what one of them decides (to
stop, that the loss has diverged) all decide.
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
    """The worker that asks, and how many there are; one alone speaks to nobody.

    Attributes:
        rank: Which one this is, from 0; the first speaks for all.
        size: How many train together.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that speaks for all."""
        return self.rank == 0

    def share_of(self, count: int) -> int:
        """This worker's part of so many things; the first workers take what is left over."""
        return count // self.size + (self.rank < count % self.size)

    def seed(self, seed: int, epoch: int) -> int:
        """Of this worker's own random numbers in an epoch."""
        return int(np.random.SeedSequence([seed, epoch, self.rank]).generate_state(1)[0])

    def gathered(self, value: T) -> list[T]:
        """Everyone's value, by rank."""
        if self.size == 1:
            return [value]
        values: list[T | None] = [None] * self.size
        dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]

    def as_the_first(self, value: T) -> T:
        """The first worker's value, whatever this one's is."""
        if self.size == 1:
            return value
        values = [value if self.is_first else None]
        dist.broadcast_object_list(values, src=0)
        return values[0]  # type: ignore[return-value]

    def average(self, parameters: Iterable[torch.nn.Parameter], loss: Tensor | None, num: int) -> Tensor:
        """Make each parameter's gradient the mean over what all workers have.

        Args:
            parameters: With the gradients of this worker's mean loss.
            loss: That loss, a scalar; None: no example was left for this worker.
            num: How many it is the mean of.

        Returns:
            The mean loss over what all workers have.
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
        together = torch.cat([*(gradient.flatten() for gradient in gradients), value[None]]).mul_(num)
        together = torch.cat([together, together.new_tensor([num])])
        dist.all_reduce(together)
        together = together[:-1].div_(together[-1].clamp(min=1))
        *means, loss = torch.split(together, [*(parameter.numel() for parameter in trained), 1])
        for parameter, mean in zip(trained, means, strict=True):
            if parameter.grad is None:
                parameter.grad = mean.view_as(parameter)
            else:  # it may be a part of memory that the optimizer reads as a whole
                parameter.grad.copy_(mean.view_as(parameter))
        return loss.squeeze(0)


ALONE: Final = Workers()
"""One worker, which has all the careers."""

"""Batches of examples, gathered by index from the ragged arrays: no Python per career, nothing copied ahead.

A batch holds careers of one length wherever there are enough of them, because a batch without
padding runs through oneDNN's fused LSTM layer, and a packed one does not. What is left over of
each length is pooled into mixed batches, so an epoch has as many steps as with plain shuffling.
"""

# E examples, B examples in a batch, T roles of the longest career in the batch

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of
from trajtune.experiment import Params

_MOST_LOGITS = 2**21
"""Numbers in one batch of logits outside training: 8 MB, whatever the vocabulary."""


@dataclass(frozen=True)
class Batch:
    """Some examples on the device.

    Attributes:
        index: int64 ``[B]``: which of the loader's examples these are.
        title_ids: int32 ``[B, T]``; past a career's length stands its last title again.
        lengths: int64 ``[B]`` on the CPU, or None where all are T.
        next_title: int64 ``[B]``; 0 is no target.
        tenure_months, hireable: float32 ``[B]``; NaN is no target.
    """

    index: Tensor
    title_ids: Tensor
    lengths: Tensor | None
    next_title: Tensor
    tenure_months: Tensor
    hireable: Tensor


class Loader:
    """Iterates over the batches of some examples; each iteration is one epoch.

    With a generator the examples are shuffled within their length and the batches among each
    other, anew each epoch; the generator's state is all the state there is. Without one the
    order is by length, then as in the examples, and the same each time.
    """

    def __init__(
        self,
        arrays: CareerArrays,
        examples: Examples,
        batch_size: int,
        *,
        generator: torch.Generator | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.arrays, self.examples = arrays, examples
        self.batch_size, self.generator, self.device = batch_size, generator, torch.device(device)
        self._titles = shared(arrays.title_ids).to(self.device)
        self._tenure = shared(arrays.tenure_months).to(self.device)
        self._hireable = shared(arrays.hireable).to(self.device)
        self._start = shared(examples.start).to(self.device)
        self._length = shared(examples.length)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return sum(1 for _ in self._plan(torch.arange(len(self.examples))))

    def __iter__(self) -> Iterator[Batch]:
        if self.generator is None:
            for index in self._plan(torch.arange(len(self.examples))):
                yield self._gather(index)
            return
        order = torch.randperm(len(self.examples), generator=self.generator)
        plan = list(self._plan(order))
        for i in torch.randperm(len(plan), generator=self.generator).tolist():
            yield self._gather(plan[i])

    def _plan(self, order: Tensor) -> Iterator[Tensor]:
        """The examples of each batch: equal lengths first, then what is left over of each length."""
        by_length = order[torch.argsort(self._length[order], stable=True)]
        left_over, begin = [], 0
        for count in torch.bincount(self._length, minlength=1).tolist():
            full = begin + count // self.batch_size * self.batch_size
            yield from torch.split(by_length[begin:full], self.batch_size) if full > begin else ()
            left_over.append(by_length[full : begin + count])
            begin += count
        mixed = torch.cat(left_over)
        yield from torch.split(mixed, self.batch_size) if len(mixed) else ()

    def _gather(self, index: Tensor) -> Batch:
        length = self._length[index]
        longest, equal = int(length[-1]), bool(length[0] == length[-1])  # lengths rise within a batch
        on_device = index.to(self.device)
        start = self._start[on_device]
        position = torch.arange(longest, device=self.device)
        if equal:
            last, target = position, start + longest
        else:
            lengths = length.to(self.device)
            last, target = torch.minimum(position, lengths[:, None] - 1), start + lengths
        return Batch(
            index=index,
            title_ids=self._titles[start[:, None] + last],
            lengths=None if equal else length,
            next_title=self._titles[target].long(),
            tenure_months=self._tenure[target],
            hireable=self._hireable[target],
        )


def create_dataloaders(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    *,
    seed: int,
    device: str | torch.device = "cpu",
) -> tuple[Loader, Loader]:
    """The loaders that `fit` trains and validates with.

    Args:
        params: Gives the batch size and which transitions of a train career are examples.
        train: Shuffled anew each epoch.
        val: Each career's last transition, in large batches.
        vocab_size: V; bounds the size of a validation batch.
        seed: Of the shuffling.
        device: Where the batches are wanted.

    Returns:
        Of train and of val.
    """
    generator = torch.Generator().manual_seed(seed)
    return (
        Loader(
            train, examples_of(train, params.examples), params.batch_size, generator=generator, device=device
        ),
        Loader(val, examples_of(val, "last"), prediction_batch_size(vocab_size), device=device),
    )


def prediction_batch_size(vocab_size: int) -> int:
    """Examples in a batch that is only predicted: as many as keep the logits at 8 MB, at most 1,024."""
    return max(1, min(1024, _MOST_LOGITS // vocab_size))


def shared(array: NDArray[np.generic]) -> Tensor:
    """The array as a tensor on the same memory; arrays from Ray's object store are read-only, which suits."""
    tensor: Tensor = from_dlpack(array)
    return tensor

"""Batches of examples, gathered by index from the ragged arrays: no Python per career, nothing copied ahead.

A batch holds careers of one length wherever there are enough of them, because a batch without
padding runs through oneDNN's fused LSTM layer, and a packed one does not. What is left over of
each length is pooled into mixed batches, so an epoch has as many steps as with plain shuffling.
"""

# E examples, B examples in a batch, T roles of the longest career in the batch

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of, outcome_examples
from trajtune.experiment.params import Params
from trajtune.model.censoring import hireability_weights

_MOST_LOGITS = 2**21
"""Numbers in one batch of logits outside training: 8 MB, whatever the vocabulary."""

_TOGETHER = 32
"""Batches that are fetched together: an operation costs the same for a few hundred examples as for one."""


@dataclass(frozen=True)
class Batch:
    """Some examples on the device.

    Attributes:
        index: int64 ``[B]``: which of the loader's examples these are.
        title_ids: int32 ``[B, T]``; past a career's length stands its last title again.
        lengths: int64 ``[B]`` on the CPU, or None where all are T.
        next_title: int64 ``[B]``; 0 is no target.
        tenure_months, hireable: float32 ``[B]``; NaN is no target.
        weight: float32 ``[B]``: each example's weight in the losses; None: 1.
        hireable_weight: float32 ``[B]``: what the weight in the hireability loss is multiplied with, from
            `model.censoring`; None: 1.
    """

    index: Tensor
    title_ids: Tensor
    lengths: Tensor | None
    next_title: Tensor
    tenure_months: Tensor
    hireable: Tensor
    weight: Tensor | None = None
    hireable_weight: Tensor | None = None


class Loader:
    """Iterates over the batches of some examples; each iteration is one epoch.

    With a generator the examples are shuffled within their length and the batches among each
    other, differently in each epoch; the generator's state is all the state there is. Without one the
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
        weights: NDArray[np.float32] | None = None,
        hireable_weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.arrays, self.examples = arrays, examples
        self.batch_size, self.generator, self.device = batch_size, generator, torch.device(device)
        self._titles = shared(arrays.title_ids).to(self.device)
        self._tenure = shared(arrays.tenure_months).to(self.device)
        self._hireable = shared(arrays.hireable).to(self.device)
        self._weights, self._hireable_weights = (
            None if column is None else shared(column).to(self.device)
            for column in (weights, hireable_weights)
        )
        self._start = shared(examples.start).to(self.device)
        self._length = shared(examples.length)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return sum(1 for _ in self._plan(torch.arange(len(self.examples))))

    def __iter__(self) -> Iterator[Batch]:
        order = torch.arange(len(self.examples))
        if self.generator is not None:
            order = torch.randperm(len(self.examples), generator=self.generator)
        plan = list(self._plan(order))
        if self.generator is not None:
            plan = [plan[i] for i in torch.randperm(len(plan), generator=self.generator).tolist()]
        for first in range(0, len(plan), _TOGETHER):
            yield from self._gather(plan[first : first + _TOGETHER])

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

    def _gather(self, plan: Sequence[Tensor]) -> Iterator[Batch]:
        """The batches of some indices; all but the titles is fetched for all of them at once."""
        sizes = [len(index) for index in plan]
        index = torch.cat(list(plan))
        length, on_device = self._length[index], index.to(self.device)
        start = self._start[on_device]
        target = start + length.to(self.device)
        columns = (
            length,
            start,
            target,
            self._titles[target].long(),
            self._tenure[target],
            self._hireable[target],
        )
        weights: list[Sequence[Tensor | None]] = [
            [None] * len(plan) if column is None else torch.split(column[on_device], sizes)
            for column in (self._weights, self._hireable_weights)
        ]
        parts = zip(plan, *weights, *(torch.split(column, sizes) for column in columns), strict=True)
        for index, weight, of_label, length, start, target, next_title, tenure, hireable in parts:
            shortest, longest = length[0].item(), length[-1].item()  # they rise within a batch
            position = start[:, None] + torch.arange(longest, device=self.device)
            equal = shortest == longest
            if not equal:
                position = torch.minimum(position, target[:, None] - 1)
            yield Batch(
                index=index,
                title_ids=self._titles[position],
                lengths=None if equal else length,
                next_title=next_title,
                tenure_months=tenure,
                hireable=hireable,
                weight=weight,
                hireable_weight=of_label,
            )


def create_dataloaders(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    weights: NDArray[np.float32] | None = None,
) -> tuple[Loader, Loader]:
    """The loaders that `fit` trains and validates with.

    Args:
        params: Gives the batch size and which transitions of a train career are examples.
        train: Shuffled differently in each epoch.
        val: Each career's last transition, in large batches.
        vocab_size: V; bounds the size of a validation batch.
        seed: Of the shuffling.
        device: Where the batches are wanted.
        weights: ``[E]``, of the train examples, from `recency_weights`; None: all are 1.

    Returns:
        Of train and of val. Train's hireability labels have the weights of `model.censoring`.
    """
    examples = examples_of(train, params.examples)
    generator = torch.Generator().manual_seed(seed)
    return (
        Loader(
            train,
            examples,
            params.batch_size,
            generator=generator,
            device=device,
            weights=weights,
            hireable_weights=_of_known_labels(train, examples),
        ),
        Loader(val, examples_of(val, "last"), prediction_batch_size(vocab_size), device=device),
    )


def _of_known_labels(train: CareerArrays, examples: Examples) -> NDArray[np.float32] | None:
    """Weights of the hireability labels ``[E]`` with the mean 1 over the known ones; None: all are 1."""
    label, months, at_least = (
        column[examples.target] for column in (train.hireable, train.tenure_months, train.tenure_at_least)
    )
    weights = hireability_weights(label, months, at_least)
    known = weights > 0
    if not known.any() or (weights[known] == 1).all():
        return None
    return np.asarray(weights / weights[known].mean(), np.float32)


def outcome_batches(val: Loader) -> Loader:
    """The loader of val's `outcome_examples`: ``val`` itself where these are what it gives."""
    examples = outcome_examples(val.arrays)
    if examples.equals(val.examples):
        return val
    return Loader(val.arrays, examples, val.batch_size, device=val.device)


def prediction_batch_size(vocab_size: int) -> int:
    """Examples in a batch that is only predicted: as many as keep the logits at 8 MB, at most 1,024."""
    return max(1, min(1024, _MOST_LOGITS // vocab_size))


def shared(array: NDArray[np.generic]) -> Tensor:
    """The array as a tensor on the same memory; arrays from Ray's object store are read-only, which suits."""
    tensor: Tensor = from_dlpack(array)
    return tensor

"""Batches of examples, gathered by index from the ragged arrays without a Python loop over careers.

A batch contains careers of one length wherever there are enough of them, because a batch without padding
runs through oneDNN's fused LSTM layer, and a packed one does not. The remaining careers of each length are
pooled into mixed batches, so an epoch has as many steps as with plain shuffling.
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

_MAX_LOGITS = 2**21
"""Most logits in one batch outside training: 8 MB for any vocabulary size."""

_TOGETHER = 32
"""Batches that are gathered together: an operation costs the same for a few hundred examples as for one."""


@dataclass(frozen=True)
class Batch:
    """A batch of examples on the device.

    Attributes:
        index: int64 ``[B]``: positions of the examples in the loader.
        title_ids: int32 ``[B, T]``; a shorter career is padded with its last title.
        lengths: int64 ``[B]`` on the CPU, or None where all are T.
        next_title: int64 ``[B]``; 0 means no target.
        tenure_months, hireable: float32 ``[B]``; NaN means no target.
        weight: float32 ``[B]``: weight of each example in the losses; None: 1.
        hireable_weight: float32 ``[B]``: additional factor of the weight in the hireability loss, from
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
    """Iterates over the batches of a set of examples; each iteration is one epoch.

    With a generator, the examples of each length and the order of the batches are shuffled, differently in
    each epoch. The state of the generator is the loader's only state. Without a generator, examples are
    sorted by length, then by position, and the order is the same each time. With ``max_history`` above 0, the
    batches have at most so many roles of each career, the most recent ones.
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
        max_history: int = 0,
    ) -> None:
        self.arrays, self.examples, self.max_history = arrays, examples, max_history
        self.batch_size, self.generator, self.device = batch_size, generator, torch.device(device)
        self._titles = shared(arrays.title_ids).to(self.device)
        self._tenure = shared(arrays.tenure_months).to(self.device)
        self._hireable = shared(arrays.hireable).to(self.device)
        self._weights, self._hireable_weights = (
            None if column is None else shared(column).to(self.device)
            for column in (weights, hireable_weights)
        )
        # The model would ignore earlier roles, but only after their padding and grouping by length.
        read = examples.most_recent(max_history)
        self._start = shared(read.start).to(self.device)
        self._length = shared(read.length)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
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
        """Yield the examples of each batch: batches of equal lengths first, then mixed ones of the rest."""
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
        """Yield the batches of the given indices; all columns except the titles are gathered at once."""
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
            shortest, longest = length[0].item(), length[-1].item()  # sorted within a batch
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
    """Return the train and val loaders of `fit`.

    Args:
        params: Params, with the batch size and which transitions of a train career are examples.
        train: Train careers; their examples are shuffled differently in each epoch.
        val: Val careers; the last transition of each is an example, in large batches.
        vocab_size: V; bounds the size of a validation batch.
        seed: Seed of the shuffling.
        device: Device of the batches.
        weights: Weights of the train examples ``[E]``, from `recency_weights`; None: all are 1.

    Returns:
        The train loader and the val loader. The hireability labels of train have the weights of
        `model.censoring`.
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
            hireable_weights=_label_weights(train, examples),
            max_history=params.max_history,
        ),
        Loader(
            val,
            examples_of(val, "last"),
            prediction_batch_size(vocab_size),
            device=device,
            max_history=params.max_history,
        ),
    )


def _label_weights(train: CareerArrays, examples: Examples) -> NDArray[np.float32] | None:
    """Return weights of the hireability labels ``[E]``, with mean 1 over known labels; None: all are 1."""
    label, months, at_least = (
        column[examples.target] for column in (train.hireable, train.tenure_months, train.tenure_at_least)
    )
    weights = hireability_weights(label, months, at_least)
    known = weights > 0
    if not known.any() or (weights[known] == 1).all():
        return None
    return np.asarray(weights / weights[known].mean(), np.float32)


def outcome_batches(val: Loader) -> Loader:
    """Return the loader of val's `outcome_examples`; ``val`` itself if it has the same examples."""
    examples = outcome_examples(val.arrays)
    if examples.equals(val.examples):
        return val
    return Loader(val.arrays, examples, val.batch_size, device=val.device, max_history=val.max_history)


def prediction_batch_size(vocab_size: int) -> int:
    """Return the batch size for prediction: at most 1,024 examples and 8 MB of logits."""
    return max(1, min(1024, _MAX_LOGITS // vocab_size))


def shared(array: NDArray[np.generic]) -> Tensor:
    """Return a tensor that shares the array's memory, which may be read-only, as in Ray's object store."""
    tensor: Tensor = from_dlpack(array)
    return tensor

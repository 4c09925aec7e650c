"""One epoch of several models at once; each gets the results that it would get alone, within float noise."""

# K models, B examples in a batch, T roles (padded)

from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value

from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.batches import Batch
from trajtune.model.fast.copied_target import CopiedTarget
from trajtune.model.fast.losses import QUANTILES
from trajtune.model.stacked.network import StackableLSTM, draw_masks
from trajtune.model.stacked.weights import StackedWeights
from trajtune.model.training.epoch import EpochTraining, mean_loss
from trajtune.model.training.schedule import learning_rate

_MAY_DIFFER = {
    "dropout",
    "embedding_dropout",
    "hireability_weight",
    "learning_rate",
    "max_epochs",
    "patience",
    "recency_half_life",
    "schedule",
    "tenure_weight",
    "warmup_epochs",
    "weight_decay",
}
"""Params in which the models of a stack may differ; also their seeds and their numbers of epochs so far."""

Tensors = Mapping[str, Tensor]


def stack_key(params: Params) -> Hashable | None:
    """Return a key that is equal for params whose models can be stacked; None: the model is trained alone.

    A sampled softmax has another number of titles in each model, so it cannot be stacked.
    """
    if params.softmax_samples:
        return None
    fixed = tuple(value for name, value in params.model_dump().items() if name not in _MAY_DIFFER)
    return fixed, params.weight_decay > 0


def train_stacked(trainings: Sequence[EpochTraining]) -> list[float | TrainingError]:
    """Train an epoch of each model, all models in each step.

    Each model has its own batches, learning rate, weight decay, dropout and random state. On a CPU its
    results are those of `train_alone` within float noise. On a GPU its dropout masks differ, because cuDNN
    draws its own.

    Args:
        trainings: Epochs of different trainings on the same careers and device, with equal `stack_key`.

    Returns:
        The mean loss of each model, or the error of a model whose loss has diverged; it does not affect the
        others.
    """
    first = trainings[0]
    assert all(training.workers.size == 1 for training in trainings), "only a single worker can be stacked"
    assert len({stack_key(training.params) for training in trainings}) == 1, "the shapes differ"
    network = StackableLSTM.like(first.model, first.params)
    buffers = dict(first.model.named_buffers())
    stacked = StackedWeights(trainings)

    def loss(weights: Tensors, masks: Tensors, batch: Tensors, lengths: Tensor | None) -> Tensor:
        values = {**buffers, **weights, **masks}
        scores = functional_call(network, values, (batch["title_ids"], lengths))
        return _loss(scores, batch, first.params)

    num_steps = len(first.batches)
    losses: list[Tensor] = []
    with ExitStack() as states:
        generators = [states.enter_context(training.random_state.generator()) for training in trainings]
        for step, batches in enumerate(zip(*(training.batches for training in trainings), strict=True)):
            shape = max(len(batch.index) for batch in batches), max(b.title_ids.shape[1] for b in batches)
            masks = _stacked_masks(trainings, batches, shape, generators)
            lengths = _lengths(batches, shape)
            gradients, loss_K = torch.vmap(
                grad_and_value(loss), in_dims=(0, 0, 0, None if lengths is None else 0)
            )(stacked.by_name, masks, _stacked_batch(trainings, batches, shape), lengths)
            losses.append(loss_K)
            rates = [learning_rate(t.params, t.epoch - 1 + step / num_steps) for t in trainings]
            stacked.step(gradients, rates)
    stacked.store()
    return [
        _outcome(by_step, training)
        for by_step, training in zip(torch.stack(losses, 1), trainings, strict=True)
    ]


def _outcome(by_step: Tensor, training: EpochTraining) -> float | TrainingError:
    try:
        return mean_loss(by_step, training.params, training.epoch)
    except TrainingError as error:
        return error


def _stacked_masks(
    trainings: Sequence[EpochTraining],
    batches: Sequence[Batch],
    shape: tuple[int, int],
    generators: Sequence[torch.Generator],
) -> dict[str, Tensor]:
    """Return the dropout masks ``[K, ...]``; those of a model without dropout are ones."""
    drawn = [
        draw_masks(training.params, batch, shape, generator)
        for training, batch, generator in zip(trainings, batches, generators, strict=True)
    ]
    device, params = generators[0].device, trainings[0].params
    names = {"embedding_dropout.mask", "next_role_head.2.mask"}
    names |= {f"between_layers.{layer}.mask" for layer in range(params.num_layers - 1)}
    masks = {}
    for name in names:
        own = [of_model.get(name) for of_model in drawn]
        some = next((mask for mask in own if mask is not None), None)
        ones = torch.ones((), device=device) if some is None else torch.ones_like(some)
        masks[name] = torch.stack([ones if mask is None else mask for mask in own])
    return masks


def _lengths(batches: Sequence[Batch], shape: tuple[int, int]) -> Tensor | None:
    """Return the lengths ``[K, B]``, 1 for padded examples; None if all careers have the same length."""
    if all(batch.lengths is None and batch.title_ids.shape == shape for batch in batches):
        return None
    lengths = [
        torch.full((len(batch.index),), batch.title_ids.shape[1]) if batch.lengths is None else batch.lengths
        for batch in batches
    ]
    padded = [F.pad(length, (0, shape[0] - len(length)), value=1) for length in lengths]
    return torch.stack(padded).to(batches[0].title_ids.device)


def _stacked_batch(
    trainings: Sequence[EpochTraining], batches: Sequence[Batch], shape: tuple[int, int]
) -> dict[str, Tensor]:
    """Return the columns of the batches, ``[K, ...]``. Padded examples have no target, so no loss."""
    columns: dict[str, list[Tensor]] = {}
    for training, batch in zip(trainings, batches, strict=True):
        num_examples, num_roles = batch.title_ids.shape
        more = shape[0] - num_examples
        ones = torch.ones_like(batch.tenure_months)
        weight = ones if batch.weight is None else batch.weight
        label = weight if batch.hireable_weight is None else weight * batch.hireable_weight
        tenure = (batch.tenure_months - training.model.tenure_mean) / training.model.tenure_std
        own = {
            "title_ids": F.pad(batch.title_ids, (0, shape[1] - num_roles, 0, more)),
            "next_title": F.pad(batch.next_title, (0, more)),
            "tenure": F.pad(tenure, (0, more), value=torch.nan),
            "hireable": F.pad(batch.hireable, (0, more), value=torch.nan),
            "weight": F.pad(weight, (0, more)),
            "label_weight": F.pad(label, (0, more)),
            "tenure_weight": ones.new_tensor(training.params.tenure_weight),
            "hireability_weight": ones.new_tensor(training.params.hireability_weight),
        }
        for name, column in own.items():
            columns.setdefault(name, []).append(column)
    return {name: torch.stack(column) for name, column in columns.items()}


def _loss(scores: tuple, batch: Tensors, params: Params) -> Tensor:  # type: ignore[type-arg]
    """Return `training_loss` in its plain form, for `torch.vmap`."""
    logits, tenure_B2, hireability_B1 = scores
    next_title_B = batch["next_title"]
    log_p_BV = F.log_softmax(logits.generated(), 1)
    log_p_B = log_p_BV.gather(1, next_title_B[:, None]).squeeze(1)
    nll_B = -log_p_B
    if logits.copied is not None:
        nll_B, _ = CopiedTarget.of(logits.copied, next_title_B).mixed(log_p_B)
    known_B1 = ~batch["tenure"].isnan()[:, None]
    target_B1 = batch["tenure"].nan_to_num()[:, None]
    if params.tenure_loss == "pinball":
        error_B2 = target_B1 - tenure_B2.sort(1).values
        q_2 = error_B2.new_tensor(QUANTILES)
        tenure_B = torch.maximum(q_2 * error_B2, (q_2 - 1) * error_B2).mean(1)
    else:
        tenure_B = (tenure_B2 - target_B1).square().mean(1)
    hireability_B = hireability_B1.squeeze(1)
    label_B = batch["hireable"].nan_to_num()
    cost_B = F.softplus(hireability_B) - hireability_B * label_B
    return (
        _mean(nll_B, next_title_B != 0, batch["weight"])
        + batch["tenure_weight"] * _mean(tenure_B, known_B1.squeeze(1), batch["weight"])
        + batch["hireability_weight"] * _mean(cost_B, ~batch["hireable"].isnan(), batch["label_weight"])
    )


def _mean(loss_B: Tensor, known_B: Tensor, weight_B: Tensor) -> Tensor:
    """Return the weighted sum of the losses with a known target, divided by their number."""
    known_B = known_B.to(loss_B.dtype)
    return (loss_B * known_B * weight_B).sum() / known_B.sum().clamp(min=1)

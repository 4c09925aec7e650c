"""One epoch: a training step for each batch, then the validation."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor

from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.batches import Batch, Loader
from trajtune.model.data_parallel import ALONE, Workers
from trajtune.model.metrics import Metrics, val_metrics
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict_batches
from trajtune.model.predictions import SplitPredictions, concatenate
from trajtune.model.training.random_state import RandomState
from trajtune.model.training.schedule import learning_rate
from trajtune.model.training.titles_in_use import TitlesInUse
from trajtune.model.training.training_loss import training_loss

EXPLODED = 1e4
"""Loss above which a training has diverged; a guess that ignores the input has a loss below 20."""


@dataclass(frozen=True)
class EpochTraining:
    """The next epoch of one training: what `train_epoch` needs, and its random state.

    Attributes:
        model: Model to train.
        batches: Loader of this worker's train examples.
        optimizer: Optimizer of the model's parameters.
        params: Params of the training.
        epoch: Number of the epoch, from 1.
        workers: Workers that train together.
        random_state: Random state of the training's dropout.
    """

    model: CareerTrajectoryLSTM
    batches: Loader
    optimizer: torch.optim.Optimizer
    params: Params
    epoch: int
    workers: Workers
    random_state: RandomState


EpochTrainer = Callable[[EpochTraining], float]
"""Trains an epoch and returns its mean loss, like `train_alone`."""


def train_alone(training: EpochTraining) -> float:
    """Train an epoch of one model; see `train_epoch`."""
    with training.random_state.in_use():
        return train_epoch(
            training.model,
            training.batches,
            training.optimizer,
            training.params,
            epoch=training.epoch,
            workers=training.workers,
        )


def train_epoch(
    model: CareerTrajectoryLSTM,
    batches: Loader,
    optimizer: torch.optim.Optimizer,
    params: Params,
    *,
    epoch: int = 1,
    workers: Workers = ALONE,
) -> float:
    """Take one step for each batch, together with the other workers.

    No value is read back from the device before the last step.

    Args:
        model: Model to train; it is left in training mode.
        batches: Loader of this worker's train examples.
        optimizer: Optimizer of the model's parameters; its learning rate is set at each step.
        params: Params, with the loss weights and the learning rate.
        epoch: Number of this epoch, from 1.
        workers: Workers that train together. A worker without batches left still takes part in the others'
            steps.

    Returns:
        The mean loss.

    Raises:
        TrainingError: If a step's loss is not finite or above `EXPLODED`; the weights are then unusable.
    """
    model.train()
    losses: list[Tensor] = []
    num_steps = max(workers.all_gather(len(batches)))
    in_use = None
    if TitlesInUse.suits(model, params, workers):
        in_use = TitlesInUse(model, optimizer, params, num_steps)
    for step, batch in zip_longest(range(num_steps), batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(params, epoch - 1 + step / num_steps)
        optimizer.zero_grad()
        if in_use is not None and batch is not None:
            loss: Tensor | None = in_use.loss(batch)
        else:
            loss = None if batch is None else _loss(model, batch, params)
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
        losses.append(workers.all_reduce_mean(model.parameters(), loss, _num_known(batch, workers)))
        optimizer.step()
        if in_use is not None:
            in_use.step()
    if in_use is not None:
        in_use.finish()
    return mean_loss(torch.stack(losses), params, epoch)


def mean_loss(by_step: Tensor, params: Params, epoch: int) -> float:
    """Return the mean of an epoch's losses.

    Args:
        by_step: Loss of each step, ``[steps]``.
        params: Params of the training, for the message of an error.
        epoch: Number of the epoch, from 1.

    Raises:
        TrainingError: If a step's loss is not finite or above `EXPLODED`.
    """
    by_step = by_step.cpu()
    bad = torch.nonzero(~(by_step < EXPLODED))
    if len(bad):
        step = int(bad[0])
        raise diverged(
            "loss", float(by_step[step]), f"at step {step + 1} of epoch {epoch}", params, epoch - 1
        )
    return float(by_step.double().mean())


def _loss(model: CareerTrajectoryLSTM, batch: Batch, params: Params) -> Tensor:
    tenure = (batch.tenure_months - model.tenure_mean) / model.tenure_std
    scores = model.scores(batch.title_ids, batch.lengths)
    weights = batch.weight, batch.hireable_weight
    return training_loss(scores, batch.next_title, tenure, batch.hireable, params, *weights)


def _num_known(batch: Batch | None, workers: Workers) -> int:
    """Return the number of known next titles in a batch; 0 with a single worker, which does not need it."""
    return 0 if batch is None or workers.size == 1 else int((batch.next_title != 0).sum())


def evaluate(
    model: CareerTrajectoryLSTM,
    batches: Loader,
    workers: Workers = ALONE,
    *,
    outcomes: Loader | None = None,
) -> Metrics:
    """Return the metrics of a model on val, as a search measures them.

    Args:
        model: Model to measure; its mode does not change.
        batches: Loader of the last transition of each val career.
        workers: Workers that have the rest of val.
        outcomes: Loader of the examples on which tenure and hireability are measured, from
            `outcome_batches`; None or ``batches``: the last transitions, which are then predicted once.

    Returns:
        The val metrics by name; None where the split has no known target for the metric.
    """
    own = predict_batches(model, batches)
    own_outcomes = None if outcomes in (None, batches) else predict_batches(model, outcomes)
    gathered = workers.all_gather((own, own_outcomes))
    moves = concatenate([own_moves for own_moves, _ in gathered])
    if all(outcomes_or_none is None for _, outcomes_or_none in gathered):
        return workers.broadcast(val_metrics(SplitPredictions(moves, moves)))
    parts = [own_moves if others is None else others for own_moves, others in gathered]
    return workers.broadcast(val_metrics(SplitPredictions(moves, concatenate(parts))))


def diverged(name: str, value: float | None, where: str, params: Params, last_good: int) -> TrainingError:
    """Return the error for a training whose loss is not finite or above `EXPLODED`."""
    good = f"epoch {last_good}" if last_good else "none"
    return TrainingError(
        f"Training needs a loss below {EXPLODED:g}, but {name} is {value} {where} with "
        f"learning_rate={params.learning_rate:g}; last good checkpoint: {good}. Lower learning_rate."
    )

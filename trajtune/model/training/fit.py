"""The training loop: a generator of epoch results that is deterministic and exactly resumable.

Knows nothing of Ray, files or searches: the caller decides what to store of each result.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.errors import TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.objective import cost
from trajtune.experiment.params import Params
from trajtune.model.batches import Loader, create_dataloaders, outcome_batches
from trajtune.model.checkpoint import new_model
from trajtune.model.data_parallel import ALONE, Workers
from trajtune.model.metrics import Metrics
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.title_words import TitleWords
from trajtune.model.training.epoch import (
    EXPLODED,
    EpochTrainer,
    EpochTraining,
    diverged,
    evaluate,
    train_alone,
)
from trajtune.model.training.optimizer import create_optimizer
from trajtune.model.training.random_state import RandomState
from trajtune.model.training.recency import recency_weights

_MAY_DIFFER = {"max_epochs", "patience"}


@dataclass(frozen=True)
class EpochResult:
    """One epoch of training.

    Attributes:
        epoch: Number of the epoch, from 1.
        train_loss: Mean weighted loss of the epoch's steps, with dropout.
        metrics: Metrics of `evaluate` on val after the epoch.
        best_epoch: Epoch with the best value of the metric so far; the first of equal epochs.
        seconds: Wall-clock time of the epoch in seconds, including validation.
    """

    epoch: int
    train_loss: float
    metrics: Metrics
    best_epoch: int
    seconds: float
    _capture: Callable[[], dict[str, Any]] = field(repr=False, compare=False)

    def checkpoint(self, *, copy: bool = True) -> dict[str, Any]:
        """Return the state from which `fit` resumes after this epoch; call it before the next epoch begins.

        Args:
            copy: Whether to copy the state. False saves memory if the state is written immediately; the next
                epoch changes it in place.
        """
        state = self._capture()
        assert state["epoch"] == self.epoch, "the next epoch has begun, so the state of this epoch is gone"
        return deepcopy(state) if copy else state


def fit(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    *,
    seed: int,
    metric: str = "val_next_role_nll",
    checkpoint: Mapping[str, Any] | None = None,
    title_words: TitleWords | None = None,
    device: str | torch.device = "cpu",
    workers: Workers = ALONE,
    trainer: EpochTrainer = train_alone,
) -> Iterator[EpochResult]:
    """Train one configuration and yield after each epoch.

    Training ends after ``max_epochs``. With a constant schedule it also ends after ``patience`` epochs
    without a better value of ``metric``. A falling schedule always runs to its end, because its best epochs
    are the last. The same arguments give the same results on the same machine with the same number of
    threads. Resuming from the checkpoint of any epoch gives the same results as an uninterrupted run, bit for
    bit. The caller's random state is not changed.

    With several workers, each worker calls this function with its own careers and otherwise equal arguments,
    and each gets the same results. A step takes ``batch_size`` examples, divided among the workers. Gradients
    and metrics cover all careers. Compared with one worker, the order of examples and the dropout masks
    differ, and the tenure and hireability losses of a step are means of the workers' means.

    Args:
        params: Configuration to train.
        train: Train careers of this worker; `params.examples` sets which of their transitions are examples.
        val: Val careers of this worker; measured on their last transitions and their `outcome_examples`.
        vocab_size: V, including index 0.
        seed: Seed of the weights, the shuffling and the dropout.
        metric: Metric that determines the best epoch, and therefore when patience has run out.
        checkpoint: Result of `EpochResult.checkpoint` from a training with the same metric. Only ``patience``
            may differ from its params, and ``max_epochs`` if the schedule does not depend on it.
        title_words: Result of `words_of` for the vocabulary; needed only for ``title_vectors: id_and_words``.
        device: Device to train on.
        workers: Workers that train together; each can resume from the checkpoint of the first.
        trainer: Trains each epoch; for example together with other models, see `trajtune.model.stacked`.

    Raises:
        TrainingError: If a split has no known target, the loss diverges, the metric is undefined, the
            checkpoint has another configuration, or the words are missing.
    """
    device = torch.device(device)
    random_state = RandomState(seed, device)
    own = params.model_copy(update={"batch_size": workers.share_of(params.batch_size)})
    weights = recency_weights(params, train, workers)
    train_loader, val_loader = create_dataloaders(
        own, train, val, vocab_size, seed=seed, device=device, weights=weights
    )
    _check_targets(train_loader, val_loader, workers)
    outcomes = outcome_batches(val_loader)
    with random_state.in_use():
        model = _new_model(params, vocab_size, title_words).to(device)
    _set_tenure_scale(model, train, train_loader.examples, workers)
    optimizer = create_optimizer(model, params)
    epoch, best_epoch, best_metrics = 0, 0, Metrics()
    shuffling = train_loader.generator
    assert shuffling is not None

    if checkpoint is not None:
        _check_same(checkpoint, params, vocab_size, metric)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(deepcopy(checkpoint["optimizer"]))
        shuffling.set_state(checkpoint["rng"]["shuffling"])
        random_state.set(checkpoint["rng"])
        epoch, best_epoch = checkpoint["epoch"], checkpoint["best_epoch"]
        best_metrics = dict(checkpoint["best_metrics"])

    def capture() -> dict[str, Any]:
        return {
            "params": params.model_dump(mode="json"),
            "vocab_size": vocab_size,
            "seed": seed,
            "metric": metric,
            "epoch": epoch,
            "best_epoch": best_epoch,
            "best_metrics": best_metrics,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "rng": {"shuffling": shuffling.get_state(), **random_state.get()},
        }

    patience = params.patience if params.schedule == "constant" else params.max_epochs
    while epoch < params.max_epochs and epoch - best_epoch < patience:
        began = time.perf_counter()
        if workers.size > 1:
            # Reseeded in each epoch, so the first worker's checkpoint does not need the others' random
            # states.
            own_seed = workers.seed(seed, epoch + 1)
            shuffling.manual_seed(own_seed)
            random_state.reseed(own_seed)
        train_loss = trainer(
            EpochTraining(model, train_loader, optimizer, params, epoch + 1, workers, random_state)
        )
        metrics = evaluate(model, val_loader, workers, outcomes=outcomes)
        nll = metrics["val_next_role_nll"]
        if nll is None or not nll < EXPLODED:
            raise diverged("val_next_role_nll", nll, f"after epoch {epoch + 1}", params, epoch)
        epoch += 1
        if _is_better(metric, metrics, best_metrics):
            best_epoch, best_metrics = epoch, metrics
        seconds = time.perf_counter() - began
        yield EpochResult(epoch, train_loss, metrics, best_epoch, seconds, capture)


def _is_better(metric: str, metrics: Metrics, best: Metrics) -> bool:
    """Return whether an epoch is better than the best earlier one; the first epoch always is."""
    value, best_value = metrics[metric], best.get(metric)
    if value is None or not math.isfinite(value):
        raise TrainingError(
            f"`{metric}` must be a finite number, but is {'undefined' if value is None else value} on these "
            "val careers. Choose another search.metric."
        )
    return best_value is None or cost(metric, value) < cost(metric, best_value)


def _check_targets(train: Loader, val: Loader, workers: Workers) -> None:
    for name, loader in (("train", train), ("val", val)):
        has_target = bool(np.any(loader.arrays.title_ids[loader.examples.target]))
        all_workers = workers.all_gather((has_target, len(loader.examples)))
        if not any(has_target for has_target, _ in all_workers):
            raise TrainingError(
                f"A split needs a next title that is in the vocabulary, but {name} has none in "
                f"{sum(num for _, num in all_workers)} examples. "
                "Move the cutoffs or lower vocabulary.min_count."
            )


def _new_model(params: Params, vocab_size: int, title_words: TitleWords | None) -> CareerTrajectoryLSTM:
    with_words = params.title_vectors == "id_and_words"
    if with_words and title_words is None:
        raise TrainingError(
            "title_vectors: id_and_words needs the words of the vocabulary, but there are none. "
            "Give title_words=words_of(encoder)."
        )
    return new_model(params, vocab_size, title_words if with_words else None)


def _set_tenure_scale(
    model: CareerTrajectoryLSTM, train: CareerArrays, examples: Examples, workers: Workers
) -> None:
    """Set the mean and standard deviation of the known train tenures; 0 and 1 without any."""
    tenure = train.tenure_months[examples.target]
    known = tenure[~np.isnan(tenure)].astype(np.float64)
    own = (len(known), known.mean(), known.var()) if len(known) else (0, 0.0, 0.0)
    num, mean, variance = np.array(workers.all_gather(own)).T
    if num.sum():
        overall_mean = np.average(mean, weights=num)
        overall_variance = np.average(variance + (mean - overall_mean) ** 2, weights=num)
        model.tenure_mean.fill_(float(overall_mean))
        model.tenure_std.fill_(float(np.sqrt(overall_variance)) or 1.0)


def _check_same(checkpoint: Mapping[str, Any], params: Params, vocab_size: int, metric: str) -> None:
    may_differ = _MAY_DIFFER if params.schedule == "constant" else _MAY_DIFFER - {"max_epochs"}
    # Checkpoints of earlier versions have no metric; they always used this one.
    metric_before = checkpoint.get("metric", "val_next_role_nll")
    recorded = validate(Params, dict(checkpoint["params"]), "checkpoint").model_dump(mode="json")
    before = {**recorded, "vocab_size": checkpoint["vocab_size"], "metric": metric_before}
    now = {**params.model_dump(mode="json"), "vocab_size": vocab_size, "metric": metric}
    faults = [
        f"{key} {before.get(key)!r} → {now[key]!r}"
        for key in now
        if key not in may_differ and before.get(key) != now[key]
    ]
    if faults:
        raise TrainingError(
            "A training resumes only with the settings of its checkpoint, but these changed: "
            + ", ".join(faults)
            + ". Start without the checkpoint."
        )

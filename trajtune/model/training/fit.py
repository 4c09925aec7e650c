"""The training loop: a generator of epoch results, deterministic and exactly resumable.

Knows nothing of Ray, files or searches: whoever consumes the results decides what to keep.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.batches import Batch, Loader, create_dataloaders
from trajtune.model.checkpoint import new_model
from trajtune.model.data_parallel import ALONE, Workers
from trajtune.model.fast.packed_adamw import create_optimizer
from trajtune.model.metrics import Metrics, val_metrics
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.markov_prior import count_transitions
from trajtune.model.network.title_vectors import TitleWords
from trajtune.model.predict import predict_batches
from trajtune.model.predictions import concatenate
from trajtune.model.training.schedule import learning_rate
from trajtune.model.training.training_loss import training_loss

EXPLODED = 1e4
"""A loss above this has diverged: a guess that ignores the input costs less than 20."""

_MAY_DIFFER = {"max_epochs", "patience"}


@dataclass(frozen=True)
class EpochResult:
    """One epoch of training.

    Attributes:
        epoch: From 1.
        train_loss: Mean weighted loss of the epoch's steps, dropout on.
        metrics: What `evaluate` gives on val after the epoch.
        best_epoch: The epoch with the lowest ``val_next_role_nll`` so far; the first of equals.
        is_best: Whether that is this one.
        seconds: Wall-clock of the epoch, validation included.
    """

    epoch: int
    train_loss: float
    metrics: Metrics
    best_epoch: int
    is_best: bool
    seconds: float
    _capture: Callable[[], dict[str, Any]] = field(repr=False, compare=False)

    def checkpoint(self, *, copy: bool = True) -> dict[str, Any]:
        """Everything `fit` needs to go on; to be asked for before the next epoch is.

        Args:
            copy: False saves memory where the state is written at once: the next epoch changes it.
        """
        state = self._capture()
        assert state["epoch"] == self.epoch, "the loop has gone on: this epoch's state is no more"
        return deepcopy(state) if copy else state


def fit(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    *,
    seed: int,
    checkpoint: Mapping[str, Any] | None = None,
    title_words: TitleWords | None = None,
    device: str | torch.device = "cpu",
    workers: Workers = ALONE,
) -> Iterator[EpochResult]:
    """Train one configuration, yielding after each epoch.

    Ends after ``max_epochs``, or after ``patience`` epochs without a lower ``val_next_role_nll``.
    The same arguments give the same results on one machine and number of threads, and continuing
    from any epoch's checkpoint gives what an uninterrupted run gives, bit for bit. The caller's
    random state is left as it is.

    Several workers call this at once, each with its own careers and all else the same, and each is given the
    same results. A step takes ``batch_size`` examples, each worker its share; what is counted of train, the
    gradients and the metrics are of all careers. Other than with one worker are the order of examples, the
    dropout, and that a step's tenure and hireability losses are means of the workers' means.

    Args:
        params: The configuration.
        train: Careers to train on, of this worker; `params.examples` says which of their transitions.
        val: Careers to validate on, of this worker, each on its last transition.
        vocab_size: V, index 0 included.
        seed: Of the weights, the shuffling and the dropout.
        checkpoint: What `EpochResult.checkpoint` gave. Only ``patience`` and, where no schedule
            depends on it, ``max_epochs`` may differ from its params.
        title_words: `words_of` the vocabulary; wanted by ``title_vectors: id_and_words`` alone.
        device: Where to train.
        workers: Who trains; any of them can go on from the checkpoint of the first.

    Raises:
        TrainingError: If a split holds no known target, the loss diverges, the checkpoint is of
            another configuration, or the words are missing.
    """
    _check_softmax(params)
    device = torch.device(device)
    random_state = _RandomState(seed, device)
    own = params.model_copy(update={"batch_size": workers.share_of(params.batch_size)})
    train_loader, val_loader = create_dataloaders(own, train, val, vocab_size, seed=seed, device=device)
    _check_targets(train_loader, val_loader, workers)
    with random_state.in_use():
        model = _new_model(params, train, vocab_size, title_words, workers).to(device)
    _set_tenure_scale(model, train, train_loader.examples, workers)
    optimizer = create_optimizer(model, params)
    epoch, best_epoch, best_metrics = 0, 0, Metrics()
    shuffling = train_loader.generator
    assert shuffling is not None

    if checkpoint is not None:
        _check_same(checkpoint, params, vocab_size)
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
            "epoch": epoch,
            "best_epoch": best_epoch,
            "best_metrics": best_metrics,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "rng": {"shuffling": shuffling.get_state(), **random_state.get()},
        }

    while epoch < params.max_epochs and epoch - best_epoch < params.patience:
        began = time.perf_counter()
        if workers.size > 1:
            # Anew each epoch: so the checkpoint of the first need not hold the others' random states.
            own_seed = workers.seed(seed, epoch + 1)
            shuffling.manual_seed(own_seed)
            random_state.reseed(own_seed)
        with random_state.in_use():
            train_loss = train_epoch(model, train_loader, optimizer, params, epoch=epoch + 1, workers=workers)
        metrics = evaluate(model, val_loader, workers)
        nll, best_nll = metrics["val_next_role_nll"], best_metrics.get("val_next_role_nll")
        if nll is None or not nll < EXPLODED:
            raise _diverged("val_next_role_nll", nll, f"after epoch {epoch + 1}", params, epoch)
        epoch += 1
        is_best = best_nll is None or nll < best_nll
        if is_best:
            best_epoch, best_metrics = epoch, metrics
        seconds = time.perf_counter() - began
        yield EpochResult(epoch, train_loss, metrics, best_epoch, is_best, seconds, capture)


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

    Nothing is read back from the device before the last step.

    Args:
        model: Left in training mode.
        batches: One epoch of them.
        optimizer: Of the model's parameters; its learning rate is set at each step.
        params: Gives the loss and the learning rate.
        epoch: Which epoch this is, from 1; for the error.
        workers: Who trains. One that has no batch left takes the others' steps with them.

    Returns:
        The mean loss.

    Raises:
        TrainingError: If a step's loss is not finite or above `EXPLODED`; the weights are then of no use.
    """
    model.train()
    losses: list[Tensor] = []
    num_steps = max(workers.gathered(len(batches)))
    for step, batch in zip_longest(range(num_steps), batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(params, epoch - 1 + step / num_steps)
        optimizer.zero_grad()
        loss = None if batch is None else _loss(model, batch, params)
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
        losses.append(workers.average(model.parameters(), loss, _num_known(batch, workers)))
        if params.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), params.clip_norm)
        optimizer.step()
    by_step = torch.stack(losses).cpu()
    bad = torch.nonzero(~(by_step < EXPLODED))
    if len(bad):
        step = int(bad[0])
        raise _diverged(
            "loss", float(by_step[step]), f"at step {step + 1} of epoch {epoch}", params, epoch - 1
        )
    return float(by_step.double().mean())


def _loss(model: CareerTrajectoryLSTM, batch: Batch, params: Params) -> Tensor:
    tenure = (batch.tenure_months - model.tenure_mean) / model.tenure_std
    scores = model.scores(batch.title_ids, batch.lengths, batch.next_title)
    return training_loss(scores, batch.next_title, tenure, batch.hireable, params)


def _num_known(batch: Batch | None, workers: Workers) -> int:
    """Next titles that a batch's main loss is the mean of; nobody asks for them of one worker alone."""
    return 0 if batch is None or workers.size == 1 else int((batch.next_title != 0).sum())


def evaluate(model: CareerTrajectoryLSTM, batches: Loader, workers: Workers = ALONE) -> Metrics:
    """Measure a model as a search does.

    Args:
        model: Left in evaluation mode.
        batches: Of val, each career's last transition.
        workers: Who has the rest of val.

    Returns:
        The val metrics by name; None where the split has no known target of the kind.
    """
    predicted = concatenate(workers.gathered(predict_batches(model, batches)))
    return workers.as_the_first(val_metrics(predicted))


class _RandomState:
    """The random state of weights and dropout, which torch keeps globally, as one of this training's own."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        with self._restored():
            torch.manual_seed(seed)
            self._state = self._read()

    def get(self) -> dict[str, Tensor]:
        return self._state

    def set(self, state: Mapping[str, Tensor]) -> None:
        self._state = {name: state[name] for name in self._state}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make it the global state for the block."""
        with self._restored():
            self._write(self._state)
            yield
            self._state = self._read()

    @contextmanager
    def _restored(self) -> Iterator[None]:
        before = self._read()
        try:
            yield
        finally:
            self._write(before)

    def _read(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
        return state

    def _write(self, state: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(state["cpu"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self._device)


def _check_softmax(params: Params) -> None:
    if params.softmax_samples and (params.markov_prior or params.label_smoothing):
        raise TrainingError(
            f"`softmax_samples` leaves titles out, but markov_prior ({params.markov_prior}) and "
            f"label_smoothing ({params.label_smoothing:g}) need all. Set it to 0, or those to false and 0."
        )


def _check_targets(train: Loader, val: Loader, workers: Workers) -> None:
    for name, loader in (("train", train), ("val", val)):
        some = bool(np.any(loader.arrays.title_ids[loader.examples.target]))
        found = workers.gathered((some, len(loader.examples)))
        if not any(some for some, _ in found):
            raise TrainingError(
                f"A split needs a next title that the vocabulary holds, but {name} has none in "
                f"{sum(num for _, num in found)} examples. Move the cutoffs or lower vocabulary.min_count."
            )


def _new_model(
    params: Params, train: CareerArrays, vocab_size: int, title_words: TitleWords | None, workers: Workers
) -> CareerTrajectoryLSTM:
    with_words = params.title_vectors == "id_and_words"
    if with_words and title_words is None:
        raise TrainingError(
            "title_vectors: id_and_words needs the words of the vocabulary, but there are none. "
            "Give title_words=words_of(encoder)."
        )
    return new_model(
        params,
        vocab_size,
        title_words if with_words else None,
        count_transitions(train, vocab_size, workers) if params.markov_prior else None,
    )


def _set_tenure_scale(
    model: CareerTrajectoryLSTM, train: CareerArrays, examples: Examples, workers: Workers
) -> None:
    """Mean and standard deviation of the known train targets; 0 and 1 where they say nothing."""
    tenure = train.tenure_months[examples.target]
    known = tenure[~np.isnan(tenure)].astype(np.float64)
    own = (len(known), known.mean(), known.var()) if len(known) else (0, 0.0, 0.0)
    num, mean, variance = np.array(workers.gathered(own)).T
    if num.sum():
        together = np.average(mean, weights=num)
        spread = np.average(variance + (mean - together) ** 2, weights=num)
        model.tenure_mean.fill_(float(together))
        model.tenure_std.fill_(float(np.sqrt(spread)) or 1.0)


def _diverged(name: str, value: float | None, where: str, params: Params, last_good: int) -> TrainingError:
    good = f"epoch {last_good}" if last_good else "none"
    return TrainingError(
        f"Training needs a loss below {EXPLODED:g}, but {name} is {value} {where} with "
        f"learning_rate={params.learning_rate:g}; last good checkpoint: {good}. Lower learning_rate."
    )


def _check_same(checkpoint: Mapping[str, Any], params: Params, vocab_size: int) -> None:
    may_differ = _MAY_DIFFER if params.schedule == "constant" else _MAY_DIFFER - {"max_epochs"}
    before = {**checkpoint["params"], "vocab_size": checkpoint["vocab_size"]}
    now = {**params.model_dump(mode="json"), "vocab_size": vocab_size}
    faults = [
        f"{key} {before.get(key)!r} → {now[key]!r}"
        for key in now
        if key not in may_differ and before.get(key) != now[key]
    ]
    if faults:
        raise TrainingError(
            "A checkpoint goes on only with its own params, but these changed: "
            + ", ".join(faults)
            + ". Start without the checkpoint."
        )

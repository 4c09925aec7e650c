"""Train and validate a model on data frames, one epoch per call."""

# B examples in a batch, V titles

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import TrainingError
from trajtune.experiment.params import RESEARCH_DEFAULT
from trajtune.model.batches import Batch, Loader, prediction_batch_size
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict_batches
from trajtune.model.predictions import Predictions
from trajtune.steps.careers import encoded

if TYPE_CHECKING:
    import pandas as pd

Criterion = Callable[[Tensor, Tensor], Tensor]

_ENCODER: Final = "title_encoder"


class FrameLoader(Loader):
    """Batches of a frame's examples, with the vocabulary that encoded them.

    Attributes:
        encoder: The vocabulary.
    """

    encoder: TitleEncoder


class Evaluation(NamedTuple):
    """Result of `evaluate`.

    Attributes:
        accuracy: Share of examples whose next title is the most probable one, in 0..1.
        loss: Mean negative log-likelihood of next titles in the vocabulary, in nats; NaN if there are none.
        predictions: Predictions for each example, for calibration and metrics.
    """

    accuracy: float
    loss: float
    predictions: Predictions


def create_dataloaders(
    train_df: "pd.DataFrame",
    val_df: "pd.DataFrame",
    encoder: TitleEncoder,
    batch_size: int = 32,
    *,
    examples: Literal["last", "every_transition"] = "last",
    seed: int = 0,
) -> tuple[FrameLoader, FrameLoader]:
    """Create batches of train, shuffled in each epoch, and of val, in a fixed order.

    Args:
        train_df: Train split from `temporal_split`.
        val_df: Another split; the last transition of each career is an example.
        encoder: Vocabulary fitted on train.
        batch_size: Number of examples per training step.
        examples: Which transitions of a train career are examples; ``last`` is the specification's.
        seed: Seed of the shuffling.

    Returns:
        The loaders of train and val, which yield `trajtune.model.batches.Batch`.

    Examples:
        >>> train_loader, val_loader = create_dataloaders(train, val, encoder)  # doctest: +SKIP
    """
    train, val = (encoded(frame, encoder).arrays for frame in (train_df, val_df))
    loaders = (
        FrameLoader(
            train, examples_of(train, examples), batch_size, generator=torch.Generator().manual_seed(seed)
        ),
        FrameLoader(val, examples_of(val, "last"), prediction_batch_size(encoder.vocab_size)),
    )
    for loader in loaders:
        loader.encoder = encoder
    return loaders


def train_epoch(
    model: CareerTrajectoryLSTM,
    dataloader: Loader,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion | None = None,
) -> float:
    """Train for one epoch, with one step per batch.

    The loss is the specification's: ``criterion`` of the next title, plus 0.1 times the squared error of the
    tenure (in standard deviations of train), plus 0.1 times the cross-entropy of hireability. Unknown targets
    are masked.

    Args:
        model: The model; it stays in training mode.
        dataloader: Result of `create_dataloaders`.
        optimizer: Optimizer of the model's parameters.
        criterion: Function of logits ``[B, V]`` and title indices ``[B]``; None:
            ``torch.nn.CrossEntropyLoss()``. Titles outside the vocabulary are masked.

    Returns:
        Mean loss over the batches.

    Raises:
        TrainingError: If the loss is not finite.

    Examples:
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)  # doctest: +SKIP
        >>> loss = train_epoch(model, train_loader, optimizer, torch.nn.CrossEntropyLoss())  # doctest: +SKIP
    """
    if isinstance(dataloader, FrameLoader):
        setattr(model, _ENCODER, dataloader.encoder)
    _set_tenure_scale(model, dataloader.arrays, dataloader.examples.target)
    model.train()
    losses: list[float] = []
    for batch in dataloader:
        optimizer.zero_grad()
        loss = _loss(model, batch, criterion or functional.cross_entropy)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"Training needs a finite loss, but it is {loss.item()} at step {len(losses) + 1}. "
                "Lower the optimizer's learning rate."
            )
        if loss.requires_grad:  # a batch without known targets has no gradient
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def evaluate(model: CareerTrajectoryLSTM, dataloader: Loader) -> Evaluation:
    """Compute accuracy, loss and predictions of a model.

    Args:
        model: The model; its training mode does not change.
        dataloader: Result of `create_dataloaders`.

    Returns:
        A named tuple of the three.

    Examples:
        >>> accuracy, loss, predictions = evaluate(model, val_loader)  # doctest: +SKIP
    """
    predictions = predict_batches(model, dataloader)
    known = predictions.nll[~np.isnan(predictions.nll)]
    accuracy = float(predictions.correct.mean()) if len(predictions) else float("nan")
    return Evaluation(accuracy, float(known.mean()) if len(known) else float("nan"), predictions)


def encoder_of(model: object, encoder: TitleEncoder | None) -> TitleEncoder:
    """Return the given vocabulary, or the one with which `train_epoch` trained the model.

    Raises:
        TrainingError: If neither exists.
    """
    found = encoder or getattr(model, _ENCODER, None)
    if not isinstance(found, TitleEncoder):
        raise TrainingError(
            "The vocabulary of the model is unknown. Give `encoder`, the vocabulary of its training."
        )
    return found


def _set_tenure_scale(
    model: CareerTrajectoryLSTM, train: CareerArrays, target: np.typing.NDArray[np.int64]
) -> None:
    """Set mean and standard deviation of the known tenures, if they are not set yet."""
    months = train.tenure_months[target]
    known = months[~np.isnan(months)]
    if len(known) and float(model.tenure_mean) == 0 and float(model.tenure_std) == 1:
        model.tenure_mean.fill_(float(known.mean()))
        model.tenure_std.fill_(float(known.std()) or 1.0)


def _loss(model: CareerTrajectoryLSTM, batch: Batch, criterion: Criterion) -> Tensor:
    logits_BV, tenure_B2, hireability_B1 = model(batch.title_ids, batch.lengths)
    loss: Tensor = logits_BV.new_zeros(())
    known = batch.next_title != 0
    if known.any():
        loss = loss + criterion(logits_BV[known], batch.next_title[known])
    known = ~batch.tenure_months.isnan()
    if known.any():
        error_B2 = (tenure_B2[known] - batch.tenure_months[known, None]) / model.tenure_std
        loss = loss + RESEARCH_DEFAULT.tenure_weight * error_B2.square().mean()
    known = ~batch.hireable.isnan()
    if known.any():
        entropy = functional.binary_cross_entropy(hireability_B1[known, 0], batch.hireable[known])
        loss = loss + RESEARCH_DEFAULT.hireability_weight * entropy
    return loss

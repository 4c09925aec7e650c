"""Compute `Predictions` from scores over all titles, in the same way for the model and every baseline."""

# E examples, B examples in a batch, V titles, K top titles

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of, outcome_examples
from trajtune.model.batches import Loader, prediction_batch_size
from trajtune.model.network.average import CareerModel
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predictions import Predictions, SplitPredictions

TOP = 5


@dataclass(frozen=True)
class NextRole:
    """The next-title columns of `Predictions`."""

    rank: NDArray[np.int32]
    nll: NDArray[np.float64]
    stay_nll: NDArray[np.float64]
    top_ids: NDArray[np.int32]
    confidence: NDArray[np.float32]

    def take(self, examples: NDArray[np.int64]) -> "NextRole":
        """Return the columns of the given examples, in the given order; repeats are allowed."""
        return NextRole(*(getattr(self, column.name)[examples] for column in fields(self)))


def predict(
    model: CareerModel, arrays: CareerArrays, examples: Examples, batch_size: int | None = None
) -> Predictions:
    """Return predictions by the model in eval mode; its mode is restored afterwards.

    Args:
        model: Model on any device.
        arrays: Careers that contain the examples.
        examples: Examples to predict; the result is in their order.
        batch_size: Examples in a batch; None: the size of `prediction_batch_size`.
    """
    size = batch_size or prediction_batch_size(model.vocab_size)
    device = next(model.buffers()).device
    loader = Loader(arrays, examples, size, device=device, max_history=model.max_history)
    return predict_batches(model, loader)


@torch.inference_mode()
def top_probabilities(
    model: CareerModel, arrays: CareerArrays, examples: Examples, most: int
) -> NDArray[np.float64]:
    """Return the ``most`` highest title probabilities of each example, highest first, ``[E, most]``."""
    size = prediction_batch_size(model.vocab_size)
    loader = Loader(arrays, examples, size, max_history=model.max_history)
    top = np.empty((len(examples), most), np.float64)
    for batch in loader:
        p_BV = torch.softmax(model(batch.title_ids, batch.lengths)[0].double(), 1)
        top[batch.index.numpy()] = p_BV.topk(most, dim=1).values.numpy()
    return top


def predict_split(predict: Callable[[Examples], Predictions], arrays: CareerArrays) -> SplitPredictions:
    """Return the predictions that are measured on a split."""
    moves = predict(examples_of(arrays, "last"))
    return with_outcomes(moves, predict, arrays)


def with_outcomes(
    moves: Predictions, predict: Callable[[Examples], Predictions], arrays: CareerArrays
) -> SplitPredictions:
    """Return ``moves`` with predictions of the outcomes; equal examples are not predicted again."""
    last, outcomes = examples_of(arrays, "last"), outcome_examples(arrays)
    return SplitPredictions(moves, moves if outcomes.equals(last) else predict(outcomes))


def predict_batches(model: CareerModel, loader: Loader) -> Predictions:
    """Return predictions for the examples of a loader, in their order; see `predict`."""
    was_training = model.training
    model.eval()
    index, next_roles, tenures, hireabilities = [], [], [], []
    composed_once = model.titles_composed_once() if isinstance(model, CareerTrajectoryLSTM) else nullcontext()
    with torch.inference_mode(), composed_once:
        for batch in loader:
            logits_BV, tenure_B2, hireability_B1 = model(batch.title_ids, batch.lengths)
            index.append(batch.index.numpy())
            next_roles.append(score_next_role(logits_BV, batch.next_title, batch.title_ids[:, -1]))
            tenures.append(tenure_B2.cpu().numpy())
            hireabilities.append(hireability_B1.squeeze(1).cpu().numpy())
    model.train(was_training)
    original_order = np.argsort(np.concatenate(index)) if index else np.empty(0, np.int64)
    return predictions(
        loader.arrays,
        loader.examples,
        concatenate(next_roles).take(original_order),
        np.concatenate(tenures)[original_order] if tenures else None,
        np.concatenate(hireabilities)[original_order] if hireabilities else None,
    )


def score_next_role(logits_BV: Tensor, next_title_B: Tensor, current_B: Tensor) -> NextRole:
    """Return rank, log-loss, top titles and confidence from logits, which need not be normalised.

    Args:
        logits_BV: Logits of any float type; column 0 must be far below the others.
        next_title_B: Targets, int64; 0 is unknown.
        current_B: Last title in the input of the predictor, any integer type; 0 is unknown.
    """
    in_vocabulary = (next_title_B != 0).cpu().numpy()
    is_current_known = (current_B > 0).cpu().numpy()
    target_B1 = logits_BV.gather(1, next_title_B[:, None])
    stay_B1 = logits_BV.gather(1, current_B.long().clamp(min=0)[:, None])
    normaliser_B = logits_BV.logsumexp(1)
    top = logits_BV.topk(min(TOP, logits_BV.shape[1] - 1), dim=1)
    rank = (logits_BV >= target_B1).count_nonzero(1).cpu().numpy()
    nll, stay_nll = (
        (normaliser_B - logit_B1.squeeze(1)).cpu().numpy().astype(np.float64)
        for logit_B1 in (target_B1, stay_B1)
    )
    return NextRole(
        rank=np.where(in_vocabulary, rank, 0).astype(np.int32),
        nll=np.where(in_vocabulary, nll, np.nan),
        stay_nll=np.where(is_current_known, stay_nll, np.nan),
        top_ids=top.indices.to(torch.int32).cpu().numpy(),
        confidence=(top.values[:, 0] - normaliser_B).exp().to(torch.float32).cpu().numpy(),
    )


def concatenate(parts: Iterable[NextRole]) -> NextRole:
    """Return the parts concatenated; no rows if there are no parts."""
    parts = list(parts)
    if not parts:
        empty = np.empty(0, np.float64)
        ids = np.empty((0, TOP), np.int32)
        return NextRole(empty.astype(np.int32), empty, empty, ids, empty.astype(np.float32))
    return NextRole(
        *(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(NextRole))
    )


def predictions(
    arrays: CareerArrays,
    examples: Examples,
    next_role: NextRole,
    tenure: NDArray[np.float32] | None = None,
    hireability: NDArray[np.float32] | None = None,
) -> Predictions:
    """Return the predicted columns joined with the targets; columns that are None become NaN."""
    target, num = examples.target, len(examples)
    return Predictions(
        target=arrays.title_ids[target],
        rank=next_role.rank,
        nll=next_role.nll,
        stay_nll=next_role.stay_nll,
        top_ids=next_role.top_ids,
        confidence=next_role.confidence,
        tenure=np.full((num, 2), np.nan, np.float32) if tenure is None else tenure,
        hireability=np.full(num, np.nan, np.float32) if hireability is None else hireability,
        tenure_months=arrays.tenure_months[target],
        tenure_at_least=arrays.tenure_at_least[target],
        hireable=arrays.hireable[target],
    )

"""Detects a model that lags one step behind: it predicts the current title, as if targets were shifted.

A model lags if it predicts more staying than is observed, or if a counting baseline predicts better where
people who moved went. How often it predicts the current title for people who *moved* is no criterion: if the
history does not show who will move, the best possible model does so too.
"""

# E examples

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.finalizing.evaluate.bootstrap import RESAMPLES, Gain, bounds, interval, mean_gain
from trajtune.finalizing.evaluate.significance import ONE_SIDED, holm
from trajtune.model.predictions import Predictions


def staying(p: Predictions, current_ids: NDArray[np.int32]) -> dict[str, Any]:
    """Return how often staying on the current title is predicted and observed.

    Args:
        p: Predictions of any predictor, ``[E]``.
        current_ids: Id of the last title that the predictor saw, ``[E]``; examples with 0 (unknown) are left
            out.

    Returns:
        ``num``; ``predicted``, the mean probability of staying; ``observed``, the share who stayed;
        ``excess``, their difference, with ``low`` and ``high`` of its 95 % interval; and ``j`` with its
        interval: P(predicted = current | stayed) minus P(predicted = current | moved). Undefined values are
        None.
    """
    known = (current_ids != 0) & ~np.isnan(p.stay_nll)
    num = int(known.sum())
    if not num:
        undefined = ("predicted", "observed", "excess", "low", "high", "j", "j_low", "j_high")
        return {"num": 0, **dict.fromkeys(undefined)}
    own, current = p.take(known), current_ids[known]
    probability, stayed = np.exp(-own.stay_nll), own.target == current
    low, high = interval(probability - stayed) or (0.0, 0.0)
    return {
        "num": num,
        "predicted": float(probability.mean()),
        "observed": float(stayed.mean()),
        "excess": float((probability - stayed).mean()),
        "low": low,
        "high": high,
        **_j(own.top_ids[:, 0] == current, stayed),
    }


def movers(p: Predictions, moved: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the accuracy for people who moved, with the current title left out of the ranking.

    Args:
        p: Predictions of any predictor, ``[E]``.
        moved: Whether the next title differs from the current one, bool ``[E]``.

    Returns:
        ``num``, ``top1`` and ``top5``; the accuracies are None if nobody moved.
    """
    if not moved.any():
        return {"num": 0, "top1": None, "top5": None}
    rank = p.take(moved).rank_of_moves
    return {"num": len(rank), **{f"top{k}": float(_among(rank, k).mean()) for k in (1, 5)}}


def movers_gain(model: Predictions, other: Predictions, moved: NDArray[np.bool_]) -> Gain | None:
    """Return the gain in top-5 for people who moved, without the current title, or None if nobody moved."""
    hits = [_among(p.take(moved).rank_of_moves, 5) for p in (model, other)]
    return mean_gain((hits[0] - hits[1])[None])


def predicts_too_much_staying(found: Mapping[str, Any], limit: float) -> bool | None:
    """Return whether predicted staying exceeds observed staying by more than the limit and than chance.

    Returns:
        None if no current title is known.
    """
    return None if found["excess"] is None else bool(found["excess"] > limit and found["low"] > 0)


def worse_for_movers(gains: Mapping[str, Gain | None]) -> list[str]:
    """Return the predictors that predict significantly better where movers go, after Holm's correction."""
    corrected = holm({name: gain["p_worse"] for name, gain in gains.items() if gain})
    return [name for name, p in corrected.items() if p <= ONE_SIDED]


def _among(rank: NDArray[np.int32], most: int) -> NDArray[np.float64]:
    return ((rank > 0) & (rank <= most)).astype(np.float64)


def _j(says_current: NDArray[np.bool_], stayed: NDArray[np.bool_]) -> dict[str, float | None]:
    """Return J and its 95 % interval over people; None if everybody or nobody stayed."""
    if stayed.all() or not stayed.any():
        return {"j": None, "j_low": None, "j_high": None}
    cells = np.bincount(2 * stayed + says_current, minlength=4)
    random = np.random.default_rng(0)
    draws = random.multinomial(len(stayed), cells / len(stayed), size=RESAMPLES).astype(np.float64)
    moved_other, moved_same, stayed_other, stayed_same = draws.T
    both = (moved_other + moved_same > 0) & (stayed_other + stayed_same > 0)
    j = (stayed_same / np.maximum(stayed_other + stayed_same, 1))[both]
    j -= (moved_same / np.maximum(moved_other + moved_same, 1))[both]
    low, high = bounds(j)
    return {
        "j": float(says_current[stayed].mean() - says_current[~stayed].mean()),
        "j_low": low,
        "j_high": high,
    }

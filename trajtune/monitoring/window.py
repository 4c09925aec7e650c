"""Measure the models of an origin on the moves of a window after it."""

# E examples, P people

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.encode import SplitData, with_vocabulary
from trajtune.dataset.profiling.drift import chance_index, sample_of, stability_index, title_bins
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.evaluate.bootstrap import Gain, gain, gain_of, ratio_draws
from trajtune.finalizing.evaluate.calibration_test import calibration_test
from trajtune.finalizing.evaluate.evaluate import mean_over_seeds
from trajtune.model.metrics import (
    expected_calibration_error,
    hireability_metrics,
    next_role,
    next_role_scores,
    tenure_metrics,
)
from trajtune.model.predict import predict, predict_split
from trajtune.model.predictions import Predictions, SplitPredictions
from trajtune.monitoring.origin_models import OriginModels

RESEARCH_DEFAULT: Final = "research_default"
METRICS: Final = ("nll", "top1")
"""Metrics whose gains are pooled."""


@dataclass(frozen=True)
class Measured:
    """Predictions of the models of an origin for the people of a window.

    Attributes:
        people: string ``[E]``, one for each example.
        own: The winner's predictions, with its calibrated tenure and hireability.
        confidence: Its calibrated confidence of the top title ``[E]``.
        others: Predictions of the research default and the baselines for the last moves, by name and seed.
    """

    people: NDArray[np.str_]
    own: SplitPredictions
    confidence: NDArray[np.float64]
    others: Mapping[str, Sequence[Predictions]]


def measure(models: OriginModels, window: SplitData) -> Measured:
    """Predict the people of a window with every model of an origin.

    Args:
        models: Of the origin.
        window: From `KnownCareers.moved_in`, with the title ids of any vocabulary.
    """
    data = with_vocabulary(window, models.encoder)
    arrays = data.arrays
    raw = predict_split(partial(predict, models.model, arrays), arrays)
    moves = corrected(raw.moves, models.corrections)
    outcomes = moves if raw.outcomes is raw.moves else corrected(raw.outcomes, models.corrections)
    others: dict[str, list[Predictions]] = {}
    if models.research_default:
        of_seeds = [predict_split(partial(predict, one, arrays), arrays) for one in models.research_default]
        others[RESEARCH_DEFAULT] = [each.moves for each in of_seeds]
    for name, baseline in models.baselines.items():
        others[name] = [predict_split(partial(baseline.predict, arrays), arrays).moves]
    people = data.candidate_ids.to_numpy(zero_copy_only=False).astype(np.str_)
    confidence = models.corrections.confidence(raw.moves.confidence)
    return Measured(people, SplitPredictions(moves, outcomes), confidence, others)


def corrected(p: Predictions, corrections: Corrections) -> Predictions:
    """Return predictions with the tenure interval and hireability that the exported graph would give."""
    tenure, hireability, priors = p.tenure, p.hireability, corrections.priors
    if priors is not None and priors.tenure_from == "prior":
        tenure = np.tile(np.array(priors.tenure_months, np.float32), (len(p), 1))
    if priors is not None and priors.hireability_from == "prior":
        hireability = np.full(len(p), priors.hireability, np.float32)
    elif corrections.hireability is not None:
        hireability = corrections.hireability(hireability).astype(np.float32)
    return replace(p, tenure=corrections.tenure(tenure).astype(np.float32), hireability=hireability)


def window_metrics(measured: Measured, most_error: float) -> dict[str, Any]:
    """Return the metrics of one window.

    Args:
        measured: Of the window.
        most_error: The calibration error that the people should be able to show; see `calibration_test`.

    Returns:
        ``people``, ``unseen_targets`` (share of next titles that are not in the vocabulary), the winner's
        ``top1``, ``top5``, ``mrr``, ``nll``, ``ece`` with the keys of `calibration_test`, tenure and
        hireability metrics, ``others`` and ``gains`` by name.
    """
    own, moves = measured.own, measured.own.moves
    tenure = tenure_metrics(own.outcomes)
    return {
        "people": len(moves),
        "unseen_targets": float((moves.target == 0).mean()) if len(moves) else None,
        **next_role(moves),
        "ece": expected_calibration_error(measured.confidence, moves.correct),
        **calibration_test(measured.confidence, moves.correct, most_error),
        **{name: tenure[name] for name in ("num_tenures", "tenure_coverage", "tenure_width_months")},
        "hireability_auc": hireability_metrics(own.labelled)["hireability_auc"],
        "others": {
            name: mean_over_seeds([next_role(one) for one in of_seeds])
            for name, of_seeds in measured.others.items()
        },
        "gains": {name: gain(moves, *of_seeds) for name, of_seeds in measured.others.items()},
    }


def drift(models: OriginModels, train: SplitData, window: SplitData, min_count: int) -> dict[str, float]:
    """Measure how the titles of a window differ from those of an origin's training.

    Args:
        models: Of the origin; the bins are those of their vocabulary.
        train: Careers that they were trained on, with the title ids of any vocabulary.
        window: The people of the window.
        min_count: Smallest number of occurrences of a title in the vocabulary.

    Returns:
        ``psi``, the stability index, and ``psi_by_chance``, its value without any drift (`chance_index`).
    """
    before, after = (with_vocabulary(data, models.encoder) for data in (train, window))
    bins = [title_bins(data.arrays.title_ids) for data in (before, after)]
    sizes = before.arrays.num_careers, after.arrays.num_careers
    samples = [sample_of(data, 0, num) for data, num in zip((before, after), sizes, strict=True)]
    return {
        "psi": stability_index(*bins),
        "psi_by_chance": chance_index(samples[0], samples[1], sizes, min_count),
    }


def pooled_gain(windows: Sequence[Measured], other: str, metric: str) -> Gain | None:
    """Return the gain over another predictor on all windows, with an interval by person.

    A person who moved in several windows is resampled with all of them.

    Args:
        windows: Of all origins.
        other: Name of the other predictor.
        metric: One of `METRICS`.

    Returns:
        The gain per move; None if the metric is undefined for everybody.
    """
    people, differences = [], []
    for window in windows:
        if other not in window.others:
            continue
        own = next_role_scores(window.own.moves)[metric]
        theirs = [next_role_scores(one)[metric] for one in window.others[other]]
        better = own - np.mean(theirs, 0)
        people.append(window.people)
        differences.append(-better if metric == "nll" else better)
    if not people:
        return None
    who, by_move = np.concatenate(people), np.concatenate(differences).astype(np.float64)
    known = ~np.isnan(by_move)
    if not known.any():
        return None
    _, person = np.unique(who[known], return_inverse=True)
    sums = np.bincount(person, by_move[known]).astype(np.float64)
    count = np.bincount(person).astype(np.float64)
    return gain_of(float(sums.sum() / count.sum()), ratio_draws(sums[None], count)[0])


def best_baseline(windows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return the baseline with the lowest NLL over all windows, weighted by their people.

    Args:
        windows: From `window_metrics`.
        names: The baselines, at least one.
    """

    def loss(name: str) -> float:
        known = [(row["people"], row["others"][name]["nll"]) for row in windows]
        known = [(num, nll) for num, nll in known if nll is not None]
        total = sum(num for num, _ in known)
        return sum(num * nll for num, nll in known) / total if total else float("inf")

    return min(names, key=loss)

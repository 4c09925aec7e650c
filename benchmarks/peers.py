"""Peers of the model, written only with numpy and scikit-learn, tuned on val and measured on test.

Three peers read the same input as the model, titles in order: an n-gram mixed with copies of earlier titles,
a softmax regression, and gradient boosting on the last two titles and the number of roles. A fourth peer,
boosting that also reads the months in the last two roles, shows the value of durations. Nothing here uses the
product's counts or baselines. The classifiers are mixed with the n-gram, which also predicts the titles
that they leave out.
"""

# E examples, V titles, C classes

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.classifier_peers import Classifier, boosting, boosting_with_months, softmax_regression
from benchmarks.ngram_peer import MIN_PROBABILITY, Fold, Matrix, Moves, Ngram, mean_nll, tuned_ngram
from trajtune.model.predict import predictions, score_next_role
from trajtune.model.predictions import Predictions

WITHOUT_BAR: Final = "boosting + months in roles"
"""The peer without a bar, because it reads more than the model."""
SHARES: Final = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95)
"""Shares of a classifier in the mixture with the n-gram to try."""
TUNING_EXAMPLES: Final = 15_000
"""Number of random train examples that a classifier is tuned on."""


@dataclass(frozen=True)
class Peer:
    """A peer's predictions on test, and its tuned settings."""

    predictions: Predictions
    val_nll: float
    settings: dict[str, Any]


def peers(tuning: Fold, final: Fold) -> dict[str, Peer]:
    """Tune each peer on ``tuning``, then fit it on ``final`` and predict its examples.

    Args:
        tuning: Train of the search, and val.
        final: Training data of the product's winner, and test, in the winner's vocabulary.
    """
    ngram, nll = tuned_ngram(tuning)
    probabilities = ngram.predict(tuning), ngram.predict(final)
    found = {"n-gram + copy": Peer(scored(probabilities[1], final.predicted), nll, vars(ngram))}
    for name, classifier in {
        "softmax regression": softmax_regression,
        "boosting": boosting,
        WITHOUT_BAR: boosting_with_months,
    }.items():
        found[name] = mixed_classifier(classifier, ngram, tuning, final, probabilities)
    return found


def mixed_classifier(
    classifier: Classifier, ngram: Ngram, tuning: Fold, final: Fold, of_ngram: tuple[Matrix, Matrix]
) -> Peer:
    """Tune a classifier and its share in the mixture with the n-gram, and fit it on the final data."""
    known = np.flatnonzero(tuning.predicted.target)
    moves, base = tuning.predicted.take(known), of_ngram[0][known]
    best: tuple[float, dict[str, Any]] | None = None
    train, weights = weighted(tuning, ngram, TUNING_EXAMPLES)
    for settings in classifier.grid:
        fitted = classifier.fit(train, weights, settings)
        for chosen, scores in fitted.predict(moves):
            of_target = over_titles(scores, fitted.classes, base)[np.arange(len(known)), moves.target]
            of_base = base[np.arange(len(known)), moves.target]
            for share in SHARES:
                nll = mean_nll(share * of_target + (1 - share) * of_base)
                if best is None or nll < best[0]:
                    best = nll, {**settings, **chosen, "share": share}
    assert best is not None
    nll, settings = best
    train, weights = weighted(final, ngram, None)
    fitted = classifier.fit(train, weights, settings)
    *_, (_, scores) = fitted.predict(final.predicted)
    of_classifier = over_titles(scores, fitted.classes, of_ngram[1])
    mixed = settings["share"] * of_classifier + (1 - settings["share"]) * of_ngram[1]
    return Peer(scored(mixed, final.predicted), nll, settings)


def weighted(fold: Fold, ngram: Ngram, most: int | None) -> tuple[Moves, NDArray[np.float64]]:
    """Return at most ``most`` train examples as chosen for the n-gram, and their weights by age."""
    moves = fold.moves(ngram.which)
    weights = moves.weights(ngram.half_life)
    if most is None or len(weights) <= most:
        return moves, weights
    chosen = np.sort(np.random.default_rng(0).choice(len(weights), most, replace=False))
    return moves.take(chosen), weights[chosen]


def over_titles(scores: Matrix, classes: NDArray[np.int64], rest: Matrix) -> Matrix:
    """Expand classes to all titles, ``[E, V]``; class 0 is divided in proportion to ``rest``."""
    others = rest.copy()
    others[:, classes] = 0
    others /= np.maximum(others.sum(1, keepdims=True), MIN_PROBABILITY)
    result = others * (scores[:, :1] if classes[0] == 0 else 0)
    named = classes > 0
    result[:, classes[named]] = scores[:, named]
    return np.asarray(result)


def scored(probabilities: Matrix, moves: Moves) -> Predictions:
    """Return probabilities ``[E, V]`` as predictions for the product's metrics."""
    logits = np.log(np.maximum(probabilities, MIN_PROBABILITY))
    logits[:, 0] = -1e9
    targets = torch.from_numpy(moves.target)
    current = torch.from_numpy(moves.arrays.title_ids[moves.examples.target - 1].astype(np.int64))
    next_role = score_next_role(torch.from_numpy(logits), targets, current)
    return predictions(moves.arrays, moves.examples, next_role)

"""Classifier peers of the model: softmax regression and gradient boosting from scikit-learn.

Both read the last two titles and the number of roles. The softmax regression learns as many of the commonest
next titles as its time limit allows, and boosting learns at most `MAX_BOOSTED`. All other titles share a
class.
"""

# E examples, C classes, F features, K tuned values

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from benchmarks.ngram_peer import START, Matrix, Moves

INVERSE_PENALTIES: Final = (0.3, 3.0, 30.0)
LEAF_SIZES: Final = (5, 20)
ROUNDS: Final = (5, 10, 20)
MAX_BOOSTED: Final = 60
"""Largest number of classes of boosting, which grows a tree for each class and round."""
MAX_CATEGORIES: Final = 250
"""Largest number of titles that boosting distinguishes as inputs; the others share a category."""
SOFTMAX_SCORES: Final = 4_000_000
"""Largest number of scores in training the softmax regression: with more examples there are fewer classes."""


@dataclass(frozen=True)
class Fitted:
    """A fitted classifier.

    Attributes:
        classes: Predicted titles, int64 ``[C]``, ascending; 0 represents all other titles.
        predict: Function that returns class probabilities, ``[E, C]`` for each of K tuned values.
    """

    classes: NDArray[np.int64]
    predict: Callable[[Moves], Iterable[tuple[dict[str, Any], Matrix]]]


Fit = Callable[[Moves, NDArray[np.float64], dict[str, Any]], Fitted]
"""Function that fits a classifier, given train examples, their weights and settings."""


@dataclass(frozen=True)
class Classifier:
    """A function that fits a classifier, and the settings to try."""

    fit: Fit
    grid: Sequence[dict[str, Any]]


def fit_softmax(moves: Moves, weights: NDArray[np.float64], settings: dict[str, Any]) -> Fitted:
    """Fit a multinomial logistic regression on one-hot titles and the number of roles."""
    rows = np.column_stack([one_hot_features(moves), moves.target])
    distinct, which = np.unique(
        rows, axis=0, return_inverse=True
    )  # merge equal examples and add their weights
    target = common_targets(distinct[:, -1], SOFTMAX_SCORES // len(distinct))
    columns = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    model = LogisticRegression(C=settings["C"], max_iter=60)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(columns.fit_transform(distinct[:, :-1]), target, sample_weight=np.bincount(which, weights))
    return Fitted(
        model.classes_,
        lambda asked: [({}, model.predict_proba(columns.transform(one_hot_features(asked))))],
    )


def fit_boosting(
    moves: Moves, weights: NDArray[np.float64], settings: dict[str, Any], *, with_months: bool = False
) -> Fitted:
    """Fit gradient boosting, which predicts for each number of rounds, or only for the given number."""
    kept = common_targets(moves.title(1), MAX_CATEGORIES)
    known = np.unique(kept[kept > 0])
    model = HistGradientBoostingClassifier(
        max_iter=settings.get("rounds", ROUNDS[-1]),
        min_samples_leaf=settings["min_samples_leaf"],
        max_leaf_nodes=15,
        early_stopping=False,
        categorical_features=[0, 1],
        random_state=0,
    )
    features = boosting_features(moves, known, with_months)
    with threadpool_limits(1):  # threads slow down small trees
        model.fit(features, common_targets(moves.target, MAX_BOOSTED), sample_weight=weights)

    def predict(asked: Moves) -> Iterator[tuple[dict[str, Any], Matrix]]:
        stages = model.staged_predict_proba(boosting_features(asked, known, with_months))
        for rounds, scores in enumerate(stages, 1):
            if rounds in ROUNDS:
                yield {"rounds": rounds}, scores

    return Fitted(model.classes_, predict)


def fit_boosting_with_months(moves: Moves, weights: NDArray[np.float64], settings: dict[str, Any]) -> Fitted:
    """Fit boosting that also reads the months in the last two roles; see `fit_boosting`."""
    return fit_boosting(moves, weights, settings, with_months=True)


_PENALTIES: Final = [{"C": value} for value in INVERSE_PENALTIES]
_LEAVES: Final = [{"min_samples_leaf": value} for value in LEAF_SIZES]
softmax_regression: Final = Classifier(fit_softmax, _PENALTIES)
boosting: Final = Classifier(fit_boosting, _LEAVES)
boosting_with_months: Final = Classifier(fit_boosting_with_months, _LEAVES)


def common_targets(titles: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the titles, with 0 for all except the ``most`` commonest ones."""
    distinct, counts = np.unique(titles[titles > 0], return_counts=True)
    common = distinct[np.argsort(-counts, kind="stable")[:most]]
    return np.where(np.isin(titles, common), titles, 0)


def number_of_roles(moves: Moves) -> NDArray[np.int64]:
    """Return the number of roles so far, at most 8 ``[E]``."""
    return np.minimum(moves.examples.length, 8)


def one_hot_features(moves: Moves) -> NDArray[np.int64]:
    """Return the last title, the title before it and the number of roles, ``[E, 3]``."""
    return np.column_stack([moves.title(1), moves.title(2), number_of_roles(moves)])


def boosting_features(moves: Moves, known: NDArray[np.int64], with_months: bool) -> Matrix:
    """Return the features with titles as categories, 0 unknown and 1 `START`, ``[E, 3]`` or ``[E, 5]``."""
    columns: list[NDArray[Any]] = []
    for back in (1, 2):
        titles = moves.title(back)
        at = np.searchsorted(known, titles)
        is_known = known[np.minimum(at, len(known) - 1)] == titles
        columns.append(np.where(titles == START, 1, np.where(is_known, at + 2, 0)))
    columns.append(number_of_roles(moves))
    if with_months:
        columns += [months_in_role(moves, 1), months_in_role(moves, 2)]
    return np.column_stack(columns).astype(np.float64)


def months_in_role(moves: Moves, back: int) -> Matrix:
    """Return the months between the starts of a role and the next one, ``[E]``; NaN without such a role."""
    starts, inside = moves.arrays.start_days, back <= moves.examples.length
    at = np.where(inside, moves.examples.target - back, 0)
    return np.where(inside, (starts[np.minimum(at + 1, len(starts) - 1)] - starts[at]) / 30.4375, np.nan)

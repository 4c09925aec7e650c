"""Peers of the model, written with numpy and scikit-learn alone, tuned on val and measured on test.

Three peers read what the model reads, titles and their order: an n-gram that is mixed with a copy of earlier
titles, a softmax regression, and gradient boosting on the last two titles and the number of roles. A fourth,
boosting that also reads the months in the last two roles, shows what durations would be worth. Nothing here
uses the product's own counts or baselines. The two classifiers are mixed with the n-gram, which also predicts
the titles that they leave out: the softmax regression learns the commonest next titles, as many as its time
allows, and boosting at most `MOST_BOOSTED` of them.
"""

# E examples, V titles, C classes, F features, K tuned values

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from trajtune.dataset.arrays import CareerArrays, Examples, examples_of
from trajtune.model.predict import predictions, score_next_role
from trajtune.model.predictions import Predictions

Matrix = NDArray[np.float64]
Which = Literal["last", "every_transition"]

WITHOUT_BAR: Final = "boosting + months in roles"
WHICH: Final[tuple[Which, ...]] = ("every_transition", "last")
ORDERS: Final = (1, 2, 3)
HALF_LIVES: Final = (None, 20.0, 5.0)
"""Years after which a move counts half; None: all count the same."""
SMOOTHINGS: Final = (0.3, 1.0, 3.0)
"""Factors of Witten-Bell's estimate of unseen mass."""
COPY_SHARES: Final = (0.0, 0.05, 0.15, 0.3, 0.5)
COPY_DECAY: Final = 0.7
"""Weight of each earlier title relative to the one after it."""
CLASSIFIER_SHARES: Final = (0.3, 0.5, 0.7, 0.85, 0.95)
INVERSE_PENALTIES: Final = (0.3, 3.0)
LEAF_SIZES: Final = (5, 20)
ROUNDS: Final = (10, 20, 40)

MOST_BOOSTED: Final = 60
"""Classes of boosting, which grows a tree for each class and round."""
MOST_CATEGORIES: Final = 250
"""Titles that boosting tells apart as inputs; the other ones share a category."""
TUNING_EXAMPLES: Final = 15_000
"""Train examples, drawn at random, that a classifier is tuned on."""
SOFTMAX_SCORES: Final = 12_000_000
"""Scores of the softmax regression's train examples: more examples leave fewer classes."""
START: Final = -1
_FEWEST: Final = 1e-12


@dataclass(frozen=True)
class Moves:
    """Examples of some careers, all that a peer reads.

    Attributes:
        arrays: The careers.
        examples: ``[E]``.
        vocab_size: V.
    """

    arrays: CareerArrays
    examples: Examples
    vocab_size: int

    @property
    def target(self) -> NDArray[np.int64]:
        """Next titles ``[E]``; 0 is unknown."""
        return self.arrays.title_ids[self.examples.target].astype(np.int64)

    def title(self, back: int) -> NDArray[np.int64]:
        """The title so many roles before the next one ``[E]``; `START` before the first."""
        inside = back <= self.examples.length
        at = np.where(inside, self.examples.target - back, 0)
        return np.where(inside, self.arrays.title_ids[at], START).astype(np.int64)

    def known(self) -> "Moves":
        """The examples whose next title is in the vocabulary."""
        return self.take(np.flatnonzero(self.target))

    def take(self, chosen: NDArray[np.int64]) -> "Moves":
        """Some of the examples, by number."""
        examples = Examples(self.examples.start[chosen], self.examples.length[chosen])
        return replace(self, examples=examples)

    def weights(self, half_life: float | None) -> NDArray[np.float64]:
        """Weights by age ``[E]``: the newest move has 1."""
        if half_life is None:
            return np.ones(len(self.examples))
        days = self.arrays.start_days[self.examples.target]
        return np.asarray(0.5 ** ((days.max() - days) / 365.25 / half_life))


@dataclass(frozen=True)
class Fold:
    """Careers that peers learn from, and examples that they predict."""

    train: CareerArrays
    predicted: Moves

    def moves(self, which: Which) -> Moves:
        """The train examples whose next title is known."""
        return Moves(self.train, examples_of(self.train, which), self.predicted.vocab_size).known()


@dataclass(frozen=True)
class Peer:
    """A peer's predictions of test and how it was tuned."""

    predictions: Predictions
    val_nll: float
    settings: dict[str, Any]


@dataclass(frozen=True)
class Ngram:
    """Settings of the n-gram with copy."""

    which: Which
    half_life: float | None
    order: int
    smoothing: float
    copy_share: float

    def predict(self, fold: Fold) -> Matrix:
        """Probabilities of the fold's examples, ``[E, V]``."""
        counts = count(fold.moves(self.which), self.half_life)
        *_, distribution = backed_off(counts, fold.predicted, self.smoothing, self.order)
        return mixed_with_copy(distribution, copies(fold.predicted), self.copy_share)


def peers(tuning: Fold, final: Fold) -> dict[str, Peer]:
    """Tune each peer on ``tuning``, fit it again on ``final`` and predict that.

    Args:
        tuning: The search's train, and val.
        final: What the product's winner was trained on, and test, in their own vocabulary.
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


def tuned_ngram(fold: Fold) -> tuple[Ngram, float]:
    """The settings with the least NLL on the fold's examples, and that NLL."""
    moves = fold.predicted.known()
    rows, target, copied = np.arange(len(moves.examples)), moves.target, copies(moves)
    of_copy, earlier = copied[rows, target], copied.any(1)
    best: tuple[float, Ngram] | None = None
    for which, half_life in product(WHICH, HALF_LIVES):
        counts = count(fold.moves(which), half_life)
        for smoothing in SMOOTHINGS:
            for order, distribution in enumerate(backed_off(counts, moves, smoothing, ORDERS[-1])):
                of_counts = distribution[rows, target]
                for share in COPY_SHARES if order else ():
                    mixed = np.where(earlier, (1 - share) * of_counts + share * of_copy, of_counts)
                    nll = mean_nll(mixed)
                    if best is None or nll < best[0]:
                        best = nll, Ngram(which, half_life, order, smoothing, share)
    assert best is not None
    return best[1], best[0]


Counts = list[dict[tuple[int, ...], Counter[int]]]


def count(moves: Moves, half_life: float | None) -> Counts:
    """Weighted next titles after each context of no title, of one, two and three."""
    counts: Counts = [defaultdict(Counter) for _ in range(ORDERS[-1] + 1)]
    weights = moves.weights(half_life).tolist()
    for context, target, weight in zip(contexts(moves), moves.target.tolist(), weights, strict=True):
        for order, after in enumerate(counts):
            after[context[len(context) - order :]][target] += weight  # type: ignore[assignment]
    return counts


def contexts(moves: Moves) -> list[tuple[int, ...]]:
    """The last titles before each next one, newest last."""
    back = np.column_stack([moves.title(order) for order in reversed(ORDERS)])
    return [tuple(row) for row in back.tolist()]


def backed_off(counts: Counts, moves: Moves, smoothing: float, most: int) -> Iterator[Matrix]:
    """The distribution of orders 0 to ``most``, ``[E, V]`` each: Witten-Bell's back-off, from uniform."""
    distinct = {context: row for row, context in enumerate(dict.fromkeys(contexts(moves)))}
    row_of = np.array([distinct[context] for context in contexts(moves)], np.int64)
    result = np.full((len(distinct), moves.vocab_size), 1 / (moves.vocab_size - 1))
    result[:, 0] = 0
    for order in range(most + 1):
        for context, row in distinct.items():
            if after := counts[order].get(context[len(context) - order :]):
                total = sum(after.values())
                unseen = smoothing * len(after)
                result[row] *= unseen / (total + unseen)
                result[row, list(after)] += np.array(list(after.values())) / (total + unseen)
        yield result[row_of]


def copies(moves: Moves) -> Matrix:
    """Probabilities of the titles held before the last one, the newest likeliest, ``[E, V]``; 0 without any."""
    result = np.zeros((len(moves.examples), moves.vocab_size))
    ids = moves.arrays.title_ids.tolist()
    for row, (start, length) in enumerate(zip(moves.examples.start, moves.examples.length, strict=True)):
        earlier = dict.fromkeys(title for title in reversed(ids[start : start + length - 1]) if title)
        if earlier:
            weights = COPY_DECAY ** np.arange(len(earlier))
            result[row, list(earlier)] = weights / weights.sum()
    return result


def mixed_with_copy(distribution: Matrix, copied: Matrix, share: float) -> Matrix:
    """The mixture, ``[E, V]``; without earlier titles the distribution alone."""
    shares = share * copied.any(1, keepdims=True)
    return np.asarray((1 - shares) * distribution + shares * copied)


@dataclass(frozen=True)
class Fitted:
    """A fitted classifier.

    Attributes:
        classes: Titles that it predicts, int64 ``[C]``, ascending; 0 stands for all others.
        predict: Probabilities of the classes, ``[E, C]`` for each of K tuned values.
    """

    classes: NDArray[np.int64]
    predict: Callable[[Moves], Iterable[tuple[dict[str, Any], Matrix]]]


Fit = Callable[[Moves, NDArray[np.float64], dict[str, Any]], Fitted]
"""From train examples, their weights and settings to a classifier."""


@dataclass(frozen=True)
class Classifier:
    """How a classifier is fitted, and the settings that are tried."""

    fit: Fit
    grid: Sequence[dict[str, Any]]


def mixed_classifier(
    classifier: Classifier, ngram: Ngram, tuning: Fold, final: Fold, of_ngram: tuple[Matrix, Matrix]
) -> Peer:
    """Tune a classifier and its share in the mixture with the n-gram, and fit it again."""
    known = np.flatnonzero(tuning.predicted.target)
    moves, base = tuning.predicted.take(known), of_ngram[0][known]
    best: tuple[float, dict[str, Any]] | None = None
    for which, settings in product(WHICH, classifier.grid):
        train, weights = weighted(tuning, which, ngram.half_life, TUNING_EXAMPLES)
        fitted = classifier.fit(train, weights, settings)
        for chosen, scores in fitted.predict(moves):
            of_target = over_titles(scores, fitted.classes, base)[np.arange(len(known)), moves.target]
            of_base = base[np.arange(len(known)), moves.target]
            for share in CLASSIFIER_SHARES:
                nll = mean_nll(share * of_target + (1 - share) * of_base)
                if best is None or nll < best[0]:
                    best = nll, {"which": which, **settings, **chosen, "share": share}
    assert best is not None
    nll, settings = best
    train, weights = weighted(final, settings["which"], ngram.half_life, None)
    fitted = classifier.fit(train, weights, settings)
    *_, (_, scores) = fitted.predict(final.predicted)
    of_classifier = over_titles(scores, fitted.classes, of_ngram[1])
    mixed = settings["share"] * of_classifier + (1 - settings["share"]) * of_ngram[1]
    return Peer(scored(mixed, final.predicted), nll, settings)


def weighted(
    fold: Fold, which: Which, half_life: float | None, most: int | None
) -> tuple[Moves, NDArray[np.float64]]:
    """Train examples, at most so many, and their weights by age."""
    moves = fold.moves(which)
    weights = moves.weights(half_life)
    if most is None or len(weights) <= most:
        return moves, weights
    chosen = np.sort(np.random.default_rng(0).choice(len(weights), most, replace=False))
    return moves.take(chosen), weights[chosen]


def over_titles(scores: Matrix, classes: NDArray[np.int64], rest: Matrix) -> Matrix:
    """From classes to all titles, ``[E, V]``: class 0 is divided as ``rest`` divides the other titles."""
    others = rest.copy()
    others[:, classes] = 0
    others /= np.maximum(others.sum(1, keepdims=True), _FEWEST)
    result = others * (scores[:, :1] if classes[0] == 0 else 0)
    named = classes > 0
    result[:, classes[named]] = scores[:, named]
    return np.asarray(result)


def fit_softmax(moves: Moves, weights: NDArray[np.float64], settings: dict[str, Any]) -> Fitted:
    """A multinomial logistic regression on one-hot titles and number of roles."""
    columns = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    features = columns.fit_transform(one_hot_features(moves))
    target = common_targets(moves.target, SOFTMAX_SCORES // len(weights))
    model = LogisticRegression(C=settings["C"], max_iter=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, target, sample_weight=weights)
    return Fitted(
        model.classes_,
        lambda asked: [({}, model.predict_proba(columns.transform(one_hot_features(asked))))],
    )


def fit_boosting(
    moves: Moves, weights: NDArray[np.float64], settings: dict[str, Any], *, with_months: bool = False
) -> Fitted:
    """Gradient boosting; the predictions of each number of rounds, or of the number given."""
    kept = common_targets(moves.title(1), MOST_CATEGORIES)
    known = np.unique(kept[kept > 0])
    model = HistGradientBoostingClassifier(
        max_iter=settings.get("rounds", ROUNDS[-1]),
        min_samples_leaf=settings["min_samples_leaf"],
        max_leaf_nodes=15,
        early_stopping=False,
        categorical_features=[0, 1],
        random_state=0,
    )
    model.fit(
        boosting_features(moves, known, with_months),
        common_targets(moves.target, MOST_BOOSTED),
        sample_weight=weights,
    )

    def predict(asked: Moves) -> Iterator[tuple[dict[str, Any], Matrix]]:
        stages = model.staged_predict_proba(boosting_features(asked, known, with_months))
        for rounds, scores in enumerate(stages, 1):
            if rounds in ROUNDS:
                yield {"rounds": rounds}, scores

    return Fitted(model.classes_, predict)


def fit_boosting_with_months(
    moves: Moves, weights: NDArray[np.float64], settings: dict[str, Any]
) -> Fitted:
    """`fit_boosting` that also reads the months in the last two roles."""
    return fit_boosting(moves, weights, settings, with_months=True)


_PENALTIES: Final = [{"C": value} for value in INVERSE_PENALTIES]
_LEAVES: Final = [{"min_samples_leaf": value} for value in LEAF_SIZES]
softmax_regression: Final = Classifier(fit_softmax, _PENALTIES)
boosting: Final = Classifier(fit_boosting, _LEAVES)
boosting_with_months: Final = Classifier(fit_boosting_with_months, _LEAVES)


def common_targets(titles: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The titles, with 0 for all but the commonest so many."""
    distinct, counts = np.unique(titles[titles > 0], return_counts=True)
    common = distinct[np.argsort(-counts, kind="stable")[:most]]
    return np.where(np.isin(titles, common), titles, 0)


def number_of_roles(moves: Moves) -> NDArray[np.int64]:
    """Roles so far, 8 for more ``[E]``."""
    return np.minimum(moves.examples.length, 8)


def one_hot_features(moves: Moves) -> NDArray[np.int64]:
    """Last title, the one before, number of roles, ``[E, 3]``."""
    return np.column_stack([moves.title(1), moves.title(2), number_of_roles(moves)])


def boosting_features(moves: Moves, known: NDArray[np.int64], with_months: bool) -> Matrix:
    """The same with titles as categories, 0 for the other ones and 1 for `START`, ``[E, 3]`` or ``[E, 5]``."""
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
    """Months from that role's start to the next one's, ``[E]``; NaN without such a role."""
    starts, inside = moves.arrays.start_days, back <= moves.examples.length
    at = np.where(inside, moves.examples.target - back, 0)
    return np.where(inside, (starts[np.minimum(at + 1, len(starts) - 1)] - starts[at]) / 30.4375, np.nan)


def mean_nll(probabilities: Matrix) -> float:
    """Mean log-loss of the targets' probabilities, in nats."""
    return float(-np.log(np.maximum(probabilities, _FEWEST)).mean())


def scored(probabilities: Matrix, moves: Moves) -> Predictions:
    """Probabilities ``[E, V]`` as predictions, which the product's metrics measure."""
    logits = np.log(np.maximum(probabilities, _FEWEST))
    logits[:, 0] = -1e9
    targets = torch.from_numpy(moves.target)
    return predictions(moves.arrays, moves.examples, score_next_role(torch.from_numpy(logits), targets))

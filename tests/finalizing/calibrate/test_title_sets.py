"""Title sets: values computed by hand, a comparison with MAPIE, and coverage of new people."""

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import APSConformityScore
from sklearn.base import BaseEstimator, ClassifierMixin

from trajtune.finalizing.calibrate.title_sets import SetRule, fit_sets, set_scores


def people(num: int, seed: int = 0, titles: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities of all titles, best first, and the rank of a title drawn from them."""
    random = np.random.default_rng(seed)
    top = -np.sort(-random.dirichlet(np.full(titles, 0.15), num), 1)
    rank = (random.random(num)[:, None] > np.cumsum(top, 1)).sum(1) + 1
    return top, np.minimum(rank, titles)


def test_the_threshold_equals_the_hand_computed_score() -> None:
    # Four of five people have the first or the second title, so the second's score is the threshold.
    top, rank = np.tile([0.6, 0.3, 0.1], (100, 1)), np.tile([1, 1, 2, 2, 3], 20)
    rule, reason = fit_sets(top, rank, 0.75)
    assert (rule, reason) == (SetRule(0.6, 0.0), "")
    assert rule.sizes(top).tolist() == [2] * 100


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_sets_contain_the_true_title_of_new_people_with_nominal_coverage(coverage: float) -> None:
    found = []
    for seed in range(10):
        rule, _ = fit_sets(*people(600, seed), coverage)
        assert rule is not None
        top, rank = people(4000, seed + 100)
        found.append((rank <= rule.sizes(top)).mean())
    # A set is never empty, so its coverage is at least that of the first title.
    assert np.mean(found) == pytest.approx(max(coverage, (people(4000)[1] == 1).mean()), abs=0.02)


def test_titles_outside_the_vocabulary_are_misses() -> None:
    top, rank = people(1000)
    rank[:150] = 0
    rule, _ = fit_sets(top, rank, 0.8)
    assert rule is not None
    assert ((rank > 0) & (rank <= rule.sizes(top))).mean() == pytest.approx(0.8, abs=0.01)
    rank[:300] = 0
    assert fit_sets(top, rank, 0.8) == (
        None,
        "the 40 most probable titles contain the true title for only 70 % of the people",
    )


def test_too_few_people_give_no_sets() -> None:
    assert fit_sets(*people(29), 0.8) == (None, "fewer than 30 people")


def test_the_penalty_is_added_for_each_more_probable_title() -> None:
    np.testing.assert_allclose(set_scores(np.array([[0.5, 0.3, 0.1]]), 0.1), [[0.0, 0.6, 1.0]])


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier of scikit-learn whose input is its probabilities."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def fit(self, inputs: np.ndarray, targets: np.ndarray | None = None) -> "Given":
        self.classes_, self.is_fitted_ = np.arange(self.classes), True
        return self

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        return inputs

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(inputs.argmax(1))


def test_sets_cover_as_mapies_do_and_are_no_larger() -> None:
    """MAPIE's adaptive sets add up to and including the true title; ours add up to the one before it."""
    titles, num = 20, 1500
    ours, theirs = [], []
    for seed in range(3):
        random = np.random.default_rng(seed)
        true = np.exp(random.normal(0, 1.5, (2 * num, titles)))
        true /= true.sum(1, keepdims=True)
        target = (random.random(2 * num)[:, None] > np.cumsum(true, 1)).sum(1)
        model = true**1.5 / (true**1.5).sum(1, keepdims=True)  # overconfident
        order = np.argsort(-model, 1)
        top = np.take_along_axis(model, order, 1)
        rank = (order == target[:, None]).argmax(1) + 1

        rule, _ = fit_sets(top[:num], rank[:num], 0.8)
        assert rule is not None
        sizes = rule.sizes(top[num:])
        ours.append(((rank[num:] <= sizes).mean(), sizes.mean()))

        mapie = SplitConformalClassifier(
            Given(titles).fit(model),
            confidence_level=0.8,
            conformity_score=APSConformityScore(),
            prefit=True,
            random_state=seed,
        )
        mapie.conformalize(model[:num], target[:num])
        _, sets = mapie.predict_set(model[num:], conformity_score_params={"include_last_label": True})
        theirs.append((sets[np.arange(num), target[num:], 0].mean(), sets[:, :, 0].sum(1).mean()))

    (coverage, size), (mapies_coverage, mapies_size) = np.mean(ours, 0), np.mean(theirs, 0)
    assert coverage == pytest.approx(0.8, abs=0.02)
    assert coverage == pytest.approx(mapies_coverage, abs=0.04)
    assert size < mapies_size

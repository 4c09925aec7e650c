"""Models that lag one step behind: repetition and shifted targets, but not the best possible prediction."""

import numpy as np
import pytest

from benchmarks.verdict_populations import Population, simulated, take
from tests.support.predictions import predictions
from trajtune.dataset.arrays import CareerArrays
from trajtune.experiment.params import Params
from trajtune.experiment.populations import POPULATIONS
from trajtune.experiment.sources import ProcessSettings
from trajtune.finalizing.evaluate.lag import (
    movers,
    movers_gain,
    predicts_too_much_staying,
    staying,
    worse_for_movers,
)
from trajtune.model.baselines.baselines import fit_baselines
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.checkpoint import build_model
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions
from trajtune.model.training.fit import fit

LIMIT = 0.05
NGRAM = NGramChoice(2, "all", None, None, 0.1)


def lags(p: Predictions, test: Population, train: Population) -> bool:
    """Return whether either criterion of the gate detects a lag."""
    baselines = fit_baselines(train.arrays, train.num_titles, NGRAM)
    others = {name: fitted.predict(test.arrays, test.examples) for name, fitted in baselines.items()}
    gains = {name: movers_gain(p, other, test.moved) for name, other in others.items()}
    too_much = predicts_too_much_staying(staying(p, test.current), LIMIT)
    return bool(too_much) or bool(worse_for_movers(gains))


def halves(population: Population) -> tuple[Population, Population]:
    people = np.arange(population.arrays.num_careers)
    return tuple(take(population, half) for half in np.array_split(people, 2))  # type: ignore[return-value]


def memoryless() -> Population:
    """Ten titles; whether somebody stays is a coin toss, and movers go to random titles."""
    random = np.random.default_rng(0)
    num, roles, titles = 4000, 4, 10
    ids = random.integers(1, titles + 1, (num, roles))
    for step in range(1, roles):
        stays = random.random(num) < 0.5
        others = (ids[:, step - 1] - 1 + random.integers(1, titles, num)) % titles + 1
        ids[:, step] = np.where(stays, ids[:, step - 1], others)
    nothing = np.full(ids.size, np.nan, np.float32)
    is_last = np.tile(np.arange(roles) == roles - 1, num)
    offsets = np.arange(num + 1, dtype=np.int64) * roles
    days = np.zeros(ids.size, np.int32)
    arrays = CareerArrays(ids.ravel().astype(np.int32), offsets, nothing, nothing, nothing, days, is_last)
    current, target = ids[:, -2], ids[:, -1]
    # True probabilities: 0.5 for staying and 0.5 / 9 for every other title. Ties count against the predictor.
    stayed = current == target
    rank = np.where(stayed, 1, titles)
    nll = -np.log(np.where(stayed, 0.5, 0.5 / (titles - 1)))
    made = predictions(
        rank.tolist(),
        target=target,
        nll=nll,
        stay_nll=np.full(num, -np.log(0.5)),
        top_ids=current[:, None],
    )
    return Population(arrays, made, np.full(arrays.num_careers, 12, np.float32), titles + 1)


def test_the_best_possible_prediction_does_not_lag_if_staying_is_a_coin_toss() -> None:
    train, test = halves(memoryless())
    found = staying(test.best, test.current)
    assert found["predicted"] == pytest.approx(0.5)
    assert found["j"] == 0
    assert not predicts_too_much_staying(found, LIMIT)
    # It predicts the current title for everybody who moved, which an earlier rule counted as a lag.
    assert (test.best.top_ids[test.moved, 0] == test.current[test.moved]).all()
    counted = fit_baselines(train.arrays, train.num_titles, NGRAM)["markov"].predict(
        test.arrays, test.examples
    )
    assert not predicts_too_much_staying(staying(counted, test.current), LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(POPULATIONS))
def test_the_best_possible_prediction_does_not_lag_and_repetition_does(name: str) -> None:
    settings = ProcessSettings(population=name)  # type: ignore[arg-type]
    few = min(20, settings.num_specialisations)
    train, test = halves(simulated(settings.model_copy(update={"num_specialisations": few}), 3000, seed=3))
    assert not lags(test.best, test, train)
    repeating = fit_baselines(train.arrays, train.num_titles, NGRAM)["current_title"]
    assert lags(repeating.predict(test.arrays, test.examples), test, train)


@pytest.mark.slow
def test_a_model_trained_on_targets_shifted_by_one_step_lags() -> None:
    settings = ProcessSettings(num_families=3, num_specialisations=3)
    train, test = halves(simulated(settings, 4000, seed=4))
    arrays = train.arrays
    last = arrays.offsets[1:] - 1
    shifted_ids = arrays.title_ids.copy()
    shifted_ids[last] = arrays.title_ids[last - 1]  # the target is the title that the model has just read
    shifted = CareerArrays(**{**vars(arrays), "title_ids": shifted_ids})
    params = Params(hidden_dim=8, embedding_dim=16, num_layers=1, max_epochs=4, examples="last")
    found = {}
    for name, careers in (("right", arrays), ("shifted", shifted)):
        params = params.model_copy(update={"title_vectors": "id", "learning_rate": 0.01})
        *_, result = fit(params, careers, careers, train.num_titles, seed=0)
        model = build_model(result.checkpoint())
        found[name] = predict(model, test.arrays, test.examples)
    assert predicts_too_much_staying(staying(found["shifted"], test.current), LIMIT)
    assert not predicts_too_much_staying(staying(found["right"], test.current), LIMIT)
    assert lags(found["shifted"], test, train)


def test_predicted_staying_is_compared_with_observed_staying() -> None:
    made = predictions(
        [1, 2, 1, 1], target=[4, 5, 2, 7], top_ids=[[4], [3], [2], [7]], stay_nll=-np.log([0.9, 0.6, 0.3, 1])
    )
    found = staying(made, np.array([4, 3, 9, 0], np.int32))  # the last title of the fourth is unknown
    assert found["num"] == 3
    assert found["predicted"] == pytest.approx(0.6)
    assert found["observed"] == pytest.approx(1 / 3)
    assert found["excess"] == pytest.approx(0.6 - 1 / 3)
    assert found["low"] <= found["excess"] <= found["high"]
    assert found["j"] == pytest.approx(1 - 1 / 2)
    assert found["j_low"] <= found["j"] <= found["j_high"]


def test_movers_are_evaluated_without_their_current_title() -> None:
    # Ranks 2 and 7 with the current title before them, rank 6 after five other titles, an unknown title.
    made = predictions([2, 7, 6, 0], nll=[2.0, 3.0, 3.0, np.nan], stay_nll=[1.0, 1.0, 4.0, 1.0])
    found = movers(made, np.ones(4, bool))
    assert found == {"num": 4, "top1": 0.25, "top5": 0.25}
    assert movers(made, np.zeros(4, bool)) == {"num": 0, "top1": None, "top5": None}


def test_predicting_movers_worse_than_a_counting_baseline_is_a_lag() -> None:
    hit, miss = predictions([1] * 200), predictions([9] * 200)
    everybody = np.ones(200, bool)
    assert worse_for_movers({"markov": movers_gain(miss, hit, everybody)}) == ["markov"]
    assert worse_for_movers({"markov": movers_gain(hit, miss, everybody)}) == []
    assert worse_for_movers({"markov": movers_gain(hit, miss, ~everybody)}) == []


def test_without_known_titles_nothing_is_decided() -> None:
    found = staying(predictions([1, 2]), np.zeros(2, np.int32))
    assert found["num"] == 0
    assert predicts_too_much_staying(found, LIMIT) is None

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.baselines.baselines import majority, markov


@pytest.fixture(scope="module")
def train(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(200, seed=0)


@pytest.fixture(scope="module")
def test(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(80, seed=1)


def test_outcomes_are_quantiles_and_rates_by_last_title(
    careers: Callable[..., CareerArrays], test: CareerArrays, vocab_size: int
) -> None:
    train = careers(600, seed=0)
    examples = examples_of(train, "every_transition")
    last = train.title_ids[examples.target - 1]
    tenure, hireable = train.tenure_months[examples.target], train.hireable[examples.target]
    everybody = majority(train, vocab_size).predict(test, examples_of(test, "last"))
    np.testing.assert_allclose(
        everybody.tenure, [np.nanquantile(tenure, [0.1, 0.9])] * len(test.offsets[1:]), rtol=1e-6
    )
    p = markov(train, vocab_size).predict(test, examples_of(test, "last"))
    enough = 0
    for e, target in enumerate(examples_of(test, "last").target):
        mine = last == test.title_ids[target - 1]
        known = tenure[mine][~np.isnan(tenure[mine])]
        enough += len(known) >= 20
        expected = np.quantile(known, [0.1, 0.9]) if len(known) >= 20 else np.nanquantile(tenure, [0.1, 0.9])
        np.testing.assert_allclose(p.tenure[e], expected, rtol=1e-6)
        outcomes = hireable[mine][~np.isnan(hireable[mine])]
        rate = (outcomes.sum() + 10 * np.nanmean(hireable)) / (len(outcomes) + 10)
        assert p.hireability[e] == pytest.approx(rate, rel=1e-5)
    assert enough > 20


def test_without_outcomes_in_train_predictions_are_nan(test: CareerArrays, vocab_size: int) -> None:
    nothing = np.full_like(test.tenure_months, np.nan)
    bare = replace(test, tenure_months=nothing, hireable=nothing)
    p = markov(bare, vocab_size).predict(test, examples_of(test, "last"))
    assert np.isnan(p.tenure).all()
    assert np.isnan(p.hireability).all()

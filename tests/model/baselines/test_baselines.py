from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.baselines import baselines, blocks
from trajtune.model.baselines.baselines import current_title, majority, markov


@pytest.fixture(scope="module")
def train(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(200, seed=0)


@pytest.fixture(scope="module")
def test(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(80, seed=1)


def careers_of(arrays: CareerArrays) -> list[list[int]]:
    return [arrays.title_ids[a:b].tolist() for a, b in pairwise(arrays.offsets)]


def expected_unigram(train: CareerArrays, vocab_size: int) -> dict[int, float]:
    counts = Counter(title for career in careers_of(train) for title in career[1:] if title)
    total = sum(counts.values()) + vocab_size - 1
    return {title: (counts[title] + 1) / total for title in range(1, vocab_size)}


def expected_markov(train: CareerArrays, vocab_size: int, last: int) -> dict[int, float]:
    lower = expected_unigram(train, vocab_size)
    after: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for career in careers_of(train):
        for title, following in pairwise(career):
            if title and following:
                after[title][following] += 1
    n, d = sum(after[last].values()), len(after[last])
    return lower if not n else {w: (after[last][w] + d * lower[w]) / (n + d) for w in lower}


@pytest.mark.parametrize("fit", [majority, current_title, markov])
def test_distributions_sum_to_one_without_index_0(
    fit: Callable[..., baselines.Baseline], train: CareerArrays, vocab_size: int
) -> None:
    baseline = fit(train, vocab_size)
    titles = np.arange(-1, vocab_size)
    contexts = titles[:, None][:, 1 - baseline.order :]
    p = baseline.distribution(contexts)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-12)
    assert not p[:, 0].any()
    assert (p[:, 1:] > 0).all()


def test_markov_matches_a_plain_count_with_witten_bell_back_off(
    train: CareerArrays, test: CareerArrays, vocab_size: int
) -> None:
    p = markov(train, vocab_size).predict(test, examples_of(test, "last"))
    for e, career in enumerate(careers_of(test)):
        expected = expected_markov(train, vocab_size, career[-2])
        if career[-1]:
            assert p.nll[e] == pytest.approx(-np.log(expected[career[-1]]), abs=1e-9)
            better_or_equal = sum(q >= expected[career[-1]] * (1 - 1e-12) for q in expected.values())
            assert p.rank[e] == better_or_equal
        assert p.confidence[e] == pytest.approx(max(expected.values()), rel=1e-5)


def test_majority_ranks_by_frequency(train: CareerArrays, test: CareerArrays, vocab_size: int) -> None:
    share = expected_unigram(train, vocab_size)
    p = majority(train, vocab_size).predict(test, examples_of(test, "last"))
    assert (p.top_ids[:, 0] == max(share, key=share.__getitem__)).all()
    known = p.target > 0
    np.testing.assert_allclose(p.nll[known], [-np.log(share[t]) for t in p.target[known]])


def test_current_title_predicts_the_last_title(
    train: CareerArrays, test: CareerArrays, vocab_size: int
) -> None:
    examples = examples_of(test, "last")
    p = current_title(train, vocab_size).predict(test, examples)
    held = test.title_ids[examples.target - 1]
    assert (p.top_ids[held > 0, 0] == held[held > 0]).all()
    assert (p.confidence[held > 0] > 0.9).all()
    most_common = majority(train, vocab_size).predict(test, examples)
    assert (p.top_ids[held == 0] == most_common.top_ids[held == 0]).all()


def test_the_block_size_changes_no_prediction(
    train: CareerArrays, test: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = examples_of(test, "every_transition")
    in_one_block = markov(train, vocab_size).predict(test, examples)
    monkeypatch.setattr(blocks, "MAX_NUMBERS", 3 * vocab_size)
    for name, values in vars(markov(train, vocab_size).predict(test, examples)).items():
        np.testing.assert_array_equal(values, getattr(in_one_block, name))


def test_markov_has_the_lowest_nll_on_a_markov_process(
    train: CareerArrays, test: CareerArrays, vocab_size: int
) -> None:
    examples = examples_of(test, "last")
    nll = {
        f: np.nanmean(f(train, vocab_size).predict(test, examples).nll)
        for f in (majority, current_title, markov)
    }
    assert nll[markov] < 1.5 < 2.5 < nll[majority] < nll[current_title]


def test_without_transitions_markov_is_uniform(test: CareerArrays, vocab_size: int) -> None:
    nothing = replace(test, title_ids=np.zeros_like(test.title_ids))
    p = markov(nothing, vocab_size).distribution(np.array([[3]]))
    np.testing.assert_allclose(p[0, 1:], 1 / (vocab_size - 1))

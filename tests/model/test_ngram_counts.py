from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.ngram_counts import START, NGramIndex, contexts_of, index_ngrams, smooth

ORDER = 3
SMOOTHINGS = [None, 0.5, 0.9]


def index_of(arrays: CareerArrays, vocab_size: int) -> NGramIndex:
    moves = examples_of(arrays, "every_transition")
    return index_ngrams(
        contexts_of(arrays, moves, ORDER), arrays.title_ids[moves.target].astype(np.int64), vocab_size
    )


def all_contexts(arrays: CareerArrays) -> NDArray[np.int64]:
    return contexts_of(arrays, examples_of(arrays, "every_transition"), ORDER)


def test_contexts_are_the_last_titles_padded_with_the_start(train: CareerArrays) -> None:
    expected = [
        ([START] * ORDER + career[:i])[-ORDER:]
        for career in (train.title_ids[a:b].tolist() for a, b in pairwise(train.offsets))
        for i in range(1, len(career))
    ]
    assert all_contexts(train).tolist() == expected


def test_the_arrays_contain_every_context_and_its_next_titles(train: CareerArrays, vocab_size: int) -> None:
    distribution = smooth(index_of(train, vocab_size)).distribution(ORDER)
    moves = examples_of(train, "every_transition")
    seen = list(zip(all_contexts(train).tolist(), train.title_ids[moves.target].tolist(), strict=True))
    for order, level in enumerate(distribution.levels):
        pairs = {(tuple(context[ORDER - order :]), title) for context, title in seen if title}
        rows = np.repeat(np.arange(len(level.backoff)), level.contexts.distinct)
        found = zip(map(tuple, distribution.symbols(order)[rows].tolist()), level.contexts.next, strict=True)
        assert set(found) == pairs
        assert len(level.mass) == len(pairs)
        row_sum = np.bincount(rows, level.mass) + level.backoff
        np.testing.assert_allclose(row_sum, 1, rtol=1e-12)


@pytest.mark.parametrize("discount", SMOOTHINGS)
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_probabilities_sum_to_one_without_index_0(
    discount: float | None, order: int, train: CareerArrays, vocab_size: int
) -> None:
    weights = np.random.default_rng(0).uniform(0.01, 1, len(all_contexts(train)))
    distribution = smooth(index_of(train, vocab_size), weights, discount).distribution(order)
    p = distribution.probabilities(np.random.default_rng(1).integers(-1, vocab_size, (500, ORDER)))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    assert not p[:, 0].any()
    assert (p[:, 1:] > 0).all()


@pytest.mark.parametrize("discount", SMOOTHINGS)
def test_target_probabilities_match_the_full_distribution(
    discount: float | None, train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    index = index_of(train, vocab_size)
    contexts, target = all_contexts(val), val.title_ids[examples_of(val, "every_transition").target]
    contexts, target = contexts[target > 0], target[target > 0].astype(np.int64)
    smoothed = smooth(index, discount=discount)
    sparse = smoothed.target_probabilities(index.find(contexts, target))
    for order in range(ORDER + 1):
        dense = smoothed.distribution(order).probabilities(contexts)
        np.testing.assert_array_equal(sparse[order], dense[np.arange(len(target)), target])


@pytest.mark.parametrize("discount", SMOOTHINGS)
def test_contexts_with_the_same_state_have_the_same_distribution(
    discount: float | None, train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    distribution = smooth(index_of(train, vocab_size), discount=discount).distribution(ORDER)
    contexts = all_contexts(val)
    states, p = distribution.states(contexts), distribution.probabilities(contexts)
    _, first, which = np.unique(states, return_index=True, return_inverse=True)
    assert len(first) < len(states)
    np.testing.assert_array_equal(p, p[first][which])


def test_contexts_are_exact_in_a_large_vocabulary() -> None:
    # Three titles out of three million need more than 64 bits if they are combined into one number.
    most = 3_000_000
    contexts = np.array([[most - 1, most - 1, most - 1], [most - 2, most - 1, most - 1], [-1, -1, 0]])
    next_titles = np.array([1, most - 1, 2])
    distribution = smooth(index_ngrams(contexts, next_titles, most)).distribution(3)
    assert sorted(distribution.symbols(3).tolist()) == sorted(contexts.tolist())
    states = distribution.states(np.vstack([contexts, [[most - 3, most - 1, most - 1]]]))
    assert len(set(states.tolist())) == 4


@pytest.mark.parametrize("discount", SMOOTHINGS)
def test_without_moves_all_titles_are_equally_likely(
    discount: float | None, careers: Callable[..., CareerArrays], vocab_size: int
) -> None:
    nothing = np.zeros(0, np.int64)
    index = index_ngrams(np.empty((0, ORDER), np.int64), nothing, vocab_size)
    p = smooth(index, discount=discount).distribution(2).probabilities(np.array([[1, 2, 3]]))
    np.testing.assert_allclose(p[0, 1:], 1 / (vocab_size - 1))
    assert index.find(np.array([[1, 2, 3]]), np.array([4]))[1][0].tolist() == [-1]

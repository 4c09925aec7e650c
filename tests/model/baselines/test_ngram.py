from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.baselines.test_copies import expected_copies
from trajtune.dataset.arrays import CareerArrays, Examples, examples_of
from trajtune.model.baselines import blocks
from trajtune.model.baselines import ngram as module
from trajtune.model.baselines.baselines import fit_baselines, markov
from trajtune.model.baselines.ngram import choose_ngram, ngram
from trajtune.model.baselines.ngram_choice import NGramChoice

CHOICES = [
    NGramChoice(order, moves, half_life, discount, share)  # type: ignore[arg-type]
    for order, moves, half_life, discount, share in product(
        (1, 2, 3), ("all", "last"), (None, 5.0), (None, 0.75), (0.0, 0.3)
    )
]


@pytest.fixture(scope="module")
def train(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return dated(careers(200, seed=0))


@pytest.fixture(scope="module")
def test(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return dated(careers(80, seed=1))


def dated(arrays: CareerArrays, seed: int = 0) -> CareerArrays:
    """Return the careers with random start dates; the order of dates within a career does not matter."""
    days = np.random.default_rng(seed).integers(5_000, 20_000, len(arrays.title_ids))
    return replace(arrays, start_days=days.astype(np.int32))


def of_careers(careers: list[list[int]]) -> CareerArrays:
    """Return careers with these titles, all on the same day."""
    ids = np.concatenate(careers).astype(np.int32)
    offsets = np.cumsum([0, *map(len, careers)]).astype(np.int64)
    nothing = np.full(len(ids), np.nan, np.float32)
    return CareerArrays(
        ids, offsets, nothing, nothing, nothing, np.zeros(len(ids), np.int32), np.zeros(len(ids), bool)
    )


def moves_of(arrays: CareerArrays, which: str) -> Iterator[tuple[list[int], int, int]]:
    """Yield the earlier titles, the next title and the day of each move."""
    examples = examples_of(arrays, "every_transition" if which == "all" else "last")
    for start, target in zip(examples.start, examples.target, strict=True):
        yield (
            arrays.title_ids[start:target].tolist(),
            int(arrays.title_ids[target]),
            arrays.start_days[target],
        )


class PlainNGram:
    """A plain implementation of the baseline with dictionaries, from its definition."""

    def __init__(self, train: CareerArrays, vocab_size: int, choice: NGramChoice) -> None:
        self.choice, self.vocab_size = choice, vocab_size
        self.counts: list[defaultdict[tuple[int, ...], Counter[int]]] = [
            defaultdict(Counter) for _ in range(choice.order + 1)
        ]
        moves = list(moves_of(train, choice.moves))
        newest = max(day for _, _, day in moves)
        for before, following, day in moves:
            if following:
                age = (newest - day) / 365.25
                weight = 0.5 ** (age / choice.half_life_years) if choice.half_life_years else 1.0
                for order in range(choice.order + 1):
                    self.counts[order][self.context(before, order)][following] += weight  # type: ignore[assignment]
        if choice.discount is not None:
            raw = self.counts
            for order in range(choice.order):
                self.counts = [*self.counts[:order], defaultdict(Counter), *self.counts[order + 1 :]]
                for context, followed in raw[order + 1].items():
                    for title, weight in followed.items():
                        self.counts[order][context[1:]][title] += min(weight, 1)

    def context(self, before: list[int], order: int) -> tuple[int, ...]:
        return tuple(([-1] * 3 + before)[-order:]) if order else ()

    def probabilities(self, before: list[int]) -> np.ndarray:
        p = np.full(self.vocab_size, 1 / (self.vocab_size - 1))
        p[0] = 0
        for order, counts in enumerate(self.counts):
            followed = counts.get(self.context(before, order))
            if not followed:
                continue
            n, d = sum(followed.values()), len(followed)
            lower = p
            if self.choice.discount is None:
                p = lower * d / (n + d)
                for title, count in followed.items():
                    p[title] += count / (n + d)
            else:
                lost = {title: self.choice.discount * min(count, 1) for title, count in followed.items()}
                p = lower * sum(lost.values()) / n
                for title, count in followed.items():
                    p[title] += (count - lost[title]) / n
        copies = expected_copies(before)
        if copies and self.choice.copy_share:
            p = p * (1 - self.choice.copy_share)
            for title, share in copies.items():
                p[title] += self.choice.copy_share * share
        return p


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.in_words())
def test_the_distribution_matches_a_plain_implementation(
    choice: NGramChoice, train: CareerArrays, test: CareerArrays, vocab_size: int
) -> None:
    plain = PlainNGram(train, vocab_size, choice)
    examples = examples_of(test, "every_transition")
    expected = np.array([plain.probabilities(before) for before, _, _ in moves_of(test, "all")])
    found = ngram(train, vocab_size, choice)
    np.testing.assert_allclose(found.distribution(test, examples), expected, rtol=1e-12, atol=0)
    np.testing.assert_allclose(expected.sum(1), 1, rtol=1e-12)

    predicted = found.predict(test, examples)
    for e, (_, following, _) in enumerate(moves_of(test, "all")):
        if following:
            assert predicted.nll[e] == pytest.approx(-np.log(expected[e, following]), abs=1e-9)
            assert predicted.rank[e] == (expected[e] >= expected[e, following] * (1 - 1e-12)).sum()
        assert predicted.confidence[e] == pytest.approx(expected[e].max(), rel=1e-5)
        top = expected[e, predicted.top_ids[e]]
        np.testing.assert_allclose(top, np.sort(expected[e])[::-1][: len(top)], rtol=1e-9)


def test_tenure_and_hireability_match_those_of_markov(
    train: CareerArrays, test: CareerArrays, vocab_size: int
) -> None:
    examples = examples_of(test, "last")
    found = ngram(train, vocab_size, CHOICES[0]).predict(test, examples)
    expected = markov(train, vocab_size).predict(test, examples)
    np.testing.assert_array_equal(found.tenure, expected.tenure)
    np.testing.assert_array_equal(found.hireability, expected.hireability)


def test_the_block_size_changes_no_prediction(
    train: CareerArrays, test: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline, examples = ngram(train, vocab_size, CHOICES[-1]), examples_of(test, "every_transition")
    in_one_block = baseline.predict(test, examples)
    monkeypatch.setattr(blocks, "MAX_NUMBERS", 3 * vocab_size)
    for name, values in vars(baseline.predict(test, examples)).items():
        np.testing.assert_array_equal(values, getattr(in_one_block, name))


def test_the_choice_has_the_lowest_log_loss_on_val(
    train: CareerArrays, test: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HALF_LIVES", (None, 5.0))
    monkeypatch.setattr(module, "DISCOUNTS", (None, 0.75))
    monkeypatch.setattr(module, "COPY_SHARES", (0.0, 0.3))
    examples = examples_of(test, "last")
    nll = {
        choice: round(float(np.nanmean(ngram(train, vocab_size, choice).predict(test, examples).nll)), 9)
        for choice in CHOICES
    }
    chosen = choose_ngram(train, test, vocab_size)
    assert nll[chosen] == min(nll.values())
    assert chosen == choose_ngram(train, test, vocab_size)


def test_the_choice_reads_only_the_first_val_careers(
    train: CareerArrays,
    careers: Callable[..., CareerArrays],
    vocab_size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_VAL_CAREERS", 50)
    val = careers(80, seed=1)
    changed = val.title_ids.copy()
    changed[val.offsets[50] :] = 1
    assert choose_ngram(train, val, vocab_size) == choose_ngram(
        train, replace(val, title_ids=changed), vocab_size
    )


def test_without_known_val_titles_the_simplest_options_are_chosen(
    train: CareerArrays, test: CareerArrays, vocab_size: int
) -> None:
    unknown = replace(test, title_ids=np.zeros_like(test.title_ids))
    assert choose_ngram(train, unknown, vocab_size) == NGramChoice(1, "all", None, None, 0.0)


def test_copying_is_chosen_if_careers_return_to_earlier_titles() -> None:
    random = np.random.default_rng(0)

    def returning(number: int) -> CareerArrays:
        titles = random.integers(1, 200, (number, 3))
        return of_careers([[a, b, c, (a, b)[i % 2]] for i, (a, b, c) in enumerate(titles.tolist())])

    assert choose_ngram(returning(300), returning(100), 200).copy_share == 0.5


def test_a_higher_order_is_chosen_if_first_moves_differ() -> None:
    random = np.random.default_rng(0)

    def starting(number: int) -> CareerArrays:
        """Return careers in which title 2 follows a first title 1, and title 3 follows a later title 1."""
        begins = random.random(number) < 0.5
        return of_careers([[1, 2] if begin else [random.integers(4, 9), 1, 3] for begin in begins])

    train, val, test = starting(300), starting(100), starting(100)
    chosen = choose_ngram(train, val, 10)
    assert chosen.order >= 2
    assert (ngram(train, 10, chosen).predict(test, examples_of(test, "last")).rank == 1).all()


def test_a_half_life_is_chosen_if_moves_change_over_time() -> None:
    random = np.random.default_rng(0)

    def of_years(number: int, first: int, last: int) -> CareerArrays:
        """Return careers in which people with title 1 move to 2 before 1990 and to 3 from 1990 on."""
        years = random.integers(first, last, number)
        arrays = of_careers([[1, 2 if year < 1990 else 3] for year in years])
        return replace(arrays, start_days=np.repeat((years - 1970) * 365, 2).astype(np.int32))

    train, val = of_years(1_000, 1900, 2000), of_years(50, 2000, 2005)
    assert choose_ngram(train, val, 5).half_life_years == 5.0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lists=st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=6), min_size=1, max_size=12),
    seed=st.integers(0, 2**16),
    choice=st.sampled_from(CHOICES),
)
def test_the_order_of_careers_does_not_matter(lists: list[list[int]], seed: int, choice: NGramChoice) -> None:
    arrays = dated(of_careers(lists), seed)
    order = np.random.default_rng(seed).permutation(len(lists))
    shuffled = of_careers([lists[i] for i in order])
    days = [arrays.start_days[arrays.offsets[i] : arrays.offsets[i + 1]] for i in order]
    shuffled = replace(shuffled, start_days=np.concatenate(days))
    examples = examples_of(arrays, "every_transition")
    np.testing.assert_allclose(
        ngram(shuffled, 5, choice).distribution(arrays, examples),
        ngram(arrays, 5, choice).distribution(arrays, examples),
        rtol=1e-12,
    )
    assert choose_ngram(shuffled, arrays, 5) == choose_ngram(arrays, arrays, 5)


def test_predicting_no_examples_works(train: CareerArrays, vocab_size: int) -> None:
    nothing = np.empty(0, np.int64)
    assert len(ngram(train, vocab_size, CHOICES[-1]).predict(train, Examples(nothing, nothing))) == 0


def test_every_baseline_is_returned_by_name(train: CareerArrays, vocab_size: int) -> None:
    fitted = fit_baselines(train, vocab_size, CHOICES[5])
    assert list(fitted) == ["majority", "current_title", "markov", "ngram"]
    assert [baseline.name for baseline in fitted.values()] == list(fitted)

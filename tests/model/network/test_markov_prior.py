import numpy as np
import pytest
import torch

from tests.model.conftest import SMALL
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.baselines.baselines import markov
from trajtune.model.checkpoint import new_model
from trajtune.model.network.markov_prior import MarkovPrior, count_transitions
from trajtune.model.predict import predict


def test_the_prior_alone_is_the_markov_baseline(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> None:
    model = new_model(SMALL, vocab_size, markov_counts=count_transitions(train, vocab_size))
    with torch.no_grad():
        model.next_role_head[3].weight.zero_()
        model.next_role_head[3].bias[1:] = 0
    examples = examples_of(val, "last")
    found, expected = predict(model, val, examples), markov(train, vocab_size).predict(val, examples)
    np.testing.assert_allclose(found.nll, expected.nll, atol=2e-5)
    np.testing.assert_allclose(found.confidence, expected.confidence, rtol=1e-4)


def test_in_training_each_example_is_left_out_of_the_counts(train: CareerArrays, vocab_size: int) -> None:
    prior = MarkovPrior(count_transitions(train, vocab_size))
    for career in range(12):
        begin, end = train.offsets[career : career + 2]
        last, following = int(train.title_ids[end - 2]), int(train.title_ids[end - 1])
        if not following:
            continue
        # Counting without this one transition: the career ends a role earlier.
        ids = np.delete(train.title_ids, end - 1)
        offsets = train.offsets - (np.arange(len(train.offsets)) > career)
        rest = [
            np.delete(values, end - 1)
            for values in (
                *(train.tenure_months, train.tenure_at_least, train.hireable),
                *(train.start_days, train.is_outcome),
            )
        ]
        if offsets[career + 1] - offsets[career] < 2:
            ids, rest = np.delete(ids, begin), [np.delete(values, begin) for values in rest]
            offsets = np.delete(offsets - (np.arange(len(offsets)) > career), career + 1)
        expected = MarkovPrior(count_transitions(CareerArrays(ids, offsets, *rest), vocab_size))
        logits = torch.zeros(1, vocab_size)
        left_out = prior(logits, torch.tensor([last]), torch.tensor([following]))
        without = expected(logits, torch.tensor([last]))
        torch.testing.assert_close(left_out[:, 1:].log_softmax(1), without[:, 1:].log_softmax(1))


def test_few_successors_are_kept_of_a_large_vocabulary(
    train: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trajtune.model.network import markov_prior as prior

    whole = count_transitions(train, vocab_size)
    monkeypatch.setattr(prior, "_MOST_PAIRS", vocab_size)
    cut = count_transitions(train, vocab_size)
    assert cut.counts.shape == (vocab_size, 1) != whole.counts.shape
    np.testing.assert_array_equal(cut.counts, np.sort(whole.counts, axis=1)[:, -1:])
    np.testing.assert_array_equal(cut.distinct, whole.distinct)

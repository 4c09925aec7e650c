from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.model.checkpoint import new_model
from trajtune.model.predict import predict, score_next_role


@pytest.fixture
def arrays(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(60, seed=5, most_roles=8)


def test_predictions_are_what_each_career_alone_gives(arrays: CareerArrays, vocab_size: int) -> None:
    torch.manual_seed(0)
    model = new_model(plain(), vocab_size).eval()
    examples = examples_of(arrays, "every_transition")
    p = predict(model, arrays, examples)
    for e, (start, target) in enumerate(zip(examples.start, examples.target, strict=True)):
        with torch.no_grad():
            logits, tenure, hireability = model(torch.from_numpy(arrays.title_ids[None, start:target].copy()))
        log_p = logits[0].log_softmax(0).numpy()
        order = np.argsort(-log_p, kind="stable")
        title = arrays.title_ids[target]
        assert p.target[e] == title
        assert p.top_ids[e].tolist() == order[:5].tolist()
        assert p.confidence[e] == pytest.approx(np.exp(log_p[order[0]]), rel=1e-4)
        np.testing.assert_allclose(p.tenure[e], tenure[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(p.hireability[e], hireability[0, 0], rtol=1e-4)
        np.testing.assert_equal(p.tenure_months[e], arrays.tenure_months[target])
        np.testing.assert_equal(p.tenure_at_least[e], arrays.tenure_at_least[target])
        np.testing.assert_equal(p.hireable[e], arrays.hireable[target])
        if title:
            assert p.rank[e] == order.tolist().index(title) + 1
            assert p.nll[e] == pytest.approx(-log_p[title], abs=1e-4)
        else:
            assert p.rank[e] == 0
            assert np.isnan(p.nll[e])


def test_batch_size_does_not_matter_and_mode_is_kept(arrays: CareerArrays, vocab_size: int) -> None:
    model = new_model(plain(), vocab_size).train()
    examples = examples_of(arrays, "last")
    one, other = predict(model, arrays, examples, 7), predict(model, arrays, examples)
    assert model.training
    np.testing.assert_array_equal(one.rank, other.rank)
    np.testing.assert_allclose(one.nll, other.nll, rtol=1e-5)


def test_ties_count_against_the_predictor() -> None:
    logits = torch.tensor([[-1e4, 2.0, 1.0, 1.0, 1.0, 0.0]] * 3)
    scored = score_next_role(logits, torch.tensor([1, 3, 0]))
    assert scored.rank.tolist() == [1, 4, 0]
    assert 0 not in scored.top_ids


def test_a_tiny_vocabulary_has_fewer_top_titles() -> None:
    assert score_next_role(torch.tensor([[-1e4, 0.0, 1.0]]), torch.tensor([1])).top_ids.tolist() == [[2, 1]]

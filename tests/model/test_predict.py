from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.model.conftest import plain
from tests.support.predictions import predictions
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.params import Params
from trajtune.model.checkpoint import new_model
from trajtune.model.network.title_vectors import TitleVectors
from trajtune.model.network.title_words import number_words
from trajtune.model.predict import predict, score_next_role


@pytest.fixture
def arrays(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(60, seed=5, most_roles=8)


def test_batched_predictions_match_single_predictions(arrays: CareerArrays, vocab_size: int) -> None:
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


def test_the_batch_size_changes_no_prediction_and_the_mode_is_restored(
    arrays: CareerArrays, vocab_size: int
) -> None:
    model = new_model(plain(), vocab_size).train()
    examples = examples_of(arrays, "last")
    one, other = predict(model, arrays, examples, 7), predict(model, arrays, examples)
    assert model.training
    np.testing.assert_array_equal(one.rank, other.rank)
    np.testing.assert_allclose(one.nll, other.nll, rtol=1e-5)


def test_title_vectors_are_composed_once_per_prediction_and_again_after_weights_change(
    arrays: CareerArrays, vocab_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    words = number_words([[f"family {title % 4}", f"level {title % 6}"] for title in range(1, vocab_size)])
    model = new_model(Params(), vocab_size, words)
    examples = examples_of(arrays, "last")
    composed: list[int] = []
    bag = torch.nn.functional.embedding_bag
    monkeypatch.setattr(
        torch.nn.functional,
        "embedding_bag",
        lambda *args, **kwargs: composed.append(1) or bag(*args, **kwargs),
    )

    before = predict(model, arrays, examples, 7)
    assert len(composed) == 1
    assert isinstance(model.embedding, TitleVectors)
    with torch.no_grad():
        model.embedding.words.mul_(2)
    after = predict(model, arrays, examples, 7)

    assert not np.array_equal(before.nll, after.nll)
    np.testing.assert_array_equal(after.nll, predict(model.collapse(), arrays, examples, 7).nll)


def test_ties_count_against_the_predictor() -> None:
    logits = torch.tensor([[-1e4, 2.0, 1.0, 1.0, 1.0, 0.0]] * 3)
    scored = score_next_role(logits, torch.tensor([1, 3, 0]), torch.tensor([1, 1, 1]))
    assert scored.rank.tolist() == [1, 4, 0]
    assert 0 not in scored.top_ids


def test_a_tiny_vocabulary_has_fewer_top_titles() -> None:
    one = torch.tensor([1])
    assert score_next_role(torch.tensor([[-1e4, 0.0, 1.0]]), one, one).top_ids.tolist() == [[2, 1]]


def test_the_rank_of_moves_leaves_out_the_current_title() -> None:
    logits = torch.tensor([[-1e4, 3.0, 2.0, 1.0]] * 4)
    stayed, moved, unknown, first = 1, 3, 0, 1
    scored = score_next_role(
        logits, torch.tensor([stayed, moved, unknown, first]), torch.tensor([1, 1, 1, 0])
    )
    made = predictions(scored.rank.tolist(), nll=scored.nll, stay_nll=scored.stay_nll)
    assert made.rank_of_moves.tolist() == [1, 2, 0, 1]
    probability = logits[0].softmax(0)[1].item()
    assert np.exp(-scored.stay_nll[:3]) == pytest.approx(probability)
    assert np.isnan(scored.stay_nll[3])

"""The options of model and training: each does what it says, resumes, and exports as the same contract."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.errors import TrainingError
from trajtune.experiment.params import Params
from trajtune.model.baselines.baselines import markov
from trajtune.model.batches import Loader
from trajtune.model.checkpoint import build_model, new_model
from trajtune.model.fast.packed_adamw import create_optimizer
from trajtune.model.losses import next_role_loss
from trajtune.model.network.lstm import UNKNOWN_LOGIT
from trajtune.model.network.markov_prior import MarkovPrior, count_transitions
from trajtune.model.network.title_vectors import TitleWords, number_words
from trajtune.model.predict import predict
from trajtune.model.training.fit import fit, train_epoch
from trajtune.model.training.schedule import learning_rate

SMALL = plain(embedding_dim=16, hidden_dim=8, max_epochs=2, learning_rate=5e-3)
OPTIONS: list[dict[str, Any]] = [
    {"tie_weights": True},
    {"skip_last_title": True},
    {"title_vectors": "id_and_words"},
    {"markov_prior": True},
    {"title_changes": True},
    {"repeat_gate": True},
    {"tie_weights": True, "skip_last_title": True, "title_vectors": "id_and_words", "markov_prior": True},
    {"tie_weights": True, "skip_last_title": True, "title_changes": True, "repeat_gate": True},
    {"embedding_dropout": 0.2, "label_smoothing": 0.1, "clip_norm": 1.0, "weight_decay": 0.1},
    {"schedule": "cosine", "warmup_epochs": 0.5},
    {"schedule": "one_cycle", "weight_decay": 0.1, "decay_embeddings": True},
]


@pytest.fixture(scope="module")
def train(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(200, seed=0)


@pytest.fixture(scope="module")
def val(careers: Callable[..., CareerArrays]) -> CareerArrays:
    return careers(60, seed=1)


@pytest.fixture(scope="module")
def words(vocab_size: int) -> TitleWords:
    return number_words([[f"family {title % 4}", f"level {title % 6}"] for title in range(1, vocab_size)])


def last_epoch(
    params: Params,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    words: TitleWords,
    state: Any = None,
) -> dict[str, Any]:
    *_, last = fit(params, train, val, vocab_size, seed=0, checkpoint=state, title_words=words)
    return last.checkpoint()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options))
def test_each_option_resumes_bit_for_bit_and_keeps_unknown_unpredicted(
    options: dict[str, Any], train: CareerArrays, val: CareerArrays, vocab_size: int, words: TitleWords
) -> None:
    params = SMALL.model_copy(update=options)
    results = fit(params, train, val, vocab_size, seed=0, title_words=words)
    after_one, after_two = (next(results).checkpoint() for _ in range(2))
    resumed = last_epoch(params, train, val, vocab_size, words, after_one)
    for name, weights in after_two["model"].items():
        assert torch.equal(resumed["model"][name], weights), name
    model = build_model(after_two)
    assert not model.title_table()[0].any()
    logits, _, _ = model(torch.randint(0, vocab_size, (7, 4)))
    assert (logits[:, 0] < UNKNOWN_LOGIT / 2).all()


def test_all_of_the_architecture_exports_as_the_same_contract(
    train: CareerArrays, val: CareerArrays, vocab_size: int, words: TitleWords, tmp_path: Path
) -> None:
    import onnxruntime

    from trajtune.finalize.export.to_onnx import export_to_onnx, simplify_onnx

    params = SMALL.model_copy(update={**OPTIONS[4], "max_epochs": 1})
    model = build_model(last_epoch(params, train, val, vocab_size, words))
    path = tmp_path / "model.onnx"
    export_to_onnx(model, path)
    simplify_onnx(path)
    session = onnxruntime.InferenceSession(path)
    lengths = torch.tensor([3, 1, 6, 6, 2])
    title_ids = torch.randint(0, vocab_size, (5, 8))
    found = session.run(None, {"title_ids": title_ids.numpy(), "lengths": lengths.numpy()})
    for row, length in enumerate(lengths.tolist()):
        with torch.no_grad():
            alone = model(title_ids[row : row + 1, :length])
        for output, expected in zip(found, alone, strict=True):
            np.testing.assert_allclose(output[row], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS[:5], ids=lambda options: "+".join(options))
def test_with_each_architecture_padding_never_matters(
    options: dict[str, Any], train: CareerArrays, vocab_size: int, words: TitleWords
) -> None:
    torch.manual_seed(0)
    params = SMALL.model_copy(update=options)
    model = new_model(
        params,
        vocab_size,
        words if params.title_vectors == "id_and_words" else None,
        count_transitions(train, vocab_size) if params.markov_prior else None,
    ).eval()
    title_ids, lengths = torch.randint(0, vocab_size, (6, 9)), torch.tensor([1, 4, 9, 2, 2, 7])
    together = model(title_ids, lengths)
    for row, length in enumerate(lengths.tolist()):
        for output, alone in zip(together, model(title_ids[row : row + 1, :length]), strict=True):
            torch.testing.assert_close(output[row], alone[0])


def test_tied_logits_are_products_with_the_titles_own_vectors(vocab_size: int) -> None:
    model = new_model(SMALL.model_copy(update={"tie_weights": True}), vocab_size).eval()
    state = torch.randn(3, 16)
    query = model.next_role_head(state)
    table = model.title_table()
    assert table.norm(dim=1)[1:].mean().item() == pytest.approx(1, abs=0.15)
    torch.testing.assert_close(
        torch.nn.functional.linear(query, table, model.tied_bias)[:, 1:],
        query @ table[1:].T + model.tied_bias[1:],
    )


def test_words_of_two_titles_or_more_make_up_a_title(vocab_size: int) -> None:
    words = number_words([["senior", "data", "engineer"], ["data", "engineer"], ["unique"], ["senior"]])
    assert words.word_ids.tolist() == [2, 0, 1, 0, 1, 2]  # alphabetical: data, engineer, senior
    assert words.offsets.tolist() == [0, 0, 3, 5, 5, 6]
    model = new_model(SMALL.model_copy(update={"title_vectors": "id_and_words"}), 5, words)
    own, word = model.embedding.weight, model.embedding.words
    torch.testing.assert_close(model.title_table()[1], own[1] + word[2] + word[0] + word[1])
    torch.testing.assert_close(model.title_table()[3], own[3])
    assert not model.title_table()[0].any()


def test_collapsing_word_vectors_changes_no_prediction(vocab_size: int, words: TitleWords) -> None:
    model = new_model(SMALL.model_copy(update={"title_vectors": "id_and_words"}), vocab_size, words).eval()
    title_ids = torch.randint(0, vocab_size, (9, 5))
    before = model(title_ids)
    collapsed = model.collapse()
    assert type(collapsed.embedding) is torch.nn.Embedding
    for one, other in zip(before, collapsed(title_ids), strict=True):
        assert torch.equal(one, other)


def test_word_vectors_need_the_words(train: CareerArrays, val: CareerArrays, vocab_size: int) -> None:
    params = SMALL.model_copy(update={"title_vectors": "id_and_words"})
    with pytest.raises(TrainingError, match=r"title_words=words_of\(encoder\)"):
        next(fit(params, train, val, vocab_size, seed=0))


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
            for values in (train.tenure_months, train.tenure_at_least, train.hireable)
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


def test_label_smoothing_spreads_over_all_titles_but_unknown() -> None:
    logits = torch.tensor([[UNKNOWN_LOGIT, 1.0, 2.0, 3.0], [UNKNOWN_LOGIT, 0.0, 0.0, 0.0]])
    log_p = logits[0].log_softmax(0)
    by_hand = -(0.8 * log_p[3] + 0.2 * log_p[1:].mean())
    torch.testing.assert_close(next_role_loss(logits, torch.tensor([3, 0]), 0.2).value, by_hand)


def test_weights_decay_but_biases_and_title_vectors_do_not(vocab_size: int, words: TitleWords) -> None:
    def decaying(**options: Any) -> set[str]:
        params = SMALL.model_copy(update={"weight_decay": 0.1, "title_vectors": "id_and_words", **options})
        model = new_model(params, vocab_size, words)
        optimizer = create_optimizer(model, params)
        before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
        for weights in model.parameters():
            weights.grad = torch.zeros_like(weights) if weights.grad is None else weights.grad
        optimizer.step()  # without a gradient, a weight can only decay
        return {name for name, weights in model.named_parameters() if not torch.equal(weights, before[name])}

    assert not {name for name in decaying() if "bias" in name or name.startswith("embedding")}
    assert "next_role_head.3.weight" in decaying()
    assert decaying(decay_embeddings=True) - decaying() == {"embedding.weight", "embedding.words"}


def test_schedules_rise_and_fall_as_they_say() -> None:
    def rates(**options: Any) -> list[float]:
        params = plain(learning_rate=1.0, max_epochs=10, **options)
        return [learning_rate(params, epoch) for epoch in (0, 1, 3, 5, 10)]

    assert rates() == [1, 1, 1, 1, 1]
    assert rates(schedule="cosine") == pytest.approx([1, 0.97553, 0.79389, 0.5, 0], abs=1e-5)
    assert rates(schedule="one_cycle") == pytest.approx([0.04, 0.36, 1, 0.81174, 0], abs=1e-5)
    assert rates(warmup_epochs=2) == [0, 0.5, 1, 1, 1]


def test_each_step_has_the_rate_of_the_schedule(train: CareerArrays, vocab_size: int) -> None:
    params = SMALL.model_copy(update={"schedule": "cosine", "max_epochs": 4})
    model = new_model(params, vocab_size)
    optimizer = create_optimizer(model, params)
    loader = Loader(train, examples_of(train, "last"), 32, generator=torch.Generator().manual_seed(0))
    train_epoch(model, loader, optimizer, params, epoch=3)
    expected = learning_rate(params, 2 + (len(loader) - 1) / len(loader))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_a_clipped_gradient_is_no_longer_than_asked(train: CareerArrays, vocab_size: int) -> None:
    params = SMALL.model_copy(update={"clip_norm": 1e-3})
    model = new_model(params, vocab_size)
    loader = Loader(train, examples_of(train, "last"), 32, generator=torch.Generator().manual_seed(0))
    train_epoch(model, loader, create_optimizer(model, params), params)
    total = torch.cat([w.grad.flatten() for w in model.parameters() if w.grad is not None]).norm()
    assert 0 < total.item() <= 1e-3 * (1 + 1e-4)


def test_a_schedule_over_other_epochs_is_another_training(
    train: CareerArrays, val: CareerArrays, vocab_size: int, words: TitleWords
) -> None:
    params = SMALL.model_copy(update={"schedule": "cosine"})
    state = next(fit(params, train, val, vocab_size, seed=0)).checkpoint()
    longer = params.model_copy(update={"max_epochs": 9})
    with pytest.raises(TrainingError, match="max_epochs 2 → 9"):
        next(fit(longer, train, val, vocab_size, seed=0, checkpoint=state))

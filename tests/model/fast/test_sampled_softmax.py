from collections.abc import Callable

import pytest
import torch

from tests.model.conftest import plain
from trajtune.dataset.arrays import CareerArrays
from trajtune.model.fast.losses import next_role_loss
from trajtune.model.fast.sampled_softmax import sample_titles, sampled_next_role_loss
from trajtune.model.network.copy_head import NOTHING
from trajtune.model.network.lstm import UNKNOWN_LOGIT, FactoredLogits
from trajtune.model.training.fit import fit

TITLES, EXAMPLES, WIDTH = 60, 40, 8


def logits(*, with_stays: bool, with_copies: bool = False) -> tuple[FactoredLogits, torch.Tensor]:
    """Return logits of random weights, and targets: some unknown, some equal to an earlier title."""
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    def titles(*shape: int) -> torch.Tensor:
        return torch.randint(0, TITLES, shape, generator=random)

    bias, last, target = normal(TITLES), titles(EXAMPLES, 1), titles(EXAMPLES)
    bias[0] = UNKNOWN_LOGIT
    last[:3], target[:5], target[5:15] = 0, 0, last[5:15, 0]
    stays = normal(EXAMPLES, 1) * (last > 0)
    hidden, weight = normal(EXAMPLES, WIDTH), normal(TITLES, WIDTH)
    factored = FactoredLogits(hidden, weight, bias, *((stays, last) if with_stays else (None, None)))
    if with_copies:
        held = titles(EXAMPLES, 4)
        target[20:30] = held[20:30, 2]
        log_copy = (normal(EXAMPLES, 4).log_softmax(1) - 1).masked_fill(held == 0, NOTHING)
        factored = factored._replace(log_generate=normal(EXAMPLES, 1), log_copy=log_copy, held=held)
    return factored, target


@pytest.mark.parametrize("with_copies", [True, False])
@pytest.mark.parametrize("with_stays", [True, False])
def test_with_every_title_sampled_the_loss_is_exact(with_stays: bool, with_copies: bool) -> None:
    factored, target = logits(with_stays=with_stays, with_copies=with_copies)
    exact = next_role_loss(factored, target)
    drawn = sampled_next_role_loss(factored, target, 10_000)
    torch.testing.assert_close(drawn.value, exact.value)
    for ours, theirs in zip(drawn.gradients, exact.gradients, strict=True):
        if theirs is None:
            assert ours is None
        else:
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_with_few_titles_sampled_the_normaliser_is_unbiased() -> None:
    factored, target = logits(with_stays=True)
    exact = factored.multiplied()
    for example in (20, 30):
        one = FactoredLogits(
            *(
                factored.hidden[example, None],
                factored.weight,
                factored.bias,
                None if factored.stays is None else factored.stays[example, None],
                None if factored.last is None else factored.last[example, None],
            )
        )
        torch.manual_seed(1)
        losses = torch.stack(
            [sampled_next_role_loss(one, target[example, None], 20).value for _ in range(4_000)]
        )
        normaliser = (losses + exact[example, target[example]]).double().exp().mean()
        assert normaliser.item() == pytest.approx(exact[example].double().exp().sum().item(), rel=0.05)


def test_titles_are_sampled_with_the_returned_probabilities() -> None:
    torch.manual_seed(0)
    times, probability = torch.zeros(TITLES), torch.full((TITLES,), float("nan"))
    for _ in range(4_000):
        drawn, log_chance = sample_titles(TITLES, 15, torch.device("cpu"))
        assert torch.equal(drawn, drawn.unique())
        times[drawn] += 1
        probability[drawn] = log_chance.exp()
    assert times[0] == 0
    torch.testing.assert_close(times[1:] / 4_000, probability[1:], atol=0.03, rtol=0)
    assert probability[1] > 2 * probability[10] > 4 * probability[50]


def test_a_model_trained_with_sampled_titles_predicts_all_titles(
    careers: Callable[..., CareerArrays], vocab_size: int
) -> None:
    train, val = careers(600, seed=0), careers(150, seed=1)
    usual = plain(embedding_dim=16, hidden_dim=8, max_epochs=6, learning_rate=0.02)
    few = usual.model_copy(update={"softmax_samples": 24})
    reached = []
    for params in (usual, few):
        results = list(fit(params, train, val, vocab_size, seed=0))
        reached.append(min(result.metrics["val_next_role_nll"] or 99 for result in results))
    assert reached[1] == pytest.approx(reached[0], abs=0.15)
    assert reached[1] != reached[0]


def test_sampling_resumes_identically_after_an_interruption(
    careers: Callable[..., CareerArrays], vocab_size: int
) -> None:
    params = plain(embedding_dim=16, hidden_dim=8, max_epochs=3, softmax_samples=5)
    data = careers(200, seed=0), careers(60, seed=1), vocab_size
    results, states = [], []
    for result in fit(params, *data, seed=0):
        results.append(result.train_loss)
        states.append(result.checkpoint())
    torch.rand(3)
    resumed = fit(params, *data, seed=0, checkpoint=states[0])
    assert [result.train_loss for result in resumed] == results[1:]

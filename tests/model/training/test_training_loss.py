import pytest
import torch
import torch.nn.functional as F

from tests.model.conftest import factored, plain
from trajtune.model.network.lstm import FactoredLogits
from trajtune.model.training.training_loss import training_loss

NAN = float("nan")


@pytest.mark.parametrize("tenure_loss", ["mse", "pinball"])
def test_unknown_targets_have_no_loss_and_no_gradient(tenure_loss: str) -> None:
    scores = tuple(torch.randn(4, width, requires_grad=True) for width in (6, 2, 1))
    unknown = torch.full((4,), NAN)
    logits, *others = scores
    loss = training_loss(
        (factored(logits), *others),
        torch.zeros(4, dtype=torch.int64),
        unknown,
        unknown,
        plain(tenure_loss=tenure_loss),
    )
    assert loss.item() == 0
    for gradient in torch.autograd.grad(loss, scores):
        assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("tenure_loss", ["mse", "pinball"])
def test_value_and_gradients_match_autograd(tenure_loss: str) -> None:
    torch.manual_seed(0)
    scores = tuple(torch.randn(7, width, dtype=torch.double, requires_grad=True) for width in (6, 2, 1))
    logits, tenure, hireability = scores
    titles = torch.tensor([1, 2, 0, 3, 5, 0, 4])
    months = torch.tensor([0.3, -1.0, NAN, 0.2, 2.0, NAN, 0.0], dtype=torch.double)
    hireable = torch.tensor([1, 0, NAN, 1, 1, 0, 1], dtype=torch.double)
    params = plain(tenure_weight=0.3, hireability_weight=0.7, tenure_loss=tenure_loss)
    cross_entropy = F.cross_entropy(logits, titles, ignore_index=0)
    known = ~months.isnan()
    error = months[known, None] - tenure[known].sort(1).values
    quantiles = torch.tensor([0.1, 0.9])
    by_output = error.square() if tenure_loss == "mse" else error * (quantiles - (error < 0).double())
    judged = ~hireable.isnan()
    outcome = F.binary_cross_entropy_with_logits(hireability[judged, 0], hireable[judged])
    expected = cross_entropy + 0.3 * by_output.mean() + 0.7 * outcome
    loss = training_loss((factored(logits), tenure, hireability), titles, months, hireable, params)
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(
        torch.autograd.grad(2 * loss, scores), torch.autograd.grad(2 * expected, scores), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("tenure_loss", ["mse", "pinball"])
@pytest.mark.parametrize("samples", [0, 1_000])
def test_weights_multiply_the_losses_of_the_examples(samples: int, tenure_loss: str) -> None:
    torch.manual_seed(0)
    made_of = tuple(torch.randn(shape, requires_grad=True) for shape in [(7, 5), (6, 5), (6,)])
    others = tuple(torch.randn(7, width, requires_grad=True) for width in (2, 1))
    copied = (torch.full((7, 1), -0.2), torch.randn(7, 2).log_softmax(1) - 1.7, torch.randint(1, 6, (7, 2)))
    titles = torch.tensor([1, 2, 0, 3, 5, 0, 4])
    months = torch.tensor([0.3, -1.0, NAN, 0.2, 2.0, NAN, 0.0])
    hireable = torch.tensor([1, 0, NAN, 1, 1, NAN, 1])
    params = plain(tenure_loss=tenure_loss, softmax_samples=samples)

    def loss(rows: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        hidden, weights, bias = made_of
        logits = FactoredLogits(hidden[rows], weights, bias, None, None, *(values[rows] for values in copied))
        scores = (logits, *(values[rows] for values in others))
        return training_loss(scores, titles[rows], months[rows], hireable[rows], params, weight)

    weight = torch.tensor([0.5, 3.0, 1.0, 0.0, 2.0, 1.0, 0.5])
    alone = torch.stack([loss(torch.tensor([row])) for row in range(7)])
    expected = torch.dot(weight, alone) / 5  # five have known targets
    found = loss(torch.arange(7), weight)
    torch.testing.assert_close(found, expected)
    inputs = (*made_of, *others)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_label_weights_change_only_the_hireability_loss() -> None:
    torch.manual_seed(0)
    logits, tenure, hireability = (torch.randn(3, width) for width in (6, 2, 1))
    titles, months, hireable = torch.tensor([1, 2, 3]), torch.ones(3), torch.tensor([1.0, 0.0, NAN])
    every, of_label = torch.tensor([0.5, 2.0, 1.0]), torch.tensor([3.0, 0.5, 1.0])

    def loss(weight: float, *weights: torch.Tensor) -> torch.Tensor:
        scores = (factored(logits), tenure, hireability)
        params = plain(hireability_weight=weight)
        return training_loss(scores, titles, months, hireable, params, *weights)

    found = loss(1.0, every, of_label) - loss(0.0, every, of_label)
    expected = loss(1.0, every * of_label) - loss(0.0, every * of_label)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(loss(0.0, every, of_label), loss(0.0, every))


def test_a_second_backward_pass_fails() -> None:
    scores = tuple(torch.randn(2, width, requires_grad=True) for width in (6, 2, 1))
    logits, *others = scores
    loss = training_loss(
        (factored(logits), *others), torch.tensor([1, 2]), torch.ones(2), torch.ones(2), plain()
    )
    loss.backward(retain_graph=True)
    with pytest.raises(AttributeError):
        loss.backward()

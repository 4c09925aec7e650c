from math import exp, log

import pytest
import torch

from tests.model.conftest import plain
from trajtune.model.losses import hireability_loss, next_role_loss, pinball_loss, squared_loss, training_loss

NAN = float("nan")


def test_cross_entropy_is_over_known_titles_alone() -> None:
    logits = torch.tensor([[-1e4, 1.0, 2.0, 3.0], [-1e4, 0.0, 0.0, 0.0], [-1e4, 5.0, 0.0, 9.0]])
    by_hand = (log(exp(1) + exp(2) + exp(3)) - 3 + log(3)) / 2
    assert next_role_loss(logits, torch.tensor([3, 1, 0])).item() == pytest.approx(by_hand, abs=1e-6)


def test_squared_loss_is_over_known_tenures_alone() -> None:
    outputs = torch.tensor([[0.0, 2.0], [1.0, 1.0], [7.0, 7.0]])
    assert squared_loss(outputs, torch.tensor([1.0, 3.0, NAN])).item() == pytest.approx((1 + 4) / 2)


def test_pinball_loss_charges_the_lower_quantile_little_for_being_low() -> None:
    outputs = torch.tensor([[0.0, 2.0], [4.0, 5.0], [7.0, 7.0]])
    # Target 1: 0.1 × 1 below, 0.1 × 1 above. Target 3: 0.9 × 1 and 0.1 × 2 above both.
    by_hand = ((0.1 + 0.1) / 2 + (0.9 + 0.2) / 2) / 2
    assert pinball_loss(outputs, torch.tensor([1.0, 3.0, NAN])).item() == pytest.approx(by_hand)


def test_pinball_loss_is_least_at_the_quantiles() -> None:
    targets = torch.arange(1.0, 101.0)
    losses = {
        q: pinball_loss(torch.tensor([[q, 90.5]]).expand(100, 2), targets).item() for q in range(1, 100)
    }
    assert min(losses, key=losses.__getitem__) in {10, 11}


def test_hireability_loss_is_over_known_outcomes_alone() -> None:
    logits = torch.tensor([0.0, log(3.0), 2.0])
    by_hand = (log(2) - log(0.25)) / 2
    assert hireability_loss(logits, torch.tensor([1.0, 0.0, NAN])).item() == pytest.approx(by_hand)


@pytest.mark.parametrize("tenure_loss", ["mse", "pinball"])
def test_what_is_unknown_has_no_loss_and_no_gradient(tenure_loss: str) -> None:
    scores = tuple(torch.randn(4, width, requires_grad=True) for width in (6, 2, 1))
    unknown = torch.full((4,), NAN)
    loss = training_loss(
        scores, torch.zeros(4, dtype=torch.int64), unknown, unknown, plain(tenure_loss=tenure_loss)
    )
    assert loss.item() == 0
    for gradient in torch.autograd.grad(loss, scores):
        assert torch.equal(gradient, torch.zeros_like(gradient))


def test_parts_are_added_with_their_weights() -> None:
    scores = tuple(torch.randn(4, width) for width in (6, 2, 1))
    titles, tenure, hireable = torch.tensor([1, 2, 3, 0]), torch.randn(4), torch.tensor([1.0, 0, 1, 0])
    params = plain(tenure_weight=0.3, hireability_weight=0.7, tenure_loss="mse")
    expected = (
        next_role_loss(scores[0], titles)
        + 0.3 * squared_loss(scores[1], tenure)
        + 0.7 * hireability_loss(scores[2][:, 0], hireable)
    )
    torch.testing.assert_close(training_loss(scores, titles, tenure, hireable, params), expected)

from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from tests.model.conftest import factored, plain
from trajtune.model.fast.losses import hireability_loss, next_role_loss, pinball_loss, squared_loss
from trajtune.model.network.lstm import FactoredLogits
from trajtune.model.training.training_loss import training_loss

NAN = float("nan")


def test_cross_entropy_is_a_mean_over_known_titles() -> None:
    logits = torch.tensor([[-1e4, 1.0, 2.0, 3.0], [-1e4, 0.0, 0.0, 0.0], [-1e4, 5.0, 0.0, 9.0]])
    expected = (log(exp(1) + exp(2) + exp(3)) - 3 + log(3)) / 2
    found = next_role_loss(factored(logits), torch.tensor([3, 1, 0])).value.item()
    assert found == pytest.approx(expected, abs=1e-6)


def test_squared_loss_is_a_mean_over_known_tenures() -> None:
    outputs = torch.tensor([[0.0, 2.0], [1.0, 1.0], [7.0, 7.0]])
    assert squared_loss(outputs, torch.tensor([1.0, 3.0, NAN])).value.item() == pytest.approx((1 + 4) / 2)


def test_pinball_loss_matches_manual_values() -> None:
    outputs = torch.tensor([[0.0, 2.0], [4.0, 5.0], [7.0, 7.0]])
    # Target 1 costs 0.1 × 1 at the lower and 0.1 × 1 at the upper output; target 3 costs 0.9 × 1 and 0.1 × 2.
    expected = ((0.1 + 0.1) / 2 + (0.9 + 0.2) / 2) / 2
    assert pinball_loss(outputs, torch.tensor([1.0, 3.0, NAN])).value.item() == pytest.approx(expected)


def test_pinball_loss_is_minimal_at_the_quantiles() -> None:
    targets = torch.arange(1.0, 101.0)
    losses = {
        q: pinball_loss(torch.tensor([[q, 90.5]]).expand(100, 2), targets).value.item() for q in range(1, 90)
    }
    assert min(losses, key=losses.__getitem__) in {10, 11}


def test_hireability_loss_is_a_mean_over_known_labels() -> None:
    logits = torch.tensor([[0.0], [log(3.0)], [2.0]])
    expected = (log(2) - log(0.25)) / 2
    assert hireability_loss(logits, torch.tensor([1.0, 0.0, NAN])).value.item() == pytest.approx(expected)


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("num_titles", [50, 20_000])  # one block, and three
def test_logits_in_blocks_have_the_same_loss_and_gradients(num_titles: int, repeats: bool) -> None:
    torch.manual_seed(0)
    shapes = [(40, 8), (num_titles, 8), (num_titles,), (40, 1)]
    made_of = [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]
    last = torch.randint(1, num_titles, (40, 1))
    if not repeats:
        made_of.pop()
    logits = FactoredLogits(*made_of, last) if repeats else FactoredLogits(*made_of, None, None)
    titles = torch.randint(0, num_titles, (40,)).where(torch.arange(40) % 5 > 0, 0)
    titles[1] = last[1, 0]
    found = next_title_loss(logits, titles)
    expected = F.cross_entropy(logits.multiplied(), titles, ignore_index=0)
    torch.testing.assert_close(found, expected)
    ours, theirs = (torch.autograd.grad(3 * loss, made_of) for loss in (found, expected))
    torch.testing.assert_close(ours, theirs)


def next_title_loss(logits: FactoredLogits, titles: torch.Tensor) -> torch.Tensor:
    """Return the training loss of the next title only."""
    unknown = torch.full((len(titles),), NAN, dtype=torch.double)
    others = (torch.zeros(len(titles), width, dtype=torch.double) for width in (2, 1))
    return training_loss((logits, *others), titles, unknown, unknown, plain())


@pytest.mark.parametrize("num_titles", [50, 20_000])  # one block, and three
def test_a_copy_mixture_has_the_loss_and_gradients_of_its_probabilities(
    num_titles: int,
) -> None:
    torch.manual_seed(0)
    shapes = [(40, 8), (num_titles, 8), (num_titles,), (40, 1), (40, 1), (40, 6)]
    made_of = [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]
    hidden, weight, bias, stays, gate, scores = made_of
    held = torch.randint(1, num_titles, (40, 6))
    held[:, 4] = held[:, 1]  # a title that was held twice
    held[::3, 3:], held[7] = 0, 0  # unknown titles, and a career with only unknown titles
    last = held[:, :1]
    titles = torch.randint(0, num_titles, (40,)).where(torch.arange(40) % 5 > 0, 0)
    titles[1:20:2] = held[1:20:2, 1]
    nothing, is_copied = torch.tensor(-1e4, dtype=torch.double), held > 0
    attention = torch.where(is_copied, scores, nothing).log_softmax(1)
    log_generate = torch.where(is_copied.any(1, keepdim=True), F.logsigmoid(-gate), 0.0)
    log_copy = torch.where(is_copied, F.logsigmoid(gate) + attention, nothing)
    logits = FactoredLogits(hidden, weight, bias, stays, last, log_generate, log_copy, held)

    p_generated = logits.generated().softmax(1)
    p = log_generate.exp() * p_generated
    for role in range(6):
        p = p + log_copy[:, role : role + 1].exp() * F.one_hot(held[:, role], num_titles)
    torch.testing.assert_close(p.sum(1), torch.ones(40, dtype=torch.double))
    torch.testing.assert_close(logits.multiplied(), p.log())
    known = titles > 0
    expected = -p[torch.arange(40), titles].log()[known].mean()
    found = next_title_loss(logits, titles)
    torch.testing.assert_close(found, expected)
    ours, theirs = (torch.autograd.grad(3 * of, made_of, retain_graph=True) for of in (found, expected))
    torch.testing.assert_close(ours, theirs)
    dense = torch.autograd.grad(
        3 * F.cross_entropy(logits.multiplied(), titles, ignore_index=0), made_of, retain_graph=True
    )
    torch.testing.assert_close(dense, theirs)


def test_an_almost_impossible_target_has_a_finite_loss() -> None:
    logits = torch.tensor([[-1e4, 300.0, 0.0]])
    assert next_role_loss(factored(logits), torch.tensor([2])).value.item() == 300

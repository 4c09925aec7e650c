from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.model.conftest import SMALL
from trajtune.dataset.arrays import CareerArrays
from trajtune.model.network.copy_head import CopyHead, mixed
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.training.fit import fit


@pytest.fixture
def model() -> CareerTrajectoryLSTM:
    torch.manual_seed(0)
    model = CareerTrajectoryLSTM(40, copy_head=True, skip_last_title=True).eval()
    assert model.copy_head is not None
    torch.nn.init.normal_(model.copy_head.distance_bias)
    torch.nn.init.normal_(model.copy_head.gate.weight)
    return model


def test_the_initial_gate_is_low() -> None:
    copied = CopyHead(6, 4)(torch.zeros(1, 6), torch.randn(1, 2, 4), torch.tensor([[1, 2]]), None)
    assert copied.log_generate.exp().item() == pytest.approx(0.881, abs=1e-3)


def test_copied_and_generated_probabilities_sum_to_one(model: CareerTrajectoryLSTM) -> None:
    title_ids = torch.randint(0, 40, (30, 7))
    logits, _, _ = model(title_ids, torch.randint(1, 8, (30,)))
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(30))
    assert (logits.exp()[:, 0] == 0).all()


def test_a_title_held_twice_has_the_mass_of_both_roles(model: CareerTrajectoryLSTM) -> None:
    title_ids = torch.tensor([[5, 9, 5, 3]])
    with torch.no_grad():
        factored, _, _ = model.scores(title_ids)
    assert factored.copied is not None
    generated = factored.generated().softmax(1) * factored.copied.log_generate.exp()
    mass = factored.copied.log_copy.exp()[0]
    p = factored.multiplied().exp()
    torch.testing.assert_close(p[0, 5], generated[0, 5] + mass[0] + mass[2])
    torch.testing.assert_close(p[0, 9], generated[0, 9] + mass[1])
    torch.testing.assert_close(p[0, 7], generated[0, 7])
    assert (mass.sum() + generated.sum()).item() == pytest.approx(1)


def test_attention_depends_on_the_distance_from_the_last_role(model: CareerTrajectoryLSTM) -> None:
    assert model.copy_head is not None
    head, state = model.copy_head, torch.randn(1, 32 + 128)
    copied = head(state, torch.zeros(1, 15, 128), torch.full((1, 15), 4), None)
    scores = torch.cat([head.distance_bias[-1:].expand(3), head.distance_bias.flip(0)])
    torch.testing.assert_close(copied.log_copy[0].softmax(0), scores.softmax(0))


def test_without_known_titles_nothing_is_copied(model: CareerTrajectoryLSTM) -> None:
    title_ids = torch.tensor([[0, 0, 6], [0, 0, 0]])
    factored, _, _ = model.scores(title_ids, torch.tensor([2, 3]))
    torch.testing.assert_close(factored.multiplied(), factored.generated().log_softmax(1))


def test_an_unknown_title_is_never_copied(model: CareerTrajectoryLSTM) -> None:
    factored, _, _ = model.scores(torch.tensor([[3, 0, 7]]))
    assert factored.copied is not None
    assert factored.copied.log_copy[0, 1].exp() == 0
    total = factored.copied.log_copy.exp().sum() + factored.copied.log_generate.exp()
    assert total.item() == pytest.approx(1)


def test_titles_with_negligible_softmax_probability_are_still_copied() -> None:
    head = CopyHead(6, 4)
    copied = head(torch.zeros(1, 6), torch.zeros(1, 2, 4), torch.tensor([[1, 2]]), None)
    logits = torch.tensor([[-1e4, 0.0, -500.0, 300.0]])
    torch.testing.assert_close(
        mixed(logits, copied)[0, 1:3].exp(), torch.full((2,), 0.1192 / 2), atol=1e-4, rtol=0
    )


def returning(careers: CareerArrays, seed: int) -> CareerArrays:
    """Return the careers with random titles, in which the last title equals the first one."""
    titles = np.random.default_rng(seed).integers(1, 400, len(careers.title_ids)).astype(np.int32)
    titles[careers.offsets[1:] - 1] = titles[careers.offsets[:-1]]
    return replace(careers, title_ids=titles)


def test_a_model_learns_returns_to_an_earlier_title(
    careers: Callable[..., CareerArrays],
) -> None:
    train, val = returning(careers(600, seed=0), seed=0), returning(careers(200, seed=1), seed=1)
    params = SMALL.model_copy(update={"examples": "last", "max_epochs": 12, "learning_rate": 0.02})
    reached = {}
    for copy_head in (True, False):
        own = params.model_copy(update={"copy_head": copy_head})
        epochs = list(fit(own, train, val, 400, seed=0))
        reached[copy_head] = min(epoch.metrics["val_next_role_nll"] or 99 for epoch in epochs)
    assert reached[True] < 1.0, reached
    assert reached[True] < reached[False] - 0.5, reached

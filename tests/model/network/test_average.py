"""The mean of several models: manual arithmetic, weights, and members that predict only titles."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trajtune.model.network.average import AveragedModel


class Constant(nn.Module):
    """A model with the same prediction for every career; ``outcomes`` are its tenure and hireability."""

    def __init__(self, probabilities: list[float], outcomes: tuple[list[float], float] | None) -> None:
        super().__init__()
        # Logits need not be normalised: adding a constant to all of them changes no probability.
        self.logits = torch.cat([torch.tensor([-1e4]), torch.tensor(probabilities).log() + 7])
        self.outcomes = outcomes

    def forward(self, title_ids: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        num = len(title_ids)
        tenure, hireability = self.outcomes or ([np.nan, np.nan], np.nan)
        return (
            self.logits.expand(num, -1),
            torch.tensor([tenure]).expand(num, -1),
            torch.full((num, 1), hireability),
        )


CAREERS = torch.ones(2, 3, dtype=torch.long)


def test_probabilities_tenure_and_hireability_are_means_of_the_members() -> None:
    members = [Constant([0.9, 0.1], ([6.0, 12.0], 0.2)), Constant([0.3, 0.7], ([10.0, 30.0], 0.8))]
    logits, tenure, hireability = AveragedModel(members, 3)(CAREERS, None)
    assert logits.exp() == pytest.approx(np.array([[0, 0.6, 0.4]] * 2))
    assert tenure == pytest.approx(np.array([[8, 21]] * 2))
    assert hireability == pytest.approx(np.array([[0.5]] * 2))
    assert torch.isfinite(logits).all()
    assert (logits[:, 0] < -5000).all()


def test_members_may_have_unequal_weights_and_predict_only_titles() -> None:
    members = [Constant([0.9, 0.1], ([6.0, 12.0], 0.2)), Constant([0.5, 0.5], None)]
    averaged = AveragedModel(members, 3, title_weights=[0.75, 0.25], outcome_weights=[1.0, 0.0])
    logits, tenure, hireability = averaged(CAREERS)
    assert logits.softmax(1) == pytest.approx(np.array([[0, 0.8, 0.2]] * 2))
    assert tenure.tolist() == [[6, 12]] * 2
    assert hireability == pytest.approx(np.array([[0.2]] * 2))


def test_a_zero_probability_in_one_member_halves_that_of_the_other() -> None:
    sure = Constant([1.0, 0.0], ([1.0, 2.0], 0.5))
    unsure = Constant([0.5, 0.5], ([1.0, 2.0], 0.5))
    logits, *_ = AveragedModel([sure, unsure], 3)(CAREERS)
    assert logits.exp() == pytest.approx(np.array([[0, 0.75, 0.25]] * 2))

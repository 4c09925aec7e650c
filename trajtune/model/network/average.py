"""The weighted mean of several models' predictions, as one model with the same inputs and outputs."""

# B careers in a batch, T roles (padded), V titles, M members, O members that predict tenure and hireability

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.network.recent_roles import most_recent


class AveragedModel(nn.Module):
    """Several models as one: its probabilities, tenure bounds and hireability are means over its members.

    A member is any module that maps ``(title_ids, lengths)`` to ``(logits, tenure, hireability)``, like
    `CareerTrajectoryLSTM`. All members have the same vocabulary. A member with an outcome weight of 0
    predicts only the next title; its tenure and hireability outputs are not used.
    """

    title_weights: Tensor
    outcome_weights: Tensor

    def __init__(
        self,
        members: Sequence[nn.Module],
        vocab_size: int,
        title_weights: Sequence[float] | None = None,
        outcome_weights: Sequence[float] | None = None,
        max_history: int = 0,
    ) -> None:
        """Join trained models.

        Args:
            members: The models, ``[M]``. For an export they must have plain title vectors.
            vocab_size: V, including index 0.
            title_weights: Weight of each member in the title probabilities, ``[M]``, above 0 with the sum 1;
                None: equal weights.
            outcome_weights: Weight of each member in tenure and hireability, ``[M]``, at least 0 with the sum
                1; None: the title weights.
            max_history: Largest number of roles that any member reads, the most recent ones; 0: all.
        """
        super().__init__()
        self.max_history = max_history
        num = len(members)
        titles = [1 / num] * num if title_weights is None else list(title_weights)
        outcomes = titles if outcome_weights is None else list(outcome_weights)
        for weights in (titles, outcomes):
            assert len(weights) == num, f"{len(weights)} weights of {num} members"
            assert abs(sum(weights) - 1) < 1e-6, f"weights add up to {sum(weights)}"
        assert min(titles) > 0, "a member without a weight has no logarithm"
        assert min(outcomes) >= 0, "a negative weight gives no mean"
        self.members = nn.ModuleList(members)
        self.vocab_size = vocab_size
        # This list determines the structure of the exported graph, so it is not a tensor.
        self._outcome_members = [number for number, weight in enumerate(outcomes) if weight > 0]
        self.register_buffer("title_weights", torch.tensor(titles))
        self.register_buffer("outcome_weights", torch.tensor([outcomes[i] for i in self._outcome_members]))

    def forward(self, title_ids: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Predict the next role, in the units of the serving contract.

        Args:
            title_ids: Title ids, integer ``[B, T]``, oldest role first; values after a length have no effect.
            lengths: Numbers of roles, int64 ``[B]``, each in 1..T; None: every position is a role.

        Returns:
            Logits ``[B, V]``: the logarithms of the mean probabilities, far below the others at index 0.
            Tenure ``[B, 2]`` in months, lower ≤ upper. Hireability ``[B, 1]`` in 0..1.
        """
        title_ids, lengths = most_recent(title_ids, lengths, self.max_history)
        predicted = [member(title_ids, lengths) for member in self.members]
        log_probabilities_MBV = torch.stack([torch.log_softmax(logits, 1) for logits, _, _ in predicted])
        shares_MBV = log_probabilities_MBV + self.title_weights.log()[:, None, None]
        # torch.logsumexp exports with an attribute that opset 17 does not have.
        largest_BV = shares_MBV.amax(0)
        logits_BV = largest_BV + (shares_MBV - largest_BV).exp().sum(0).log()
        tenure_OB2 = torch.stack([predicted[number][1] for number in self._outcome_members])
        hireability_OB1 = torch.stack([predicted[number][2] for number in self._outcome_members])
        weights_O11 = self.outcome_weights[:, None, None]
        return logits_BV, (weights_O11 * tenure_OB2).sum(0), (weights_O11 * hireability_OB1).sum(0)


CareerModel = CareerTrajectoryLSTM | AveragedModel
"""The model of a checkpoint: one network, or the mean of several."""

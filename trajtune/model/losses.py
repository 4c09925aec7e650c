"""The training loss: cross-entropy of the next title, and weighted losses of tenure and hireability.

Each part is summed over the examples that have its target and divided by their number; what is not
known adds nothing, and a batch in which nothing is known has a loss of 0.
"""

# B examples, V titles

import torch
import torch.nn.functional as F
from torch import Tensor

from trajtune.experiment import Params

QUANTILES = (0.1, 0.9)
"""What the tenure head's lower and upper output are trained to with the pinball loss."""


def training_loss(
    scores: tuple[Tensor, Tensor, Tensor],
    next_title_B: Tensor,
    tenure_B: Tensor,
    hireable_B: Tensor,
    params: Params,
) -> Tensor:
    """Cross-entropy + ``tenure_weight`` × tenure + ``hireability_weight`` × hireability, a scalar.

    Args:
        scores: Logits ``[B, V]``, standardised tenure ``[B, 2]``, hireability logit ``[B, 1]``.
        next_title_B: int64; 0 is no target.
        tenure_B: float32, standardised; NaN is no target.
        hireable_B: float32, 1 or 0; NaN is no target.
        params: Gives the weights and the kind of tenure loss.
    """
    logits_BV, quantiles_B2, hireability_B1 = scores
    tenure_loss = pinball_loss if params.tenure_loss == "pinball" else squared_loss
    return (
        next_role_loss(logits_BV, next_title_B, params.label_smoothing)
        + params.tenure_weight * tenure_loss(quantiles_B2, tenure_B)
        + params.hireability_weight * hireability_loss(hireability_B1.squeeze(1), hireable_B)
    )


def next_role_loss(logits_BV: Tensor, next_title_B: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats over targets other than 0.

    Args:
        logits_BV: Index 0 far below the others.
        next_title_B: int64.
        smoothing: Share of each target that is spread evenly over all titles but 0.
    """
    known = next_title_B != 0
    total = F.cross_entropy(logits_BV, next_title_B, ignore_index=0, reduction="sum")
    if smoothing:
        spread = (logits_BV.logsumexp(1) - logits_BV[:, 1:].mean(1))[known].sum()
        total = (1 - smoothing) * total + smoothing * spread
    return total / known.sum().clamp(min=1)


def squared_loss(tenure_B2: Tensor, target_B: Tensor) -> Tensor:
    """Mean squared error of both outputs over known targets, as specified."""
    known, target = _known(target_B)
    error = (tenure_B2 - target[:, None]).square().mean(1)
    return torch.where(known, error, 0.0).sum() / known.sum().clamp(min=1)


def pinball_loss(tenure_B2: Tensor, target_B: Tensor) -> Tensor:
    """Mean pinball loss of the two outputs at `QUANTILES` over known targets (Koenker and Bassett 1978)."""
    known, target = _known(target_B)
    quantiles = tenure_B2.new_tensor(QUANTILES)
    error = target[:, None] - tenure_B2
    loss = torch.maximum(quantiles * error, (quantiles - 1) * error).mean(1)
    return torch.where(known, loss, 0.0).sum() / known.sum().clamp(min=1)


def hireability_loss(logit_B: Tensor, hireable_B: Tensor) -> Tensor:
    """Mean binary cross-entropy in nats over known targets."""
    known, target = _known(hireable_B)
    loss = F.binary_cross_entropy_with_logits(logit_B, target, reduction="none")
    return torch.where(known, loss, 0.0).sum() / known.sum().clamp(min=1)


def _known(target_B: Tensor) -> tuple[Tensor, Tensor]:
    """Which targets are known, and the targets with 0 for the others, so that no gradient is NaN."""
    known = ~target_B.isnan()
    return known, torch.where(known, target_B, 0.0)

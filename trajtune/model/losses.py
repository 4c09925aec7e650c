"""The training loss: cross-entropy of the next title, and weighted losses of tenure and hireability.

Each part is summed over the examples that have its target and divided by their number; what is not
known adds nothing, and a batch in which nothing is known has a loss of 0.

Gradients are written out, because a batch's loss costs less to differentiate by hand than autograd's
bookkeeping for it: the softmax is computed once, in one buffer of ``[B, V]``, and serves both.
"""

# B examples, V titles

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trajtune.experiment import Params

QUANTILES = (0.1, 0.9)
"""What the tenure head's lower and upper output are trained to with the pinball loss."""


class Loss(NamedTuple):
    """A loss and how it changes with what it was computed on.

    Attributes:
        value: Scalar.
        gradient: Of the shape of the scores.
    """

    value: Tensor
    gradient: Tensor


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

    Returns:
        The loss; autograd can go back through it once.
    """
    loss: Tensor = _TrainingLoss.apply(*scores, next_title_B, tenure_B, hireable_B, params)  # type: ignore[no-untyped-call]
    return loss


def next_role_loss(logits_BV: Tensor, next_title_B: Tensor, smoothing: float = 0.0) -> Loss:
    """Mean cross-entropy in nats over targets other than 0.

    Args:
        logits_BV: Index 0 far below the others.
        next_title_B: int64.
        smoothing: Share of each target that is spread evenly over all titles but 0.
    """
    share_B = _shares(next_title_B != 0, logits_BV.dtype)
    target_B1, share_B1 = next_title_B[:, None], share_B[:, None]
    p_BV = F.softmax(logits_BV, 1)
    # The largest logit is the likeliest title's, whose probability cannot underflow as the target's can.
    normaliser_B = logits_BV.amax(1) - p_BV.amax(1).log()
    aim_B = logits_BV.gather(1, target_B1).squeeze(1)
    if smoothing:
        aim_B = (1 - smoothing) * aim_B + smoothing * logits_BV[:, 1:].mean(1)
    value = torch.dot(normaliser_B - aim_B, share_B)
    gradient_BV = p_BV.mul_(share_B1)
    gradient_BV.scatter_add_(1, target_B1, (smoothing - 1) * share_B1)
    if smoothing:
        gradient_BV[:, 1:] -= smoothing / (logits_BV.shape[1] - 1) * share_B1
    return Loss(value, gradient_BV)


def squared_loss(tenure_B2: Tensor, target_B: Tensor) -> Loss:
    """Mean squared error of both outputs over known targets, as specified."""
    share_B1, target_B1 = _known(target_B)
    error_B2 = tenure_B2 - target_B1
    gradient_B2 = error_B2 * share_B1
    return Loss(torch.dot(error_B2.flatten(), gradient_B2.flatten()) / 2, gradient_B2)


def pinball_loss(tenure_B2: Tensor, target_B: Tensor) -> Loss:
    """Mean pinball loss of the outputs at `QUANTILES` over known targets (Koenker and Bassett 1978).

    Of the two outputs the smaller one is the lower quantile. Sorting quantiles never raises their loss
    (Chernozhukov et al. 2010, "Quantile and probability curves without crossing").
    """
    share_B1, target_B1 = _known(target_B)
    ordered_B2, order_B2 = tenure_B2.sort(1)
    error_B2 = target_B1 - ordered_B2
    below_B2 = (error_B2 < 0).to(error_B2.dtype) - error_B2.new_tensor(QUANTILES)
    gradient_B2 = below_B2 * (share_B1 / 2)
    value = -torch.dot(error_B2.flatten(), gradient_B2.flatten())
    return Loss(value, gradient_B2.gather(1, order_B2))  # the order of two is its own inverse


def hireability_loss(logit_B1: Tensor, hireable_B: Tensor) -> Loss:
    """Mean binary cross-entropy in nats over known targets."""
    share_B1, target_B1 = _known(hireable_B)
    cost_B1 = F.softplus(logit_B1) - logit_B1 * target_B1
    value = torch.dot(cost_B1.flatten(), share_B1.flatten())
    return Loss(value, (torch.sigmoid(logit_B1) - target_B1).mul_(share_B1))


class _TrainingLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits_BV: Tensor,
        tenure_B2: Tensor,
        hireability_B1: Tensor,
        next_title_B: Tensor,
        true_tenure_B: Tensor,
        hireable_B: Tensor,
        params: Params,
    ) -> Tensor:
        tenure_loss = pinball_loss if params.tenure_loss == "pinball" else squared_loss
        next_role = next_role_loss(logits_BV, next_title_B, params.label_smoothing)
        tenure = tenure_loss(tenure_B2, true_tenure_B)
        hireability = hireability_loss(hireability_B1, hireable_B)
        ctx.gradients = (
            next_role.gradient,
            tenure.gradient.mul_(params.tenure_weight),
            hireability.gradient.mul_(params.hireability_weight),
        )
        return (
            next_role.value
            + params.tenure_weight * tenure.value
            + params.hireability_weight * hireability.value
        )

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        gradients = tuple(gradient.mul_(outer[0]) for gradient in ctx.gradients)
        del ctx.gradients  # they were changed in place: a second time would be wrong, and fails instead
        return *gradients, None, None, None, None


def _known(target_B: Tensor) -> tuple[Tensor, Tensor]:
    """Each example's share in a mean over known targets, and its target or 0: both ``[B, 1]``."""
    share_B = _shares(target_B.isnan().logical_not_(), target_B.dtype)
    return share_B[:, None], target_B.nan_to_num()[:, None]


def _shares(known_B: Tensor, dtype: torch.dtype) -> Tensor:
    """1 / the number of known targets for each of these, 0 for the others."""
    share_B = known_B.to(dtype)
    return share_B.div_(share_B.sum().clamp_(min=1))

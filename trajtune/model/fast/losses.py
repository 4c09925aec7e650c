"""Losses of the heads (next title, tenure, hireability) with manually derived gradients.

Plain form: ``F.cross_entropy(logits, target, ignore_index=0)``, a pinball or squared loss,
``F.binary_cross_entropy_with_logits``, and ``loss.backward()``. Each loss is a mean over the examples
whose target is known; unknown targets add nothing, and a batch without a known target has a loss of 0. With
weights it is the sum of weight × loss over those examples, divided by their number and not by the sum of
their weights. Weights have a mean of 1 over an epoch, so a batch of old examples takes a smaller step.

There are two reasons for manual gradients. For models this small, autograd's bookkeeping costs more than the
arithmetic, and the softmax is computed only once for value and gradient. The logits of a batch never exist as
one tensor: one block of examples at a time is computed, compared with its targets and multiplied back while
it is in the cache.
"""

# B examples, R examples in a block, V titles, D inputs of the classifier's last layer

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trajtune.model.fast.copied_target import CopiedTarget
from trajtune.model.network.lstm import FactoredLogits

QUANTILES = (0.1, 0.9)
"""Quantiles that the lower and upper output of the tenure head estimate with the pinball loss."""

_MAX_BLOCK_LOGITS = 2**18
"""Most logits in a block: 1 MB, which fits into the cache of one core."""


class Loss(NamedTuple):
    """A loss and its gradients.

    Attributes:
        value: Scalar loss.
        gradients: One gradient per input, with its shape and in the order of the inputs; None: no gradient.
    """

    value: Tensor
    gradients: Sequence[Tensor | None]


def next_role_loss(logits: FactoredLogits, next_title_B: Tensor, weight_B: Tensor | None = None) -> Loss:
    """Plain form: ``F.cross_entropy(logits.multiplied(), target, ignore_index=0)``, in nats.

    Args:
        logits: Logits, far below the others at index 0. Each factor gets a gradient.
        next_title_B: Targets, int64; 0 means no target.
        weight_B: Weights of the examples; None: all are 1.
    """
    hidden_BD, weight_VD, bias_V, stays_B1, last_B1, *_ = logits
    num_examples, num_titles = len(hidden_BD), len(weight_VD)
    share_B = shares(next_title_B != 0, hidden_BD.dtype, weight_B)
    # The factor of each example's gradient with respect to its logits.
    scale_B = share_B.clone()
    target = None if logits.copied is None else CopiedTarget.of(logits.copied, next_title_B)
    rows = num_examples
    if hidden_BD.device.type == "cpu":
        rows = min(rows, max(16, _MAX_BLOCK_LOGITS // num_titles // 16 * 16))
    logits_RV = hidden_BD.new_empty(rows, num_titles)
    p_RV = torch.empty_like(logits_RV)
    losses: list[Tensor] = []
    generated: list[Tensor] = []
    d_hidden_BD, d_weight_VD = torch.empty_like(hidden_BD), torch.empty_like(weight_VD)
    d_bias_V = torch.empty_like(bias_V)
    d_stays_B1 = None if stays_B1 is None else torch.empty_like(stays_B1)
    for begin in range(0, num_examples, rows):
        block = slice(begin, begin + rows)
        size = min(rows, num_examples - begin)
        block_RV = torch.addmm(bias_V, hidden_BD[block], weight_VD.t(), out=logits_RV[:size])
        if last_B1 is not None and stays_B1 is not None:
            block_RV.scatter_add_(1, last_B1[block], stays_B1[block])
        copied = None if target is None else target.part(block)
        loss_R, excess_RV, generated_R = _compare(block_RV, next_title_B[block], copied, out=p_RV[:size])
        losses.append(loss_R)
        if generated_R is not None:
            generated.append(generated_R)
            scale_B[block].mul_(generated_R)
        torch.mm(excess_RV, weight_VD, out=d_hidden_BD[block])
        # The first block is written rather than added to zeros (beta 0).
        d_weight_VD.addmm_(excess_RV.t(), hidden_BD[block] * scale_B[block, None], beta=float(begin > 0))
        d_bias_V.addmv_(excess_RV.t(), scale_B[block], beta=float(begin > 0))
        if d_stays_B1 is not None and last_B1 is not None:
            torch.gather(excess_RV, 1, last_B1[block], out=d_stays_B1[block])
    d_hidden_BD.mul_(scale_B[:, None])
    if d_stays_B1 is not None:
        d_stays_B1.mul_(scale_B[:, None])
    value = torch.dot(torch.cat(losses), share_B)
    d_copied: tuple[Tensor | None, ...] = (None, None, None)
    if target is not None:
        d_copied = target.gradients(torch.cat(generated), share_B)
    return Loss(value, (d_hidden_BD, d_weight_VD, d_bias_V, d_stays_B1, None, *d_copied))


def _compare(
    logits_RV: Tensor, target_R: Tensor, copied: CopiedTarget | None, out: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compare a block of examples with their targets.

    Returns:
        Three values. The cross-entropy of each example, ``[R]``. Its gradient with respect to the logits,
        ``[R, V]``, written to `out`; with `copied`, it is divided by ``generated``. And ``generated``,
        ``[R]``, the share of the target's probability that is not copied; None without `copied`.
    """
    target_R1 = target_R[:, None]
    p_RV = torch.softmax(logits_RV, 1, out=out)
    # The normaliser is computed from the likeliest title: its probability cannot underflow, the target's can.
    normaliser_R = logits_RV.amax(1) - p_RV.amax(1).log()
    log_p_R = logits_RV.gather(1, target_R1).squeeze(1) - normaliser_R
    loss_R, generated_R = (-log_p_R, None) if copied is None else copied.mixed(log_p_R)
    p_RV.scatter_add_(1, target_R1, p_RV.new_full((1, 1), -1.0).expand_as(target_R1))
    return loss_R, p_RV, generated_R


def squared_loss(tenure_B2: Tensor, target_B: Tensor, weight_B: Tensor | None = None) -> Loss:
    """Plain form: ``F.mse_loss`` of both outputs over known targets, as in the specification."""
    share_B1, target_B1 = _known(target_B, weight_B)
    error_B2 = tenure_B2 - target_B1
    gradient_B2 = error_B2 * share_B1
    return Loss(torch.dot(error_B2.flatten(), gradient_B2.flatten()) / 2, (gradient_B2,))


def pinball_loss(tenure_B2: Tensor, target_B: Tensor, weight_B: Tensor | None = None) -> Loss:
    """Plain form: mean of ``max(q * error, (q - 1) * error)`` over `QUANTILES` and known targets.

    This is the pinball loss (Koenker and Bassett 1978). The smaller output is used as the lower quantile.
    Sorting quantiles never raises their loss (Chernozhukov et al. 2010, "Quantile and probability curves
    without crossing").
    """
    share_B1, target_B1 = _known(target_B, weight_B)
    ordered_B2, order_B2 = tenure_B2.sort(1)
    error_B2 = target_B1 - ordered_B2
    below_B2 = (error_B2 < 0).to(error_B2.dtype) - error_B2.new_tensor(QUANTILES)
    gradient_B2 = below_B2 * (share_B1 / 2)
    value = -torch.dot(error_B2.flatten(), gradient_B2.flatten())
    return Loss(value, (gradient_B2.gather(1, order_B2),))  # a permutation of two is its own inverse


def hireability_loss(logit_B1: Tensor, hireable_B: Tensor, weight_B: Tensor | None = None) -> Loss:
    """Plain form: ``F.binary_cross_entropy_with_logits`` over known targets, in nats."""
    share_B1, target_B1 = _known(hireable_B, weight_B)
    cost_B1 = F.softplus(logit_B1) - logit_B1 * target_B1
    value = torch.dot(cost_B1.flatten(), share_B1.flatten())
    return Loss(value, ((torch.sigmoid(logit_B1) - target_B1).mul_(share_B1),))


def _known(target_B: Tensor, weight_B: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return each example's share in a mean over known targets, and its target or 0; both ``[B, 1]``."""
    share_B = shares(target_B.isnan().logical_not_(), target_B.dtype, weight_B)
    return share_B[:, None], target_B.nan_to_num()[:, None]


def shares(known_B: Tensor, dtype: torch.dtype, weight_B: Tensor | None = None) -> Tensor:
    """Return weight / the number of known targets for each known target, and 0 for the others."""
    share_B = known_B.to(dtype)
    share_B = share_B.div_(share_B.sum().clamp_(min=1))
    return share_B if weight_B is None else share_B.mul_(weight_B)


class PrecomputedGradients(torch.autograd.Function):
    """Plain form: ``loss.backward()``. Passes the precomputed gradients of a `Loss` to autograd."""

    @staticmethod
    def forward(ctx: Any, compute: Callable[..., Loss], *inputs: Tensor) -> Tensor:
        """Compute the loss and keep its gradients with respect to the inputs."""
        value, ctx.gradients = compute(*inputs)
        return value

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients, scaled by the gradient of the loss; works only once."""
        scale = outer[0]
        gradients = ctx.gradients
        if scale.device.type != "cpu" or scale != 1:  # comparing on a GPU would synchronise
            gradients = [None if gradient is None else gradient.mul_(scale) for gradient in gradients]
        del ctx.gradients  # changed in place: a second backward pass fails instead of giving wrong values
        return None, *gradients

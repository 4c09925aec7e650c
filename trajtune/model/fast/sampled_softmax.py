"""Sampled softmax: the cross-entropy of the next title over a sample of the titles, for training only.

Plain form: ``F.cross_entropy(logits, target, ignore_index=0)`` over all titles. With a large vocabulary,
the softmax takes nearly all the time of a training step. Its normaliser is a sum over all titles. Here the
sum is estimated from the target and the last title, which are always included, and from titles sampled once
per batch, each divided by its inclusion probability (Horvitz and Thompson 1952). Copied probabilities are not
estimated; they are mixed with the estimate in the same way as with the full softmax. Titles are sampled
log-uniformly by rank. This needs no counts, because indices are ordered by falling frequency (Jean et al.
2015, section 3).
"""

# B examples, S titles drawn, V titles, D inputs of the classifier's last layer

import math
from typing import NamedTuple

import torch
from torch import Tensor

from trajtune.model.fast.copied_target import CopiedTarget
from trajtune.model.fast.losses import Loss, shares
from trajtune.model.network.lstm import FactoredLogits


class DrawnTitles(NamedTuple):
    """Sampled titles.

    Attributes:
        titles: Distinct titles, int64 ``[S]``, ascending.
        log_chance: Logarithm of each one's inclusion probability, ``[S]``.
    """

    titles: Tensor
    log_chance: Tensor


def sampled_next_role_loss(
    logits: FactoredLogits,
    next_title_B: Tensor,
    num_samples: int,
    weight_B: Tensor | None = None,
    drawn: DrawnTitles | None = None,
) -> Loss:
    """Plain form: `losses.next_role_loss`, which this function estimates.

    Args:
        logits: Factored logits; index 0 is never sampled.
        next_title_B: Targets, int64; 0 means no target.
        num_samples: Number of draws with replacement from torch's global random state; duplicates count once.
        weight_B: Weights of the examples; None: all are 1.
        drawn: Titles that were sampled before; None: they are sampled here.
    """
    hidden_BD, weight_VD, bias_V, stays_B1, last_B1, *_ = logits
    share_B = shares(next_title_B != 0, hidden_BD.dtype, weight_B)
    drawn_S, log_chance_S = drawn or sample_titles(len(weight_VD), num_samples, hidden_BD.device)
    last_B = next_title_B if last_B1 is None else last_B1.squeeze(1)
    named_B2 = torch.stack([next_title_B, last_B], 1)

    named_B2D = weight_VD[named_B2]
    of_named_B2 = torch.einsum("bd,bnd->bn", hidden_BD, named_B2D) + bias_V[named_B2]
    of_drawn_BS = torch.addmm(bias_V[drawn_S] - log_chance_S, hidden_BD, weight_VD[drawn_S].t())
    is_same_B = next_title_B == last_B
    if stays_B1 is not None:
        of_named_B2[:, 1] += stays_B1.squeeze(1)
        of_named_B2[:, 0] += stays_B1.squeeze(1) * is_same_B
    # Each title counts once per example: named titles are not also drawn for it. Index 0 is not a title.
    of_named_B2[:, 1].masked_fill_(is_same_B | (last_B == 0), -math.inf)
    for named_B in named_B2.unbind(1):
        place_B = torch.searchsorted(drawn_S, named_B.contiguous()).clamp_(max=len(drawn_S) - 1)
        is_drawn_B = drawn_S[place_B] == named_B
        of_drawn_BS[is_drawn_B, place_B[is_drawn_B]] = -math.inf

    scores = torch.cat([of_named_B2, of_drawn_BS], 1)
    log_p = torch.log_softmax(scores, 1)
    scale_B = share_B
    d_copied: tuple[Tensor | None, ...] = (None, None, None)
    if logits.copied is None:
        value = -torch.dot(log_p[:, 0], share_B)
    else:
        target = CopiedTarget.of(logits.copied, next_title_B)
        loss_B, generated_B = target.mixed(log_p[:, 0])
        value, scale_B = torch.dot(loss_B, share_B), share_B * generated_B
        d_copied = target.gradients(generated_B, share_B)
    d_scores = log_p.exp_()
    d_scores[:, 0] -= 1
    d_scores.mul_(scale_B[:, None])
    d_named_B2, d_drawn_BS = d_scores[:, :2], d_scores[:, 2:]

    d_hidden_BD = d_drawn_BS @ weight_VD[drawn_S] + torch.einsum("bn,bnd->bd", d_named_B2, named_B2D)
    d_weight_VD, d_bias_V = torch.zeros_like(weight_VD), torch.zeros_like(bias_V)
    d_weight_VD.index_add_(0, drawn_S, d_drawn_BS.t() @ hidden_BD)
    d_bias_V.index_add_(0, drawn_S, d_drawn_BS.sum(0))
    for named_B, d_named_B in zip(named_B2.unbind(1), d_named_B2.unbind(1), strict=True):
        d_weight_VD.index_add_(0, named_B, d_named_B[:, None] * hidden_BD)
        d_bias_V.index_add_(0, named_B, d_named_B)
    d_stays_B1 = None
    if stays_B1 is not None:
        d_stays_B1 = (d_named_B2[:, 1] + d_named_B2[:, 0] * is_same_B)[:, None]
    return Loss(value, (d_hidden_BD, d_weight_VD, d_bias_V, d_stays_B1, None, *d_copied))


def sample_titles(num_titles: int, num_samples: int, device: torch.device) -> DrawnTitles:
    """Sample titles from 1 to V - 1; rank k has the probability log(1 + 1 / k) / log(V) in each draw."""
    uniform = torch.rand(num_samples, device=device, dtype=torch.float64)
    ranks = torch.exp(uniform * math.log(num_titles)).long().clamp_(1, num_titles - 1)
    drawn_S = torch.unique(ranks)
    once_S = torch.log1p(1 / drawn_S.double()) / math.log(num_titles)
    log_chance_S = torch.log(-torch.expm1(num_samples * torch.log1p(-once_S)))
    return DrawnTitles(drawn_S, log_chance_S.float())

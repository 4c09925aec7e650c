"""A pointer head: part of the next title's probability is copied from the titles of the career so far.

``p(t) = (1 - g) × softmax(logits)(t) + g × Σ_j a_j [title j = t]``, a mixture of probabilities (See et al.
2017, "Get to the point"; Merity et al. 2017, "Pointer sentinel mixture models"). The gate ``g`` and the
attention ``a`` over the career's known titles are computed from the state that all heads read. A career
without known titles has ``g = 0``.
"""

# B examples in a batch, T roles (padded), E embedding, S state, V titles, D width of queries and keys

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NOTHING = -1e4
"""Log-probability of a position that is not copied: it underflows to exactly 0 and has no gradient."""

_WIDTH = 16
_DISTANCES = 12
"""Number of distances from the last role that have a separate bias; larger ones share the last bias."""
_GATE_BIAS = -2.0
"""Initial bias of the gate; the gate is about 0.12 before training."""


class Copied(NamedTuple):
    """The two parts of the mixture, as logarithms.

    Attributes:
        log_generate: ``[B, 1]``: log(1 - g).
        log_copy: ``[B, T]``: log(g × a); `NOTHING` at padding and unknown titles.
        held: int64 ``[B, T]``: titles of the career; 0 where `log_copy` is `NOTHING`.
    """

    log_generate: Tensor
    log_copy: Tensor
    held: Tensor


class CopyHead(nn.Module):
    """The gate and the attention over the titles of the career."""

    def __init__(self, state_size: int, embedding_dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(state_size, _WIDTH)
        self.key = nn.Linear(embedding_dim, _WIDTH, bias=False)
        self.distance_bias = nn.Parameter(torch.zeros(_DISTANCES))
        self.gate = nn.Linear(state_size, 1)
        nn.init.constant_(self.gate.bias, _GATE_BIAS)

    def forward(
        self, state_BS: Tensor, embedded_BTE: Tensor, title_ids_BT: Tensor, lengths: Tensor | None
    ) -> Copied:
        """Return the share of the next title's probability that is copied, and from which roles.

        Args:
            state_BS: State that all heads read.
            embedded_BTE: Vectors of the titles.
            title_ids_BT: Title ids, integer; values after a length have no effect.
            lengths: Numbers of roles, int64 ``[B]``; None: every position is a role.
        """
        num_roles, device = title_ids_BT.shape[1], title_ids_BT.device
        last_B1 = num_roles - 1 if lengths is None else (lengths - 1).to(device)[:, None]
        distance_BT = last_B1 - torch.arange(num_roles, device=device).expand_as(title_ids_BT)
        is_copied_BT = (title_ids_BT > 0) & (distance_BT >= 0)
        score_BT = torch.bmm(self.key(embedded_BTE), self.query(state_BS)[:, :, None]).squeeze(2)
        score_BT = score_BT * _WIDTH**-0.5 + self.distance_bias[distance_BT.clamp(0, _DISTANCES - 1)]
        attention_BT = F.log_softmax(score_BT.masked_fill(~is_copied_BT, NOTHING), 1)
        gate_B1 = self.gate(state_BS)
        has_known_B1 = is_copied_BT.sum(1, keepdim=True) > 0  # `any` needs opset 18
        return Copied(
            log_generate=F.logsigmoid(-gate_B1).masked_fill(~has_known_B1, 0.0),
            log_copy=(F.logsigmoid(gate_B1) + attention_BT).masked_fill(~is_copied_BT, NOTHING),
            held=title_ids_BT.long() * is_copied_BT,
        )


def mixed(logits_BV: Tensor, copied: Copied) -> Tensor:
    """Return the log-probabilities of the mixture, ``[B, V]``.

    Only the titles of the career differ from the generated probabilities. Each position of a title adds its
    share of the difference, so a title that was held twice is counted once, with both masses.
    """
    generated_BV = F.log_softmax(logits_BV, 1) + copied.log_generate
    mass_BT = copied.log_copy.exp()
    mass_BV = torch.zeros_like(generated_BV).scatter_add(1, copied.held, mass_BT)
    of_title_BT = mass_BV.gather(1, copied.held).clamp(min=torch.finfo(mass_BV.dtype).tiny)
    # log(e^a + e^b) - a = softplus(b - a)
    gain_BT = F.softplus(of_title_BT.log() - generated_BV.gather(1, copied.held))
    share_BT = (mass_BT / of_title_BT).detach()  # a title's shares add up to 1, so they have no gradient
    return generated_BV.scatter_add(1, copied.held, share_BT * gain_BT)

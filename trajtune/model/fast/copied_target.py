"""Probabilities that a copy head gives to the targets, with manually derived gradients.

Plain form: ``-torch.logaddexp(log_generate + log_p, log_copied)`` and ``loss.backward()``, where ``log_p``
is the softmax's log-probability of the target and ``log_copied`` the logarithm of its copied mass.
"""

# B examples, T roles (padded)

from dataclasses import dataclass

import torch
from torch import Tensor

from trajtune.model.network.copy_head import NOTHING, Copied


@dataclass(frozen=True)
class CopiedTarget:
    """Probabilities of the targets of a batch by copying.

    Attributes:
        log_generate: ``[B]``: log(1 - gate).
        log_copied: ``[B]``: logarithm of the copied mass of the target; `NOTHING` or slightly above where the
            career does not contain the target.
        attribution: ``[B, T]``: each role's share of that mass.
    """

    log_generate: Tensor
    log_copied: Tensor
    attribution: Tensor

    @classmethod
    def of(cls, copied: Copied, next_title_B: Tensor) -> "CopiedTarget":
        """Find the targets among the titles of the careers."""
        of_target_BT = copied.log_copy.masked_fill(copied.held != next_title_B[:, None], NOTHING)
        return cls(copied.log_generate.squeeze(1), of_target_BT.logsumexp(1), of_target_BT.softmax(1))

    def part(self, examples: slice) -> "CopiedTarget":
        """Return the probabilities of a slice of the examples."""
        return CopiedTarget(
            self.log_generate[examples], self.log_copied[examples], self.attribution[examples]
        )

    def mixed(self, log_p_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return each example's cross-entropy, and the share of its target's probability that is not copied.

        Args:
            log_p_B: Log-probability of each target in the softmax.
        """
        generated_B = self.log_generate + log_p_B
        return -torch.logaddexp(generated_B, self.log_copied), torch.sigmoid(generated_B - self.log_copied)

    def gradients(self, generated_B: Tensor, share_B: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients with respect to the fields of `Copied`.

        Args:
            generated_B: Second result of `mixed`.
            share_B: Factor of each example's cross-entropy in the loss.
        """
        d_log_generate_B1 = (generated_B * -share_B)[:, None]
        d_log_copied_B1 = ((generated_B - 1) * share_B)[:, None]
        return d_log_generate_B1, self.attribution * d_log_copied_B1, None

"""The n-gram baseline as an exportable module: the same probabilities, looked up in constant arrays.

It is not trained. `finalize` mixes it with the network: counting is better for patterns that few careers
are enough to show, and the network is better where it can generalise.
"""

# B careers in a batch, T roles (padded), V titles, C contexts of one order, P pairs of context and next title

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajtune.model.network.lstm import UNKNOWN_LOGIT
from trajtune.model.ngram_counts import Contexts, Level, NGramDistribution

State = Mapping[str, Any]
"""State of a module: ``levels`` (by order, from 0: ``keys``, ``offsets``, ``next``, ``mass`` and
``backoff``, tensors as in `ngram_counts.Level`), ``copy_share``, ``copy_decay`` and ``vocab_size``."""

_MIN_PROBABILITY = 1e-30
"""Lower limit of a probability, so that its logarithm is finite in float32."""


class NGramModule(nn.Module):
    """Predicts the probabilities of the next title by counting, as logits; see `baselines.ngram`.

    Tenure and hireability are zeros. In a mixture with networks this module has no weight in them.
    """

    unconditional: Tensor

    def __init__(self, titles: NGramDistribution, copy_share: float, copy_decay: float) -> None:
        """Store the distribution as buffers.

        Args:
            titles: Distribution over next titles.
            copy_share: Probability of copying an earlier title where there is one.
            copy_decay: Weight of an earlier title, relative to the distinct title that was held after it.
        """
        super().__init__()
        self.vocab_size = titles.vocab_size
        self.copy_share, self.copy_decay = copy_share, copy_decay
        unconditional = titles.unconditional()
        self.register_buffer("unconditional", torch.from_numpy(unconditional.astype(np.float32)))
        self.orders = nn.ModuleList(
            _Order(level, titles.vocab_size) for level in titles.levels[1:] if len(level.backoff)
        )

    def forward(self, title_ids: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Predict the next title, with the inputs and outputs of `CareerTrajectoryLSTM`.

        Args:
            title_ids: Title ids, integer ``[B, T]``, oldest role first; values after a length have no effect.
            lengths: Numbers of roles, int64 ``[B]``, each in 1..T; None: every position is a role.

        Returns:
            Logits ``[B, V]``, which are log-probabilities; zeros ``[B, 2]``; zeros ``[B, 1]``.
        """
        ids_BT = title_ids.long()
        if lengths is None:
            lengths_B = ids_BT.new_zeros(ids_BT.shape[0]) + ids_BT.shape[1]
        else:
            lengths_B = lengths.to(ids_BT.device)
        p_BV = self.unconditional.expand(ids_BT.shape[0], -1)
        row_B, is_seen_B = torch.zeros_like(lengths_B), lengths_B > 0
        for back, order in enumerate(self.orders, start=1):
            p_BV, row_B, is_seen_B = order(p_BV, _symbol(ids_BT, lengths_B, back), row_B, is_seen_B)
        if self.copy_share:
            p_BV = self._with_copies(p_BV, ids_BT, lengths_B)
        logits_BV = p_BV.clamp_min(_MIN_PROBABILITY).log()
        unknown_B1 = torch.full_like(logits_BV[:, :1], UNKNOWN_LOGIT)
        nothing_B3 = torch.zeros_like(logits_BV[:, :1]).expand(-1, 3)
        return torch.cat([unknown_B1, logits_BV[:, 1:]], 1), nothing_B3[:, :2], nothing_B3[:, 2:]

    def _with_copies(self, p_BV: Tensor, ids_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Give the distinct titles of all roles except the last a share of the probability."""
        position_T = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        may_copy_BT = (position_T < lengths_B[:, None] - 1) & (ids_BT > 0)
        later_TT = position_T[:, None] < position_T
        is_same_BTT = (ids_BT[:, :, None] == ids_BT[:, None, :]) & may_copy_BT[:, None, :] & later_TT
        # The most recent role of each title.
        newest_BT = may_copy_BT & (is_same_BTT.long().sum(2) == 0)
        place_BT = (newest_BT[:, None, :] & later_TT).long().sum(2)
        weight_BT = newest_BT * self.copy_decay ** place_BT.to(p_BV.dtype)
        total_B1 = weight_BT.sum(1, keepdim=True)
        share_B1 = self.copy_share * (total_B1 > 0)
        copied_BT = weight_BT / total_B1.clamp_min(self.copy_decay) * share_B1
        # Roles without weight, including padding, add 0 at index 0.
        ids_BT = torch.where(newest_BT, ids_BT, torch.zeros_like(ids_BT))
        return (p_BV * (1 - share_B1)).scatter_add(1, ids_BT, copied_BT)


def ngram_state(titles: NGramDistribution, copy_share: float, copy_decay: float) -> dict[str, Any]:
    """Return the state of a module, for a checkpoint."""
    levels = [
        {name: torch.from_numpy(np.array(values)) for name, values in _arrays(level).items()}
        for level in titles.levels
    ]
    return {
        "levels": levels,
        "copy_share": copy_share,
        "copy_decay": copy_decay,
        "vocab_size": titles.vocab_size,
    }


def build_ngram(state: State) -> NGramModule:
    """Return the module with the given state, in eval mode."""
    levels = []
    for tensors in state["levels"]:
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        contexts = Contexts(*(arrays[name] for name in ("keys", "offsets", "next")))
        levels.append(Level(contexts, arrays["mass"], arrays["backoff"]))
    titles = NGramDistribution(state["vocab_size"], tuple(levels))
    return NGramModule(titles, state["copy_share"], state["copy_decay"]).eval()


def _arrays(level: Level) -> dict[str, NDArray[Any]]:
    return {**vars(level.contexts), "mass": level.mass, "backoff": level.backoff}


class _Order(nn.Module):
    """One order of the distribution: finds the context of a career and adds the titles that followed it."""

    keys: Tensor
    offsets: Tensor
    next: Tensor
    mass: Tensor
    backoff: Tensor

    def __init__(self, level: Level, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        contexts = level.contexts
        self.most_followers = int(contexts.distinct.max())
        for name, values in (
            ("keys", contexts.keys),
            ("offsets", contexts.offsets),
            ("next", contexts.next),
            ("mass", level.mass.astype(np.float32)),
            ("backoff", level.backoff.astype(np.float32)),
        ):
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)))

    def forward(
        self, p_BV: Tensor, symbol_B: Tensor, parent_B: Tensor, is_seen_B: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the interpolated probabilities, the row of the context, and whether the context was seen."""
        key_B = parent_B * (self.vocab_size + 1) + symbol_B + 1
        row_B = self._row(key_B)
        is_seen_B = is_seen_B & (self.keys[row_B] == key_B)
        begin_B = self.offsets[row_B]
        number_B = torch.where(is_seen_B, self.offsets[row_B + 1] - begin_B, 0)
        place_K = torch.arange(self.most_followers, device=key_B.device)
        at_BK = (begin_B[:, None] + place_K).clamp_max(len(self.next) - 1)
        mass_BK = self.mass[at_BK] * (place_K < number_B[:, None])
        factor_B = torch.where(is_seen_B, self.backoff[row_B], 1.0)
        return (p_BV * factor_B[:, None]).scatter_add(1, self.next[at_BK], mass_BK), row_B, is_seen_B

    def _row(self, key_B: Tensor) -> Tensor:
        """Return the last row whose key is at most ``key_B``, by bisection with a fixed number of steps."""
        row_B = torch.zeros_like(key_B)
        step = 1 << max(0, len(self.keys) - 1).bit_length()
        while step := step >> 1:
            further_B = (row_B + step).clamp_max(len(self.keys) - 1)
            row_B = torch.where(self.keys[further_B] <= key_B, further_B, row_B)
        return row_B


def _symbol(ids_BT: Tensor, lengths_B: Tensor, back: int) -> Tensor:
    """Return the title ``back`` roles from the end; 0 if unknown, -1 before the first role."""
    at_B = lengths_B - back
    symbol_B = ids_BT.gather(1, at_B.clamp_min(0)[:, None]).squeeze(1)
    return torch.where(at_B >= 0, symbol_B, -1)

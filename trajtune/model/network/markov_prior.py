"""A back-off Markov model inside the network: counted, not trained, weighed by one learned number.

What followed a title in train is added to the logits as log-odds, so the network has to learn only
what counting cannot tell. In training each example is left out of the counts that it meets, or the
network would learn to trust them as if they had seen every future.
"""

# B examples, V titles, K successors kept of a title

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trajtune.dataset.arrays import CareerArrays
from trajtune.model.data_parallel import ALONE, Workers
from trajtune.model.transition_counts import add_up, successors, transitions_of

_MOST_PAIRS = 2**21
"""Pairs of a title and a successor that are kept, padding included: 16 MB in the exported graph."""


@dataclass(frozen=True)
class MarkovCounts:
    """Counts of the train transitions, by the last title.

    Attributes:
        successors: int32 ``[V, K]``: the titles that followed most often; padded with 0.
        counts: float32 ``[V, K]``: how often; 0 in the padding.
        distinct: float32 ``[V]``: how many different titles followed, at least 1.
        next_counts: float32 ``[V]``: how often each title followed anything.
    """

    successors: NDArray[np.int32]
    counts: NDArray[np.float32]
    distinct: NDArray[np.float32]
    next_counts: NDArray[np.float32]


def count_transitions(train: CareerArrays, vocab_size: int, workers: Workers = ALONE) -> MarkovCounts:
    """Count every transition between titles that the vocabulary holds.

    Args:
        train: Careers.
        vocab_size: V.
        workers: Who has the rest of train; each gets the counts of all of it.
    """
    transitions = transitions_of(train)
    known = transitions.last > 0
    own = successors(transitions.last[known], transitions.next[known], vocab_size)
    rows = add_up(workers.all_gather(own), vocab_size)
    distinct = np.diff(rows.offsets)
    row = np.repeat(rows.contexts, distinct)
    order = np.lexsort((rows.next, -rows.count, row))
    place = np.arange(len(order)) - np.repeat(rows.offsets[:-1], distinct)
    width = max(1, min(int(distinct.max(initial=1)), _MOST_PAIRS // vocab_size))
    kept = place < width
    ids = np.zeros((vocab_size, width), np.int32)
    counts = np.zeros((vocab_size, width), np.float32)
    ids[row[kept], place[kept]] = rows.next[order[kept]]
    counts[row[kept], place[kept]] = rows.count[order[kept]]
    num_distinct = np.ones(vocab_size, np.float32)
    num_distinct[rows.contexts] = distinct
    followed = workers.all_gather(np.bincount(transitions.next, minlength=vocab_size))
    next_counts = np.sum(followed, axis=0).astype(np.float32)
    return MarkovCounts(ids, counts, num_distinct, next_counts)


class MarkovPrior(nn.Module):
    """Adds ``scale × log p(next | last)`` to logits, ``p`` as `baselines.markov` has it.

    With ``c`` the count of a pair, ``d`` the number of different successors and ``u`` the share
    of the next title, ``p`` is proportional to ``c + d u``. Divided by ``d``, which no softmax
    sees, its logarithm is ``log u + log(1 + c / (d u))``: a vector that is the same for all, and a
    row that is 0 but for the successors seen. Of ``u`` the vector needs only the counts.
    """

    successors: Tensor
    counts: Tensor
    distinct: Tensor
    next_counts: Tensor

    def __init__(self, counts: MarkovCounts) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        for name, values in vars(counts).items():
            self.register_buffer(name, torch.from_numpy(values))

    def forward(self, logits_BV: Tensor, last_B: Tensor, left_out_B: Tensor | None = None) -> Tensor:
        """The logits ``[B, V]`` with the prior added.

        Args:
            logits_BV: Of the network alone.
            last_B: int64: the last titles; 0 has no successors.
            left_out_B: int64: the next titles to leave out of the counts once; 0 leaves nothing out.
        """
        weight_V = self.next_counts + 1  # as `transition_counts.unigram` has it
        total = weight_V[1:].sum()
        prior_BV = logits_BV + self.scale * weight_V.log()
        ids_BK = self.successors[last_B].long()
        count_BK, distinct_B1 = self.counts[last_B], self.distinct[last_B, None]
        weight_BK = weight_V[ids_BK]
        if left_out_B is not None:
            target_B1 = left_out_B[:, None]
            itself_BK = (ids_BK == target_B1) & (target_B1 != 0)
            alone_B1 = (itself_BK & (count_BK == 1)).any(1, keepdim=True)
            count_BK = count_BK - itself_BK.float()
            distinct_B1 = (distinct_B1 - alone_B1.float()).clamp(min=1)
            weight_BK, total = weight_BK - itself_BK.float(), total - 1
            weight_B1 = weight_V[target_B1]
            change_B1 = torch.where(target_B1 != 0, ((weight_B1 - 1) / weight_B1).log(), 0.0)
            prior_BV = prior_BV.scatter_add(1, target_B1, self.scale * change_B1)
        odds_BK = torch.log1p(count_BK * total / (distinct_B1 * weight_BK))
        return prior_BV.scatter_add(1, ids_BK, self.scale * odds_BK)

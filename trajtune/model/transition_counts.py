"""Sparse counts of transitions, and the Markov distribution over next titles with back-off."""

# V titles, P pairs seen, C contexts to look up

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, examples_of


@dataclass(frozen=True)
class Transitions:
    """The transitions of the careers, int64 ``[E]`` each; ``next`` is never 0, ``last`` may be 0.

    Attributes:
        last: Title before the transition.
        next: Title after the transition.
    """

    last: NDArray[np.int64]
    next: NDArray[np.int64]


def transitions_of(arrays: CareerArrays) -> Transitions:
    """Return every transition to a title in the vocabulary, in the order of the careers."""
    examples = examples_of(arrays, "every_transition")
    ids = arrays.title_ids.astype(np.int64)
    target = examples.target
    known = ids[target] != 0
    return Transitions(ids[target - 1][known], ids[target][known])


def unigram(next_titles: NDArray[np.int64], vocab_size: int) -> NDArray[np.float64]:
    """Return the share of each title among next titles with add-one smoothing, ``[V]``; 0 at index 0."""
    counts = np.bincount(next_titles, minlength=vocab_size).astype(np.float64) + 1.0
    counts[0] = 0.0
    share: NDArray[np.float64] = counts / counts.sum()
    return share


@dataclass(frozen=True)
class Successors:
    """Counts of what followed each context, as sparse rows: row ``r`` is ``[offsets[r], offsets[r + 1])``.

    Attributes:
        contexts: int64 ``[rows]``: contexts that were seen, ascending.
        offsets: int64 ``[rows + 1]``.
        next: int64 ``[P]``: titles that followed, ascending within a row.
        count: float64 ``[P]``: how often each followed.
    """

    contexts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    next: NDArray[np.int64]
    count: NDArray[np.float64]

    def add_to(
        self,
        lower_CV: NDArray[np.float64],
        contexts_C: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Interpolate with a lower-order distribution by Witten and Bell (1991).

        ``p(w | c) = (count(c, w) + d(c) lower(w)) / (n(c) + d(c))``, where ``n`` transitions lead from the
        context to ``d`` different titles. A context that was never seen keeps the lower-order distribution.

        Args:
            lower_CV: Lower-order distributions; changed in place and returned.
            contexts_C: Contexts to look up, int64.
        """
        if not len(self.contexts):
            return lower_CV
        row = np.minimum(np.searchsorted(self.contexts, contexts_C), len(self.contexts) - 1)
        seen = np.flatnonzero(self.contexts[row] == contexts_C)
        row = row[seen]
        begin, distinct = self.offsets[row], np.diff(self.offsets)[row]
        total = np.add.reduceat(self.count, self.offsets[:-1])[row]
        lower_CV[seen] *= (distinct / (total + distinct))[:, None]
        at = np.repeat(begin - np.cumsum(distinct) + distinct, distinct) + np.arange(distinct.sum())
        where = np.repeat(seen, distinct)
        lower_CV[where, self.next[at]] += self.count[at] / np.repeat(total + distinct, distinct)
        return lower_CV


def successors(contexts: NDArray[np.int64], next_titles: NDArray[np.int64], vocab_size: int) -> Successors:
    """Return the counts of what followed each context; both arguments are int64 ``[E]``."""
    pair, count = np.unique(contexts * vocab_size + next_titles, return_counts=True)
    context, begin = np.unique(pair // vocab_size, return_index=True)
    return Successors(
        context,
        np.append(begin, len(pair)).astype(np.int64),
        pair % vocab_size,
        count.astype(np.float64),
    )

"""Title vectors composed of the title's own and those of its words, so that rare titles share what is common.

"senior data engineer" has a vector of its own, plus those of "senior", "data" and "engineer". In
the exported model the sum is one plain table: serving sees nothing of this.
"""

# V titles, W words, P pairs of a title and a word in it, E embedding

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from trajtune.dataset.identity.rule import TitleRule
from trajtune.dataset.titles import TitleEncoder


@dataclass(frozen=True)
class TitleWords:
    """Which words each title consists of; those of title ``i`` are ``[offsets[i], offsets[i + 1])``.

    Attributes:
        word_ids: int64 ``[P]``.
        offsets: int64 ``[V + 1]``; index 0 has no words.
    """

    word_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]


def words_of(encoder: TitleEncoder) -> TitleWords:
    """The words of each title's normalised form that occur in another title too, numbered alphabetically.

    A word of one title alone says nothing that the title's own vector cannot.
    """
    rule = TitleRule(encoder.by)
    words = [rule.own_key(encoder.decode(index)).split() for index in range(1, encoder.vocab_size)]
    return number_words(words)


def number_words(words: Sequence[Sequence[str]]) -> TitleWords:
    """Number the words of titles 1, 2, ... that occur in more than one of them."""
    titles_with = Counter(word for title in words for word in set(title))
    known = {word: number for number, word in enumerate(sorted(w for w in titles_with if titles_with[w] > 1))}
    ids = [[], *([known[word] for word in title if word in known] for title in words)]
    return TitleWords(
        word_ids=np.array([word for title in ids for word in title], np.int64),
        offsets=np.concatenate([[0], np.cumsum([len(title) for title in ids])]).astype(np.int64),
    )


class TitleVectors(nn.Embedding):
    """An embedding table of titles; with words, each row is the title's own vector plus its words'."""

    word_ids: Tensor
    offsets: Tensor

    def __init__(self, vocab_size: int, embedding_dim: int, words: TitleWords) -> None:
        super().__init__(vocab_size, embedding_dim, padding_idx=0)
        num_words = int(words.word_ids.max(initial=-1)) + 1
        # Copied: words may lie in read-only memory that trials share, and loading weights writes to buffers.
        self.words = nn.Parameter(torch.randn(num_words, embedding_dim))
        self.register_buffer("word_ids", torch.tensor(words.word_ids))
        self.register_buffer("offsets", torch.tensor(words.offsets))
        self._composed: Tensor | None = None

    @contextmanager
    def composed_once(self) -> Iterator[None]:
        """Within it, `table` is composed once for all batches; no weight may change meanwhile."""
        self._composed = self.table()
        try:
            yield
        finally:
            self._composed = None

    def table(self) -> Tensor:
        """The composed vectors ``[V, E]``; row 0 is zero."""
        if self._composed is not None:
            return self._composed
        composed = F.embedding_bag(
            self.word_ids, self.words, self.offsets, mode="sum", include_last_offset=True
        )
        return self.weight + composed

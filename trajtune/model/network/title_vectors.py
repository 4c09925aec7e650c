"""Title vectors that are composed of word vectors, so that rare titles benefit from common words.

The vector of "senior data engineer" is a vector of that title plus the vectors of "senior", "data" and
"engineer". In the exported model the sums are one plain table.
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
    """The words of each title; those of title ``i`` are ``[offsets[i], offsets[i + 1])``.

    Attributes:
        word_ids: int64 ``[P]``.
        offsets: int64 ``[V + 1]``; index 0 has no words.
    """

    word_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]


def words_of(encoder: TitleEncoder) -> TitleWords:
    """Return the words of each normalised title that also occur in another title, numbered alphabetically.

    A word that occurs in one title only would duplicate the vector of that title.
    """
    rule = TitleRule(encoder.by)
    words = [rule.own_key(encoder.decode(index)).split() for index in range(1, encoder.vocab_size)]
    return number_words(words)


def number_words(words: Sequence[Sequence[str]]) -> TitleWords:
    """Number the words that occur in more than one of the titles 1, 2, ..."""
    titles_with = Counter(word for title in words for word in set(title))
    known = {word: number for number, word in enumerate(sorted(w for w in titles_with if titles_with[w] > 1))}
    ids = [[], *([known[word] for word in title if word in known] for title in words)]
    return TitleWords(
        word_ids=np.array([word for title in ids for word in title], np.int64),
        offsets=np.concatenate([[0], np.cumsum([len(title) for title in ids])]).astype(np.int64),
    )


class TitleVectors(nn.Embedding):
    """An embedding table whose rows are a vector of the title plus the vectors of its words."""

    word_ids: Tensor
    offsets: Tensor

    def __init__(self, vocab_size: int, embedding_dim: int, words: TitleWords) -> None:
        super().__init__(vocab_size, embedding_dim, padding_idx=0)
        num_words = int(words.word_ids.max(initial=-1)) + 1
        # Copied, because loading weights writes to buffers, and words may be read-only memory shared by
        # trials.
        self.words = nn.Parameter(torch.randn(num_words, embedding_dim))
        self.register_buffer("word_ids", torch.tensor(words.word_ids))
        self.register_buffer("offsets", torch.tensor(words.offsets))
        self._composed: Tensor | None = None

    @contextmanager
    def composed_once(self) -> Iterator[None]:
        """Compose `table` once for all batches within the context; no weight may change in it."""
        self._composed = self.table()
        try:
            yield
        finally:
            self._composed = None

    def table(self) -> Tensor:
        """Return the composed vectors ``[V, E]``; row 0 is zero."""
        if self._composed is not None:
            return self._composed
        composed = F.embedding_bag(
            self.word_ids, self.words, self.offsets, mode="sum", include_last_offset=True
        )
        return self.weight + composed

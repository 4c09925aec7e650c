"""Title vectors that are composed of word vectors, so that rare titles benefit from common words.

The vector of "senior data engineer" is a vector of that title plus the vectors of "senior", "data" and
"engineer". In the exported model the sums are one plain table.
"""

# V titles, W words, P pairs of a title and a word in it, E embedding

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trajtune.model.network.title_words import TitleWords


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

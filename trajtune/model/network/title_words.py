"""The words of each title of a vocabulary, which title vectors are composed of. Knows nothing of torch."""

# V titles, P pairs of a title and a word in it

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

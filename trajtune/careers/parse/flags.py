"""Yes and no as people store them: whether a role is still held, whether somebody was hireable."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_YES: Final = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_NO: Final = frozenset({"false", "f", "no", "n", "0", "0.0"})


def parse_flags(texts: pa.Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Parse a column of texts; each distinct text is read once.

    Args:
        texts: string ``[R]``, with nulls.

    Returns:
        float32 ``[R]``: 1 yes, 0 no, NaN unknown; and bool ``[R]``: where a text is neither nor blank.
    """
    coded = texts.dictionary_encode()
    values, unreadable = [], []
    for text in coded.dictionary.to_pylist():
        word = text.strip().lower()
        values.append(1.0 if word in _YES else 0.0 if word in _NO else np.nan)
        unreadable.append(bool(word) and word not in _YES and word not in _NO)
    at = coded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return np.array([*values, np.nan], np.float32)[at], np.array([*unreadable, False], bool)[at]

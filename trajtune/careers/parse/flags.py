"""Parse words for yes and no, for example for a role that is still held."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_YES: Final = frozenset(
    word
    for line in (
        "true|t|yes|y|1|1.0|on|x|ja|j|oui|sim|sí|si|sì|s|tak|evet|igen|ano|áno|kyllä|jah|jā|taip|da|да|так|ναι",
        "wahr|vrai|verdadero|verdadeiro|vero|是|是的|はい|예|네|نعم|כן|हाँ|current|present",
    )
    for word in line.split("|")
)
_NO: Final = frozenset(
    word
    for line in (
        "false|f|no|n|0|0.0|off|nein|non|não|nao|nee|nej|nei|ei|hayır|hayir|nem|ne|nie|nu|ні|нет|не|όχι",
        "falsch|faux|falso|否|不|不是|いいえ|아니요|아니오|لا|לא|नहीं|past",
    )
    for word in line.split("|")
)


def parse_flags(texts: pa.Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Parse a column of texts. Each distinct text is parsed once.

    Args:
        texts: string ``[R]``, with nulls.

    Returns:
        float32 ``[R]``: 1 yes, 0 no, NaN unknown; and bool ``[R]``: texts that are neither, and not blank.
    """
    coded = texts.dictionary_encode()
    values, unreadable = [], []
    for text in coded.dictionary.to_pylist():
        word = text.strip().lower()
        values.append(1.0 if word in _YES else 0.0 if word in _NO else np.nan)
        unreadable.append(word not in _YES and word not in _NO and word not in _BLANK)
    at = coded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return np.array([*values, np.nan], np.float32)[at], np.array([*unreadable, False], bool)[at]


_BLANK: Final = frozenset({"", "-", "null", "(null)", "<na>", "none", "nan", "n/a", r"\n"})

"""Detect text files that are not UTF-8, and the error message for them."""

# R rows of a block

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajtune.errors import SourceError


@dataclass
class Encoding:
    """Count the rows that are not UTF-8, and the UTF-8 rows with non-ASCII letters.

    A file with more rows of the first kind is in another encoding, and is refused as a whole.
    """

    path: str
    num_broken: int = 0
    num_right: int = 0
    example: str = ""

    def count(self, broken: NDArray[np.bool_], right: NDArray[np.bool_], texts: Any) -> None:
        """Count the rows of a block, bool ``[R]`` each; ``texts`` provides an example of broken ones."""
        self.num_broken += int(broken.sum())
        self.num_right += int(right.sum())
        if not self.example and broken.any():
            self.example = str(texts[int(np.argmax(broken))])[:80].strip().removeprefix("not UTF-8: ")

    def check(self) -> None:
        """Raise if the file is in another encoding.

        Raises:
            SourceError: If it is in another encoding.
        """
        if self.num_broken > self.num_right:
            raise not_utf8(self.path, f" ({self.example})")


def not_utf8(path: str, where: str = "") -> SourceError:
    """Return the error for a file in another encoding."""
    return SourceError(
        f"{path} is not UTF-8{where}. Write it as UTF-8, or name its encoding as `source.csv.encoding`, for "
        "example latin-1."
    )


@contextmanager
def quiet_about_broken_text() -> Iterator[None]:
    """Suppress the messages that pyarrow prints about faulty rows that it cannot decode."""
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, UnicodeDecodeError):
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before

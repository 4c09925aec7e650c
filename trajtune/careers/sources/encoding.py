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
    """Counts rows that are not UTF-8, and rows with other letters than ASCII's that are.

    A file with more of the first is in another encoding: the file is refused, not half of its rows.
    """

    path: str
    num_broken: int = 0
    num_right: int = 0
    example: str = ""

    def count(self, broken: NDArray[np.bool_], right: NDArray[np.bool_], texts: Any) -> None:
        """Count the rows of a block, bool ``[R]`` each; ``texts`` shows those that are broken."""
        self.num_broken += int(broken.sum())
        self.num_right += int(right.sum())
        if not self.example and broken.any():
            self.example = str(texts[int(np.argmax(broken))])[:80].strip().removeprefix("not UTF-8: ")

    def check(self) -> None:
        """Raise if the file is in another encoding.

        Raises:
            SourceError: If it is.
        """
        if self.num_broken > self.num_right:
            raise not_utf8(self.path, f" ({self.example})")


def not_utf8(path: str, where: str = "") -> SourceError:
    """The error for a file in another encoding."""
    return SourceError(
        f"{path} is not UTF-8{where}. Write it as UTF-8, or name its encoding as `source.csv.encoding`, for "
        "example latin-1."
    )


@contextmanager
def quiet_about_broken_text() -> Iterator[None]:
    """Pyarrow decodes a faulty row before it asks what to do, and prints what it cannot decode."""
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, UnicodeDecodeError):
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before

"""The vocabulary with the specification's interface: created empty, then fitted or loaded in place."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from trajtune.dataset import titles
from trajtune.dataset.titles import UNKNOWN, UNKNOWN_TITLE


class _OnInstanceOrClass:
    """A method that fills its instance, or a new instance if it is called on the class."""

    def __init__(self, method: Any) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        return self.method.__get__(owner() if instance is None else instance, owner)


class TitleEncoder(titles.TitleEncoder):
    """Map the titles of the training split to indices from 1, and back. Index 0 is any other title.

    Examples:
        >>> encoder = TitleEncoder()
        >>> encoder.fit(["Nurse", "Nurse", "Sr. Engineer"]).encode("senior eng")
        2
    """

    def __init__(
        self, title_to_idx: Mapping[str, int] | None = None, idx_to_title: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(title_to_idx or {}, idx_to_title or {UNKNOWN: UNKNOWN_TITLE})

    @_OnInstanceOrClass
    def fit(self, titles_: Iterable[str], **options: Any) -> Self:
        """Assign an index to each title, the most frequent first, with ties in alphabetical order.

        Args:
            titles_: Titles of the *training* split, in any spelling.
            options: ``min_count`` and ``max_titles``, which exclude rare titles.

        Returns:
            The encoder itself.
        """
        return self._take(titles.TitleEncoder.fit(titles_, **options))

    def save(self, path: str | Path) -> None:
        """Write the vocabulary in the format of the serving contract.

        Args:
            path: Path of the file, which is written atomically.
        """
        super().save(Path(path))

    @_OnInstanceOrClass
    def load(self, path: str | Path) -> Self:
        """Read a vocabulary file that `save` wrote.

        Args:
            path: Path of the file.

        Returns:
            The encoder itself.

        Raises:
            SnapshotError: If the file is missing or is not a vocabulary.
        """
        return self._take(titles.TitleEncoder.load(Path(path)))

    def _take(self, other: titles.TitleEncoder) -> Self:
        self.__dict__.clear()  # drop everything derived from the earlier titles
        self.__dict__.update(vars(other))
        return self

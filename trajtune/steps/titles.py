"""The vocabulary with the specification's calls: made empty, fitted and loaded in place."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from trajtune.dataset import titles
from trajtune.dataset.titles import UNKNOWN, UNKNOWN_TITLE


class _OnInstanceOrClass:
    """A method that fills the instance it is called on; called on the class, it fills a new one."""

    def __init__(self, method: Any) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        return self.method.__get__(owner() if instance is None else instance, owner)


class TitleEncoder(titles.TitleEncoder):
    """Titles of the training split to indices from 1 and back; 0 is every other title.

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
        """Give an index to each title, the most frequent first; ties in alphabetical order.

        Args:
            titles_: Titles of the *training* split as people write them.
            options: ``min_count`` and ``max_titles``, which leave out rare titles.

        Returns:
            The encoder itself.
        """
        return self._take(titles.TitleEncoder.fit(titles_, **options))

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as the file that the serving contract describes.

        Args:
            path: The file, written atomically.
        """
        super().save(Path(path))

    @_OnInstanceOrClass
    def load(self, path: str | Path) -> Self:
        """Read a vocabulary file that `save` wrote.

        Args:
            path: The file.

        Returns:
            The encoder itself.

        Raises:
            SnapshotError: If the file is missing or is no vocabulary.
        """
        return self._take(titles.TitleEncoder.load(Path(path)))

    def _take(self, other: titles.TitleEncoder) -> Self:
        self.__dict__.clear()  # what was derived from the titles before is no longer true
        self.__dict__.update(vars(other))
        return self

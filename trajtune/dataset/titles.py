"""Titles and their indices: all spellings of a title share one index, and keys find it.

A vocabulary has two kinds of keys. The key of its own rule decides which titles are one title. The service
looks titles up by a different key, which is a second key of the same index. This module uses only the
standard library, because the reader of a bundle needs it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

from trajtune.dataset.identity.rule import IdentityBy, TitleRule
from trajtune.dataset.identity.service_key import collapsed, service_key, trimmed
from trajtune.dataset.identity.unicode_key import identity
from trajtune.errors import SnapshotError
from trajtune.storage.atomic import write_atomically

UNKNOWN: Final = 0
"""Index of unknown titles and of padding."""

UNKNOWN_TITLE: Final = "<UNK>"

_SYNONYM: Final = "="
"""Marks the Unicode key of a synonym in the file. The service's keys never contain this sign."""


class TextFile(Protocol):
    """A path on a disk or in an object store."""

    def read_text(self, encoding: str) -> str:
        """Return the file's content."""
        ...


class TitleEncoder:
    """Maps titles of the training split to indices from 1, and back. All other titles have index 0.

    Attributes:
        title_to_idx: The index of every key that finds a title. The service's keys take precedence over the
            Unicode keys, which people can read. The Unicode key of a synonym begins with ``=``.
        idx_to_title: The most frequent surface form of each index, and `UNKNOWN_TITLE` for 0.
        by: Kind of key that `encode` uses.
    """

    def __init__(
        self, title_to_idx: Mapping[str, int], idx_to_title: Mapping[int, str], by: IdentityBy = "unicode"
    ) -> None:
        self.title_to_idx = dict(title_to_idx)
        self.idx_to_title = dict(idx_to_title)
        self.by: IdentityBy = by

    @property
    def vocab_size(self) -> int:
        """Number of indices, including 0."""
        return len(self.idx_to_title)

    @classmethod
    def fit(
        cls,
        titles: Iterable[str] | Mapping[str, int],
        *,
        min_count: int = 1,
        max_titles: int | None = None,
        rule: TitleRule = TitleRule(),
    ) -> "TitleEncoder":
        """Assign an index to each title, most frequent first. Ties are in alphabetical order.

        Args:
            titles: Surface forms of the *training* split, or the number of occurrences of each.
            min_count: Minimum number of occurrences of a title, over all its forms; rarer ones are unknown.
            max_titles: Maximum number of titles that are kept; None: no limit.
            rule: Rule that decides which titles are one title.

        Returns:
            The vocabulary. If several titles share a key of the service, that key finds the most frequent.

        Examples:
            >>> encoder = TitleEncoder.fit(["Nurse", "Nurse", "Sr. Engineer"])
            >>> encoder.encode("senior eng"), encoder.encode("Astronaut")
            (2, 0)
            >>> encoder.decode(2)
            'Sr. Engineer'
        """
        surfaces: dict[str, Counter[str]] = {}
        for surface, count in Counter(titles).items():
            surfaces.setdefault(rule.key(surface), Counter())[surface] = count
        surfaces.pop("", None)
        totals = {key: forms.total() for key, forms in surfaces.items()}
        kept = sorted(
            (key for key in totals if totals[key] >= min_count), key=lambda key: (-totals[key], key)
        )
        index_of = {key: index for index, key in enumerate(kept[:max_titles], start=1)}
        idx_to_title = {UNKNOWN: UNKNOWN_TITLE}
        of_service: dict[str, int] = {}
        for key, index in index_of.items():
            forms = [form for form, _ in sorted(surfaces[key].items(), key=lambda form: (-form[1], form[0]))]
            idx_to_title[index] = trimmed(_shown(key, forms, rule))
            for form in forms:
                of_service.setdefault(service_key(form), index)
        return cls(_all_keys(index_of, of_service, idx_to_title, rule), idx_to_title, rule.by)

    def encode(self, title: str) -> int:
        """Return the index of a title.

        Args:
            title: Title as people write it.

        Returns:
            The index; 0 if the vocabulary does not contain the title.
        """
        if self.by == "service":
            return self.encode_as_service(title)
        return self._unicode_keys.get(identity(title), UNKNOWN)

    def encode_as_service(self, title: str) -> int:
        """Return the index that the service finds for a title.

        Args:
            title: Title as people write it.

        Returns:
            The index that the service finds; 0 if it finds none.
        """
        return self.title_to_idx.get(service_key(title), UNKNOWN)

    @cached_property
    def _unicode_keys(self) -> Mapping[str, int]:
        """The index of the Unicode key of each title and each synonym.

        `title_to_idx` is not enough, because the service may find a more frequent title by the same key.
        """
        own = {identity(title): index for index, title in self.idx_to_title.items() if index != UNKNOWN}
        marked = {key[1:]: index for key, index in self.title_to_idx.items() if key.startswith(_SYNONYM)}
        return own | marked

    def decode(self, index: int) -> str:
        """Return the title of an index.

        Args:
            index: Any integer.

        Returns:
            The title in readable form; `UNKNOWN_TITLE` for 0 and for indices out of range.
        """
        return self.idx_to_title.get(index, UNKNOWN_TITLE)

    def save(self, path: Path) -> None:
        """Write the vocabulary in the format of the serving contract, with sorted keys.

        Args:
            path: The file, which is written atomically.
        """
        content = {
            "title_to_idx": dict(sorted(self.title_to_idx.items())),
            "idx_to_title": {str(index): title for index, title in sorted(self.idx_to_title.items())},
            "vocab_size": self.vocab_size,
        }
        write_atomically(path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: TextFile, by: IdentityBy = "unicode") -> "TitleEncoder":
        """Read a vocabulary file.

        Args:
            path: The file that `save` wrote.
            by: Kind of key that the vocabulary was fitted with. It is in the manifest next to the file, not
                in the file.

        Returns:
            The vocabulary.

        Raises:
            SnapshotError: If the file is missing, or is not in the format of the contract.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            encoder = cls(
                {str(title): int(index) for title, index in content["title_to_idx"].items()},
                {int(index): str(title) for index, title in content["idx_to_title"].items()},
                by,
            )
            size = int(content["vocab_size"])
        except FileNotFoundError as error:
            raise SnapshotError(
                f"No vocabulary at {path}. Give the file that `trajtune prepare` wrote."
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotError(
                f"{path} is no vocabulary file: {error!r}. Prepare the snapshot again."
            ) from error
        if sorted(encoder.idx_to_title) != list(range(size)):
            raise SnapshotError(
                f"{path}: idx_to_title must hold 0 to vocab_size - 1, but vocab_size is {size} and it holds "
                f"{len(encoder.idx_to_title)}. Prepare the snapshot again."
            )
        return encoder


def _shown(key: str, forms: list[str], rule: TitleRule) -> str:
    """Return the readable form: the most frequent form that is not a synonym, else the user's name for it."""
    if key not in rule.names:
        return forms[0]
    return next((form for form in forms if rule.own_key(form) == key), rule.names[key])


def _all_keys(
    index_of: Mapping[str, int], of_service: Mapping[str, int], shown: Mapping[int, str], rule: TitleRule
) -> dict[str, int]:
    """Return all keys of the file. If two keys are equal, the first takes precedence.

    Args:
        index_of: The index of each title's key.
        of_service: The index that the service finds for each key that it computes from the titles of train.
        shown: The readable form of each title, by index.
        rule: Rule that decides which titles are one title.
    """
    indices = ((synonym, index_of.get(rule.key(synonym))) for synonym in rule.synonyms)
    synonyms = [(synonym, index) for synonym, index in indices if index is not None]
    titles = [(title, index) for index, title in shown.items() if index != UNKNOWN]
    readable = [(identity(title), index) for title, index in titles] if rule.by == "service" else []
    found: dict[str, int] = {}
    for key, index in chain(
        of_service.items(),
        ((service_key(title), index) for title, index in [*titles, *synonyms]),
        ((collapsed(key), index) for key, index in of_service.items()),
        index_of.items(),
        # Only non-ASCII keys: the service never computes one.
        ((key, index) for key, index in readable if not key.isascii()),
    ):
        if key.strip():  # the service computes a blank key for every title that it cannot read
            found.setdefault(key, index)
    if rule.by == "unicode":
        found.update({f"{_SYNONYM}{identity(synonym)}": index for synonym, index in synonyms})
    return found

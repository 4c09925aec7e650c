"""Titles and their indices, normalised exactly as the service that reads the bundle does it.

Two titles that the service cannot tell apart share an index, so training sees what serving will
see. Standard library only: a bundle's reader needs this file and nothing else of trajtune's.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from trajtune.errors import SnapshotError
from trajtune.storage.atomic import write_atomically

UNKNOWN: Final = 0
"""Index of unknown titles and of padding."""

UNKNOWN_TITLE: Final = "<UNK>"

# JavaScript's \s; Python's differs (it has U+001C to U+001F and U+0085, and lacks U+FEFF).
_SPACE = "[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_SPACE_RUN = re.compile(f"{_SPACE}+")
_EDGES = re.compile(f"^{_SPACE}+|{_SPACE}+$")
_NOT_KEPT = re.compile(r"[^A-Za-z0-9_ .]")
_PUNCTUATION = re.compile(r"[^\w .]")

_VARIATIONS: Final[Mapping[str, str]] = {
    "sr": "senior",
    "sr.": "senior",
    "jr": "junior",
    "jr.": "junior",
    "mgr": "manager",
    "mgr.": "manager",
    "eng": "engineer",
    "eng.": "engineer",
    "dev": "developer",
    "swe": "software engineer",
    "pm": "product manager",
    "vp": "vice president",
    "cto": "chief technology officer",
    "ceo": "chief executive officer",
    "cfo": "chief financial officer",
    "coo": "chief operating officer",
}

# The service's table is a plain JavaScript object, so these two words find what every object inherits.
_INHERITED: Final[Mapping[str, str]] = {
    "constructor": "function Object() { [native code] }",
    "__proto__": "[object Object]",
}
_SERVICE_TABLE: Final[Mapping[str, str]] = {**_VARIATIONS, **_INHERITED}


def service_key(title: str) -> str:
    """The key under which the service looks a title up; the empty string if nothing of it is left.

    Follows the service to the letter, its quirks included: accented letters are removed, not
    folded, and a removed character may leave two spaces behind.
    """
    return _normalised(title, _NOT_KEPT, _SERVICE_TABLE)


def readable_key(title: str) -> str:
    """The normalised form with its accents kept, for people who read the vocabulary file."""
    return " ".join(_normalised(title, _PUNCTUATION, _VARIATIONS).split())


def identity(title: str) -> str:
    """The key that titles with the same index share: the service's key, with runs of spaces as one.

    The empty string identifies no title: the service removes every character of such a title.
    """
    return " ".join(service_key(title).split())


def _normalised(title: str, removed: re.Pattern[str], table: Mapping[str, str]) -> str:
    text = _SPACE_RUN.sub(" ", _EDGES.sub("", title.lower()))
    words = removed.sub("", text).split(" ")
    return " ".join(table.get(word) or table.get(word.removesuffix("."), word) for word in words).replace(
        ".", ""
    )


class TextFile(Protocol):
    """A path on a disk or in an object store."""

    def read_text(self, encoding: str) -> str:
        """The file's content."""
        ...


class TitleEncoder:
    """Titles of the training split to indices from 1 and back; 0 is every other title.

    Attributes:
        title_to_idx: Every key that finds a title: the service's, the identity and the readable one.
        idx_to_title: The commonest surface form of each index, and `UNKNOWN_TITLE` for 0.
    """

    def __init__(self, title_to_idx: Mapping[str, int], idx_to_title: Mapping[int, str]) -> None:
        self.title_to_idx = dict(title_to_idx)
        self.idx_to_title = dict(idx_to_title)

    @property
    def vocab_size(self) -> int:
        """Number of indices, 0 counted in."""
        return len(self.idx_to_title)

    @classmethod
    def fit(
        cls, titles: Iterable[str] | Mapping[str, int], *, min_count: int = 1, max_titles: int | None = None
    ) -> "TitleEncoder":
        """Give an index to each title, the most frequent first; ties in alphabetical order.

        Args:
            titles: Surface forms of the *training* split, or how often each occurs.
            min_count: Titles that occur less often in all their forms together are unknown.
            max_titles: Maximum number of titles that are kept.

        Returns:
            The vocabulary.

        Examples:
            >>> encoder = TitleEncoder.fit(["Nurse", "Nurse", "Sr. Engineer"])
            >>> encoder.encode("senior eng"), encoder.encode("Astronaut")
            (2, 0)
            >>> encoder.decode(2)
            'Sr. Engineer'
        """
        surfaces: dict[str, Counter[str]] = {}
        for surface, count in Counter(titles).items():
            surfaces.setdefault(identity(surface), Counter())[surface] = count
        surfaces.pop("", None)
        totals = {key: forms.total() for key, forms in surfaces.items()}
        kept = sorted(
            (key for key in totals if totals[key] >= min_count), key=lambda key: (-totals[key], key)
        )
        title_to_idx: dict[str, int] = {}
        idx_to_title = {UNKNOWN: UNKNOWN_TITLE}
        readable: dict[str, int] = {}
        for index, key in enumerate(kept[:max_titles], start=1):
            forms = sorted(surfaces[key].items(), key=lambda form: (-form[1], form[0]))
            idx_to_title[index] = _EDGES.sub("", forms[0][0])
            title_to_idx[key] = index
            for surface, _ in forms:
                title_to_idx[service_key(surface)] = index
                readable.setdefault(readable_key(surface), index)
        # The service's keys take precedence over the readable ones.
        return cls({**readable, **title_to_idx}, idx_to_title)

    def encode(self, title: str) -> int:
        """Look a title up as the service does.

        Args:
            title: As people write it.

        Returns:
            Its index; 0 if the vocabulary does not hold it.
        """
        return self.title_to_idx.get(service_key(title), UNKNOWN)

    def decode(self, index: int) -> str:
        """Look an index up.

        Args:
            index: Any integer.

        Returns:
            The title that a person should read; `UNKNOWN_TITLE` for 0 and for indices out of range.
        """
        return self.idx_to_title.get(index, UNKNOWN_TITLE)

    def save(self, path: Path) -> None:
        """Write the vocabulary in the serving contract's form, with sorted keys.

        Args:
            path: The file; written atomically.
        """
        content = {
            "title_to_idx": dict(sorted(self.title_to_idx.items())),
            "idx_to_title": {str(index): title for index, title in sorted(self.idx_to_title.items())},
            "vocab_size": self.vocab_size,
        }
        write_atomically(path, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: TextFile) -> "TitleEncoder":
        """Read a vocabulary file.

        Args:
            path: What `save` wrote.

        Returns:
            The vocabulary.

        Raises:
            SnapshotError: If it is missing or not in the contract's form.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            encoder = cls(
                {str(title): int(index) for title, index in content["title_to_idx"].items()},
                {int(index): str(title) for index, title in content["idx_to_title"].items()},
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

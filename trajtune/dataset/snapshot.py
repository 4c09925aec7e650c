"""The snapshot: an immutable dataset on disk or in an object store. Its name is the hash of its content.

::

    <id>/
      train/careers.parquet   val/careers.parquet   test/careers.parquet
                        or careers-00000-of-00008.parquet and so on: one shard per partition of the people.
                        The person's id and the number of rows determine the shard of a person.
      vocabulary.json   quarantine.parquet   manifest.json
      refit/            the same careers, divided at the start of the calibration window instead of the
                        train cutoff: train is everything known before the window, val is the window, and
                        test is the same people. Its vocabulary is fitted on its own train.
      ledger.jsonl      who opened the test split and why; the only file that grows (in an object store
                        files cannot grow, so each opening is a file ledger-….jsonl)

This module reads train and val. Only `dataset.test_split` opens the test split.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, joined_arrays
from trajtune.dataset.encode import PER_ROLE, SplitData, arrays_of, joined, split_of
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import SnapshotError
from trajtune.notebook import html_table
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import StoredPath, check_reachable, local_path, stored_path

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Final = 3
"""Version of a snapshot with several shards. A snapshot with one file per split has `WITHOUT_SHARDS`."""

WITHOUT_SHARDS: Final = 2
MANIFEST: Final = "manifest.json"
VOCABULARY: Final = "vocabulary.json"
QUARANTINE: Final = "quarantine.parquet"
REFIT: Final = "refit"
LEDGER: Final = "ledger.jsonl"
_BY_SERVICE: Final[Mapping[str, Any]] = {"identity": "service", "synonyms": 0, "as_served": {}}
"""Value of ``titles`` for older manifests, which lack it."""

Source = Path | io.BytesIO
"""Source of a file's content: its path, or the content itself if it was fetched from a store."""


@dataclass(frozen=True)
class Snapshot:
    """An open snapshot.

    Attributes:
        path: Directory of the snapshot.
        manifest: Content of `manifest.json`: ``id``, ``source``, ``as_of``, ``cutoffs``, ``counts``,
            ``quarantine``, ``splits``, ``titles``, ``settings``, ``files`` (sha256) and ``versions``.
        ledger: File that records each opening of the test split. A snapshot and its `refit` share it.
    """

    path: StoredPath
    manifest: Mapping[str, Any]
    ledger: StoredPath
    _verified: dict[str, list[Source]] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        careers = ", ".join(f"{name} {split['careers']:,}" for name, split in self._splits().items())
        return f"<Snapshot {self.id[:16]}: {careers} careers>"

    def _repr_html_(self) -> str:
        rows = [
            (name, f"{split['careers']:,}", split.get("first", ""), split.get("last", ""))
            for name, split in self._splits().items()
        ]
        kept = self.manifest.get("counts", {}).get("careers", 0)
        caption = f"Snapshot {self.id[:16]}: {kept:,} careers, as of {self.manifest.get('as_of')}"
        return html_table(caption, ["split", "careers", "first", "last"], rows)

    def _splits(self) -> Mapping[str, Any]:
        return dict(self.manifest.get("splits", {}))

    def quarantine(self) -> "pd.DataFrame":
        """Return what was left out, and why.

        Returns:
            One row per entry: the place in the source, ``level`` (role or career), ``reason``, ``detail``
            and ``num_rows``.
        """
        found = pq.read_table(source_of(self.path / QUARANTINE)).to_pandas()
        return cast("pd.DataFrame", found)

    @property
    def id(self) -> str:
        """Hash of the content, in hexadecimal digits."""
        return str(self.manifest["id"])

    @property
    def refit(self) -> "Snapshot":
        """The same careers, divided for the refit of the winner; see the module's docstring.

        Raises:
            SnapshotError: For the same reasons as in `open_snapshot`.
        """
        return replace(open_snapshot(self.path / REFIT), ledger=self.ledger)

    def encoder(self) -> TitleEncoder:
        """Return the vocabulary, which is fitted on train only."""
        return TitleEncoder.load(self.path / VOCABULARY, self.titles["identity"])

    @property
    def titles(self) -> Mapping[str, Any]:
        """``titles`` of the manifest: the rule that identifies titles, and how the service sees them."""
        return dict(self.manifest.get("titles", _BY_SERVICE))

    @property
    def has_shards(self) -> bool:
        """Whether the careers of a split are in several files, because there are many."""
        return len(split_files(self, "train")) > 1

    def read(self, split: Literal["train", "val"]) -> SplitData:
        """Read train or val, with ids and titles as text. Test cannot be read here."""
        return read_split(self._sources(split))

    def arrays(self, split: Literal["train", "val"]) -> CareerArrays:
        """Read what models need of train or val: no text, so a small part of the memory of `read`."""
        parts = (pq.read_table(source, columns=list(PER_ROLE)) for source in self._sources(split))
        return joined_arrays([arrays_of(part) for part in parts])

    def split_days(self, split: Literal["train", "val"]) -> NDArray[np.int32]:
        """Read the date that put each career into train or val, in days since 1970-01-01, int32 ``[N]``."""
        parts = (pq.read_table(source, columns=["split_date"]) for source in self._sources(split))
        return np.concatenate([part["split_date"].cast("int32").to_numpy() for part in parts])

    def _sources(self, split: str) -> Iterator[Source]:
        """Yield the files of train or val one at a time: a file from a store is in memory until the next."""
        if split not in ("train", "val"):
            raise SnapshotError(
                f"A snapshot gives train and val, but was asked for {split!r}. Only finalize opens test."
            )
        if split in self._verified:  # used only once: fetched content must not stay in memory
            yield from self._verified.pop(split)
        else:
            yield from (source_of(path) for path in split_files(self, split))


def split_files(snapshot: Snapshot, split: str) -> list[StoredPath]:
    """Return the files of a split's careers, in order."""
    return [snapshot.path / name for name in _names_of(snapshot.manifest["files"], split)]


def _names_of(files: Iterable[str], split: str) -> list[str]:
    return sorted(name for name in files if name.startswith(f"{split}/"))


def open_snapshot(path: str | StoredPath) -> Snapshot:
    """Open a snapshot, and check the hash of every file except the test split.

    Args:
        path: Directory or URI of the snapshot.

    Returns:
        The open snapshot.

    Raises:
        SnapshotError: If the snapshot is missing, incomplete, of another version, or altered.
        StorageError: If the store does not answer or refuses access.
    """
    path = stored_path(path)
    check_reachable(path)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        files, snapshot_id = manifest["files"], manifest["id"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SnapshotError(f"No snapshot at {path}. Make one with `trajtune prepare`.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(
            f"{path / MANIFEST} is not a snapshot's manifest. Prepare the snapshot again."
        ) from error
    if manifest.get("schema_version") not in (WITHOUT_SHARDS, SCHEMA_VERSION):
        raise SnapshotError(
            f"This trajtune reads snapshots of versions {WITHOUT_SHARDS} and {SCHEMA_VERSION}, but {path} "
            f"has {manifest.get('schema_version')}. Run `trajtune prepare` again."
        )
    if content_id(manifest) != snapshot_id:
        raise SnapshotError(
            f"{path / MANIFEST} was altered: it does not hash to its id. Prepare the snapshot again."
        )
    verified = {}
    for split in ("train", "val"):
        if len(_names_of(files, split)) == 1:
            verified[split] = [*verified_files(path, files, split)]
        else:  # what is fetched from a store stays in memory for one file only
            for _ in verified_files(path, files, split):
                pass
    for name in sorted(files):
        if "/" not in name or name.startswith(f"{REFIT}/"):
            verify_file(path / name, files[name])
    return Snapshot(path, manifest, path / LEDGER, verified)


def verified_files(path: StoredPath, files: Mapping[str, str], split: str) -> Iterator[Source]:
    """Check the sha256 of the files of a split one after another, and yield each to read it from.

    Raises:
        SnapshotError: For the same reasons as in `verify_file`.
    """
    yield from (verify_file(path / name, files[name]) for name in _names_of(files, split))


def verify_file(path: StoredPath, expected: str) -> Source:
    """Check a file's sha256, and return the source to read it from.

    Raises:
        SnapshotError: If the file is missing or was altered.
    """
    if not path.is_file():
        raise SnapshotError(f"The snapshot lacks {path}. Prepare it again.")
    source = source_of(path)
    actual = file_sha256(source)
    if actual != expected:
        raise SnapshotError(
            f"{path} was altered: its sha256 is {actual[:12]}..., the manifest says {expected[:12]}.... "
            "Prepare the snapshot again."
        )
    return source


def source_of(path: StoredPath) -> Source:
    """Return the source to read a file from. A file in a store is fetched."""
    return local_path(path) or io.BytesIO(path.read_bytes())


def read_split(sources: Iterable[Source]) -> SplitData:
    """Read the files of a split that `write_snapshot` wrote."""
    return joined([split_of(pq.read_table(source)) for source in sources])


def content_id(manifest: Mapping[str, Any]) -> str:
    """Return the sha256 of a manifest without its id and the package versions."""
    content = {key: value for key, value in manifest.items() if key not in ("id", "versions")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

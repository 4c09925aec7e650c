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
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import pyarrow.parquet as pq

from trajtune.careers.exchange.partitioned import sorted_quarantine
from trajtune.careers.exchange.partitions import Content, Partitions, opened
from trajtune.dataset.encode import SplitData, joined, split_of
from trajtune.dataset.split import SPLITS
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import SnapshotError
from trajtune.notebook import html_table
from trajtune.storage.files import publish_directory, repair_directory, staging_directory, write_json
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import StoredPath, check_reachable, local_path, stored_path

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Final = 3
"""Version of a snapshot with several shards. A snapshot with one file per split has `_WITHOUT_SHARDS`."""

_WITHOUT_SHARDS: Final = 2
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

    def read(self, split: Literal["train", "val"]) -> SplitData:
        """Read train or val. Test cannot be read here."""
        if split not in ("train", "val"):
            raise SnapshotError(
                f"A snapshot gives train and val, but was asked for {split!r}. Only finalize opens test."
            )
        if split in self._verified:  # used only once: fetched content must not stay in memory
            return read_split(self._verified.pop(split))
        return read_split([source_of(path) for path in split_files(self, split)])


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
    if manifest.get("schema_version") not in (_WITHOUT_SHARDS, SCHEMA_VERSION):
        raise SnapshotError(
            f"This trajtune reads snapshots of versions {_WITHOUT_SHARDS} and {SCHEMA_VERSION}, but {path} "
            f"has {manifest.get('schema_version')}. Run `trajtune prepare` again."
        )
    if content_id(manifest) != snapshot_id:
        raise SnapshotError(
            f"{path / MANIFEST} was altered: it does not hash to its id. Prepare the snapshot again."
        )
    verified = verified_files(path, files, ["train", "val"])
    for name in sorted(files):
        if "/" not in name or name.startswith(f"{REFIT}/"):
            verify_file(path / name, files[name])
    return Snapshot(path, manifest, path / LEDGER, verified)


def verified_files(
    path: StoredPath, files: Mapping[str, str], splits: Sequence[str]
) -> dict[str, list[Source]]:
    """Check the sha256 of the files of some splits, and return the sources to read them from.

    Raises:
        SnapshotError: For the same reasons as in `verify_file`.
    """
    return {
        split: [verify_file(path / name, files[name]) for name in _names_of(files, split)] for split in splits
    }


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


def read_split(sources: Sequence[Source]) -> SplitData:
    """Read the files of a split that `write_snapshot` wrote."""
    return joined([split_of(pq.read_table(source)) for source in sources])


@dataclass(frozen=True)
class Division:
    """Careers divided at two cutoffs, in the form that a snapshot stores.

    Attributes:
        splits: Tables ``train``, ``val`` and ``test`` of each partition, from `table_of`; in a
            backtest, without ``test``.
        encoder: The vocabulary, fitted on ``train`` of this division.
        description: Everything else that the manifest says about the content, as plain JSON values.
    """

    splits: Partitions
    encoder: TitleEncoder
    description: Mapping[str, Any]

    def split(self, name: str) -> SplitData:
        """Return the careers of a split from all partitions, which must be in this process."""
        return joined([split_of(content[name]) for content in self.splits.contents])


def write_snapshot(
    parent: StoredPath,
    selection: Division,
    refit: Division,
    quarantine: Sequence[Partitions],
    versions: Mapping[str, str],
) -> StoredPath:
    """Write a snapshot below ``parent`` atomically.

    An existing snapshot with the same content is kept. Its damaged files are written again.

    Args:
        parent: Directory of snapshots, on disk or in an object store.
        selection: The division that searches read.
        refit: The division that the refit of the winner reads.
        quarantine: Partitions whose table ``quarantine`` has the schema `careers.schema.QUARANTINE`.
        versions: Versions of the packages that wrote the snapshot; not part of the id.

    Returns:
        The snapshot's directory. Its name is the first 16 digits of the id.

    Raises:
        StorageError: If the store does not answer or refuses access.
    """
    # The name is the hash of the content, so it is known only at the end.
    with staging_directory(parent / "snapshot") as folder:
        parts = [content for partitions in quarantine for content in partitions.contents]
        alone = Partitions([{}], quarantine[0].on_ray)
        list(alone.each(_write_quarantine, folder / QUARANTINE, *parts, here=True))
        (folder / REFIT).mkdir()
        write_division(folder / REFIT, refit, [], versions)
        # The manifest of the refit contains the hashes of the refit's files.
        manifest = write_division(folder, selection, [QUARANTINE, f"{REFIT}/{MANIFEST}"], versions)
        target = parent / str(manifest["id"])[:16]
        try:
            publish_directory(folder, target, last=MANIFEST)
        except FileExistsError:
            # An intact manifest may name other package versions, so it is kept.
            kept = (MANIFEST,) if _is_manifest_of(target, str(manifest["id"])) else ()
            if names := repair_directory(folder, target, last=MANIFEST, kept=kept):
                print(
                    f"Warning: {target} was damaged; written again: {', '.join(names)}.",
                    file=sys.stderr,
                )
    return target


def _write_quarantine(_: Content, path: Path, *parts: Content) -> None:
    tables = [opened(part)["quarantine"] for part in parts]
    pq.write_table(sorted_quarantine(tables), path, compression="zstd")


def _is_manifest_of(path: StoredPath, snapshot_id: str) -> bool:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return bool(content_id(manifest) == manifest["id"] == snapshot_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def write_division(
    folder: Path, division: Division, others: Sequence[str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Write the files of a division, and a manifest that also covers the existing files ``others``."""
    num = len(division.splits.contents)
    hashes: dict[str, str] = {}
    for written in division.splits.each(_write_shards, num, folder, own=range(num), here=True):
        hashes |= written
    division.encoder.save(folder / VOCABULARY)
    hashes |= {name: file_sha256(folder / name) for name in (VOCABULARY, *others)}
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION if num > 1 else _WITHOUT_SHARDS,
        **division.description,
        "files": dict(sorted(hashes.items())),
        "versions": dict(versions),
    }
    manifest["id"] = content_id(manifest)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _write_shards(content: Content, number: int, num_shards: int, folder: Path) -> dict[str, str]:
    """Write the splits of a partition, and return the sha256 of each file."""
    shard = f"careers-{number:05d}-of-{num_shards:05d}.parquet" if num_shards > 1 else "careers.parquet"
    names = {split: f"{split}/{shard}" for split in SPLITS if split in content}
    for split, name in names.items():
        (folder / split).mkdir(exist_ok=True)
        pq.write_table(content[split], folder / name, compression="zstd")
    return {name: file_sha256(folder / name) for name in names.values()}


def content_id(manifest: Mapping[str, Any]) -> str:
    """Return the sha256 of a manifest without its id and the package versions."""
    content = {key: value for key, value in manifest.items() if key not in ("id", "versions")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

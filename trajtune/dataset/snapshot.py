"""The snapshot: an immutable dataset on disk or in an object store, named by the hash of its content.

::

    <id>/
      train/careers.parquet   val/careers.parquet   test/careers.parquet
      vocabulary.json   quarantine.parquet   manifest.json
      ledger.jsonl      who opened the test split and why; the one file that grows (in an object store,
                        where none can, there is a ledger-….jsonl of each opening)

This file reads train and val. The test split is opened by `dataset.test_split` alone.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import SnapshotError
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import ObjectPath, StoredPath, stored_path

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
VOCABULARY: Final = "vocabulary.json"
QUARANTINE: Final = "quarantine.parquet"
LEDGER: Final = "ledger.jsonl"
PER_ROLE: Final = ("title_ids", "tenure_months", "tenure_at_least", "hireable")
"""The columns of a split's file that a `CareerArrays` is made of."""


@dataclass(frozen=True)
class Snapshot:
    """An open snapshot.

    Attributes:
        path: Its directory.
        manifest: What `manifest.json` says: ``id``, ``source``, ``as_of``, ``cutoffs``, ``counts``,
            ``quarantine``, ``splits``, ``settings``, ``files`` (sha256) and ``versions``.
    """

    path: StoredPath
    manifest: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Hash of the content, hexadecimal."""
        return str(self.manifest["id"])

    def encoder(self) -> TitleEncoder:
        """The vocabulary, fitted on train alone."""
        return TitleEncoder.load(self.path / VOCABULARY)

    def read(self, split: Literal["train", "val"]) -> SplitData:
        """Read train or val; no name reaches test from here."""
        if split not in ("train", "val"):
            raise SnapshotError(
                f"A snapshot gives train and val, but was asked for {split!r}. Only finalize opens test."
            )
        return read_split(split_file(self.path, split))


def split_file(path: StoredPath, split: str) -> StoredPath:
    """Where a split's careers lie below the snapshot's directory."""
    return path / f"{split}/careers.parquet"


def open_snapshot(path: str | StoredPath) -> Snapshot:
    """Open a snapshot, by its path or URI, and check every file but the test split against its hash.

    Raises:
        SnapshotError: If it is missing, incomplete, of another version, or altered.
        StorageError: If the store does not answer, or refuses.
    """
    path = stored_path(path)
    if isinstance(path, ObjectPath):
        path.check()
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        files, snapshot_id = manifest["files"], manifest["id"]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SnapshotError(f"No snapshot at {path}. Make one with `trajtune prepare`.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(
            f"{path / MANIFEST} is not a snapshot's manifest. Prepare the snapshot again."
        ) from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise SnapshotError(
            f"This trajtune reads snapshots of version {SCHEMA_VERSION}, but {path} has "
            f"{manifest.get('schema_version')}. Prepare it again."
        )
    if content_id(manifest) != snapshot_id:
        raise SnapshotError(
            f"{path / MANIFEST} was altered: it does not hash to its id. Prepare the snapshot again."
        )
    for name, expected in sorted(files.items()):
        if not name.startswith("test/"):
            verify_file(path / name, expected)
    return Snapshot(path, manifest)


def verify_file(path: StoredPath, expected: str) -> None:
    """Check one file's sha256.

    Raises:
        SnapshotError: If the file is missing or is not what was written.
    """
    if not path.is_file():
        raise SnapshotError(f"The snapshot lacks {path}. Prepare it again.")
    found = file_sha256(path)
    if found != expected:
        raise SnapshotError(
            f"{path} was altered: its sha256 is {found[:12]}..., the manifest says {expected[:12]}.... "
            "Prepare the snapshot again."
        )


def read_split(path: StoredPath) -> SplitData:
    """Read one split's file as it was written by `write_snapshot`."""
    source = path if isinstance(path, Path) else pa.BufferReader(path.read_bytes())
    table = pq.read_table(source).combine_chunks()
    return SplitData(
        arrays_of(table), *(table[name].combine_chunks() for name in ("candidate_id", "titles", "split_date"))
    )


def arrays_of(table: pa.Table) -> CareerArrays:
    """The careers in some rows of a split's file, of which the columns `PER_ROLE` are needed."""
    columns = {name: table[name].combine_chunks() for name in PER_ROLE}
    offsets = np.asarray(columns["title_ids"].offsets).astype(np.int64)
    return CareerArrays(
        offsets=offsets - offsets[0],  # rows from the middle of a file do not begin at 0
        **{name: column.flatten().to_numpy(zero_copy_only=False) for name, column in columns.items()},
    )


def write_snapshot(
    parent: StoredPath,
    splits: Mapping[str, SplitData],
    encoder: TitleEncoder,
    quarantine: pa.Table,
    description: Mapping[str, Any],
    versions: Mapping[str, str],
) -> StoredPath:
    """Write a snapshot below ``parent``, whole or not at all; an equal one that is there is kept.

    Args:
        parent: Directory of snapshots, here or in an object store.
        splits: ``train``, ``val`` and ``test``.
        encoder: The vocabulary.
        quarantine: `careers.schema.QUARANTINE`.
        description: Everything else that the manifest says of the content; plain JSON values.
        versions: Of the packages that wrote it; not part of the id.

    Returns:
        The snapshot's directory, named by the first 16 digits of its id.

    Raises:
        StorageError: If the store does not answer, or refuses.
    """
    with _beside(parent) as beside:
        for name, data in splits.items():
            split_file(beside, name).parent.mkdir()
            pq.write_table(_table(data), split_file(beside, name), compression="zstd")
        encoder.save(beside / VOCABULARY)
        pq.write_table(quarantine, beside / QUARANTINE, compression="zstd")
        names = [*(f"{name}/careers.parquet" for name in splits), VOCABULARY, QUARANTINE]
        manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            **description,
            "files": {name: file_sha256(beside / name) for name in sorted(names)},
            "versions": dict(versions),
        }
        manifest["id"] = content_id(manifest)
        (beside / MANIFEST).write_text(
            json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        final = parent / str(manifest["id"])[:16]
        if isinstance(final, Path):
            if not final.exists():
                os.replace(beside, final)
        elif not (final / MANIFEST).is_file():
            for name in (*names, MANIFEST):  # without its manifest it is no snapshot
                (final / name).write_bytes((beside / name).read_bytes())
    return final


@contextmanager
def _beside(parent: StoredPath) -> Iterator[Path]:
    """A folder to write in, on the same file system where there is one; gone afterwards."""
    if isinstance(parent, ObjectPath):
        with tempfile.TemporaryDirectory(prefix="trajtune-") as folder:
            yield Path(folder)
        return
    parent.mkdir(parents=True, exist_ok=True)
    beside = parent / f".preparing-{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def content_id(manifest: Mapping[str, Any]) -> str:
    """sha256 of all that a manifest says of the content: not of its id nor of package versions."""
    content = {key: value for key, value in manifest.items() if key not in ("id", "versions")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _table(data: SplitData) -> pa.Table:
    offsets = data.arrays.offsets.astype(np.int32)
    columns: dict[str, pa.Array] = {
        "candidate_id": data.candidate_ids,
        "split_date": data.split_dates,
        "titles": data.titles,
    }
    for name in PER_ROLE:
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(getattr(data.arrays, name)))
    return pa.table(columns)

"""Writes a snapshot: a shard per partition and split, and last the manifest with each file's hash."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from trajtune.careers.exchange.partitioned import sorted_quarantine
from trajtune.careers.exchange.partitions import Content, Partitions, opened
from trajtune.dataset.encode import SplitData, joined, split_of
from trajtune.dataset.snapshot import (
    MANIFEST,
    QUARANTINE,
    REFIT,
    SCHEMA_VERSION,
    VOCABULARY,
    WITHOUT_SHARDS,
    content_id,
)
from trajtune.dataset.split import SPLITS
from trajtune.dataset.titles import TitleEncoder
from trajtune.storage.files import publish_directory, repair_directory, staging_directory, write_json
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import StoredPath


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
        "schema_version": SCHEMA_VERSION if num > 1 else WITHOUT_SHARDS,
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

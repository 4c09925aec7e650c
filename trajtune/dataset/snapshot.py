"""The snapshot: an immutable dataset on disk or in an object store, named by the hash of its content.

::

    <id>/
      train/careers.parquet   val/careers.parquet   test/careers.parquet
      vocabulary.json   quarantine.parquet   manifest.json
      refit/            the same again, divided at the start of the calibration window instead of the train
                        cutoff: train is everything known before the window, val the window, test the same
                        people. Its vocabulary is fitted on its own train.
      ledger.jsonl      who opened the test split and why; the only file that grows (in an object store,
                        where no file can, each opening is a ledger-….jsonl)

This module reads train and val. The test split is opened by `dataset.test_split` alone.
"""

import hashlib
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import SplitData
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import SnapshotError
from trajtune.notebook import html_table
from trajtune.storage.files import publish_directory, repair_directory, staging_directory, write_json
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import StoredPath, check_reachable, local_path, stored_path

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Final = 2
MANIFEST: Final = "manifest.json"
VOCABULARY: Final = "vocabulary.json"
QUARANTINE: Final = "quarantine.parquet"
REFIT: Final = "refit"
LEDGER: Final = "ledger.jsonl"
PER_ROLE: Final = (
    "title_ids",
    "tenure_months",
    "tenure_at_least",
    "hireable",
    "start_days",
    "is_outcome",
)
"""The columns of a split's file that a `CareerArrays` is made of."""

_BY_SERVICE: Final[Mapping[str, Any]] = {"identity": "service", "synonyms": 0, "as_served": {}}
"""How titles were told apart before manifests said so."""

Source = Path | io.BytesIO
"""What a file is read from: its path, or its content if it was fetched from a store."""


@dataclass(frozen=True)
class Snapshot:
    """An open snapshot.

    Attributes:
        path: Its directory.
        manifest: What `manifest.json` says: ``id``, ``source``, ``as_of``, ``cutoffs``, ``counts``,
            ``quarantine``, ``splits``, ``titles``, ``settings``, ``files`` (sha256) and ``versions``.
        ledger: The file that records each opening of the test split; one for a snapshot and its `refit`.
    """

    path: StoredPath
    manifest: Mapping[str, Any]
    ledger: StoredPath
    _verified: dict[str, Source] = field(default_factory=dict, repr=False, compare=False)

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
        """What was left out, with the reason.

        Returns:
            A row for each entry: the place in the source, ``level`` (role or career), ``reason``, ``detail``
            and ``num_rows``.
        """
        found = pq.read_table(source_of(self.path / QUARANTINE)).to_pandas()
        return cast("pd.DataFrame", found)

    @property
    def id(self) -> str:
        """Hash of the content, hexadecimal."""
        return str(self.manifest["id"])

    @property
    def refit(self) -> "Snapshot":
        """The same careers, divided for the refit of the winner; see the module's docstring.

        Raises:
            SnapshotError: As of `open_snapshot`.
        """
        return replace(open_snapshot(self.path / REFIT), ledger=self.ledger)

    def encoder(self) -> TitleEncoder:
        """The vocabulary, fitted on train alone."""
        return TitleEncoder.load(self.path / VOCABULARY, self.titles["identity"])

    @property
    def titles(self) -> Mapping[str, Any]:
        """Which titles are one title, and how many the service sees otherwise; ``titles`` of the manifest."""
        return dict(self.manifest.get("titles", _BY_SERVICE))

    def read(self, split: Literal["train", "val"]) -> SplitData:
        """Read train or val; test cannot be read here."""
        if split not in ("train", "val"):
            raise SnapshotError(
                f"A snapshot gives train and val, but was asked for {split!r}. Only finalize opens test."
            )
        if split in self._verified:  # once: fetched content must not stay in memory
            return read_split(self._verified.pop(split))
        return read_split(source_of(split_file(self.path, split)))


def split_file(path: StoredPath, split: str) -> StoredPath:
    """The file of a split's careers in the snapshot's directory."""
    return path / f"{split}/careers.parquet"


def open_snapshot(path: str | StoredPath) -> Snapshot:
    """Open a snapshot, and check every file but the test split against its hash.

    Args:
        path: Its directory or its URI.

    Returns:
        The snapshot.

    Raises:
        SnapshotError: If it is missing, incomplete, of another version, or altered.
        StorageError: If the store does not answer, or refuses.
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
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise SnapshotError(
            f"This trajtune reads snapshots of version {SCHEMA_VERSION}, but {path} has "
            f"{manifest.get('schema_version')}. Prepare it again."
        )
    if content_id(manifest) != snapshot_id:
        raise SnapshotError(
            f"{path / MANIFEST} was altered: it does not hash to its id. Prepare the snapshot again."
        )
    verified = {
        name: verify_file(path / name, expected)
        for name, expected in sorted(files.items())
        if not name.startswith("test/")
    }
    by_split = {split: verified[f"{split}/careers.parquet"] for split in ("train", "val")}
    return Snapshot(path, manifest, path / LEDGER, by_split)


def verify_file(path: StoredPath, expected: str) -> Source:
    """Check one file's sha256, and give what to read it from.

    Raises:
        SnapshotError: If the file is missing or is not what was written.
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
    """What to read a file from; it is fetched if it is in a store."""
    return local_path(path) or io.BytesIO(path.read_bytes())


def read_split(source: Source) -> SplitData:
    """Read one split's file as `write_snapshot` wrote it."""
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


@dataclass(frozen=True)
class Division:
    """Careers divided at two cutoffs, as a snapshot holds them.

    Attributes:
        splits: ``train``, ``val`` and ``test``.
        encoder: The vocabulary, fitted on this train.
        description: Everything else that the manifest says about the content; plain JSON values.
    """

    splits: Mapping[str, SplitData]
    encoder: TitleEncoder
    description: Mapping[str, Any]


def write_snapshot(
    parent: StoredPath,
    selection: Division,
    refit: Division,
    quarantine: pa.Table,
    versions: Mapping[str, str],
) -> StoredPath:
    """Write a snapshot below ``parent``, complete or not at all.

    An equal one that exists is kept, and what is damaged in it is written again.

    Args:
        parent: Directory of snapshots, here or in an object store.
        selection: What searches read.
        refit: What the refit of the winner reads.
        quarantine: `careers.schema.QUARANTINE`.
        versions: Of the packages that wrote it; not part of the id.

    Returns:
        The snapshot's directory, named by the first 16 digits of its id.

    Raises:
        StorageError: If the store does not answer, or refuses.
    """
    # The name is the hash of the content, so it is known last.
    with staging_directory(parent / "snapshot") as folder:
        pq.write_table(quarantine, folder / QUARANTINE, compression="zstd")
        (folder / REFIT).mkdir()
        _write_division(folder / REFIT, refit, [], versions)
        # The refit's manifest holds the hashes of the refit's files.
        manifest = _write_division(folder, selection, [QUARANTINE, f"{REFIT}/{MANIFEST}"], versions)
        target = parent / str(manifest["id"])[:16]
        try:
            publish_directory(folder, target, last=MANIFEST)
        except FileExistsError:
            # An intact manifest may name other versions of packages.
            kept = (MANIFEST,) if _is_manifest_of(target, str(manifest["id"])) else ()
            if names := repair_directory(folder, target, last=MANIFEST, kept=kept):
                print(
                    f"Warning: {target} was damaged; written again: {', '.join(names)}.",
                    file=sys.stderr,
                )
    return target


def _is_manifest_of(path: StoredPath, snapshot_id: str) -> bool:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return bool(content_id(manifest) == manifest["id"] == snapshot_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _write_division(
    folder: Path, division: Division, others: Sequence[str], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Write the files of a division, and a manifest that also covers the ``others``, which exist."""
    for name, data in division.splits.items():
        (folder / name).mkdir()
        pq.write_table(_table(data), folder / name / "careers.parquet", compression="zstd")
    division.encoder.save(folder / VOCABULARY)
    names = [*(f"{name}/careers.parquet" for name in division.splits), VOCABULARY, *others]
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        **division.description,
        "files": {name: file_sha256(folder / name) for name in sorted(names)},
        "versions": dict(versions),
    }
    manifest["id"] = content_id(manifest)
    write_json(folder / MANIFEST, manifest)
    return manifest


def content_id(manifest: Mapping[str, Any]) -> str:
    """sha256 of all that a manifest says about the content: without its id and the package versions."""
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

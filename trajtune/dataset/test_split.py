"""The test split's only door. Finalize opens it, once, and each opening is written down first."""

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import LEDGER, Snapshot, read_split, split_file, verify_file
from trajtune.storage.path import children

_STEM: Final = LEDGER.partition(".")[0]


def open_test_split(snapshot: Snapshot, *, run: str, purpose: str) -> SplitData:
    """Read the test split and record the opening in the snapshot's ledger before anything is read.

    Args:
        snapshot: An open snapshot.
        run: The run on whose behalf it is opened.
        purpose: Why, in a few words.

    Raises:
        SnapshotError: If the split is missing or was altered.
        StorageError: If the store does not answer, or refuses.
    """
    now = datetime.now(UTC)
    entry = {"time": now.isoformat(timespec="seconds"), "run": run, "purpose": purpose}
    _write_down(snapshot, json.dumps(entry, ensure_ascii=False) + "\n", now)
    path = split_file(snapshot.path, "test")
    verify_file(path, snapshot.manifest["files"]["test/careers.parquet"])
    return read_split(path)


def openings(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every opening of the test split so far, oldest first: ``time``, ``run``, ``purpose``."""
    ledgers = children(snapshot.path, f"{_STEM}*.jsonl")
    lines = [line for path in ledgers for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines if line]


def _write_down(snapshot: Snapshot, line: str, now: datetime) -> None:
    path = snapshot.path / LEDGER
    if isinstance(path, Path):
        with path.open("a", encoding="utf-8") as ledger:
            ledger.write(line)
            ledger.flush()
            os.fsync(ledger.fileno())
    else:
        # No object can grow, and two who replaced one would lose a line: one of its own, named by the time.
        name = f"{_STEM}-{now:%Y%m%d-%H%M%S-%f}-{uuid.uuid4().hex[:8]}.jsonl"
        (snapshot.path / name).write_bytes(line.encode())

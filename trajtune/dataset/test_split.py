"""The test split's only door. Finalize opens it, once, and each opening is written down first."""

import json
import os
from datetime import UTC, datetime
from typing import Any

from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import LEDGER, Snapshot, read_split, split_file, verify_file


def open_test_split(snapshot: Snapshot, *, run: str, purpose: str) -> SplitData:
    """Read the test split and record the opening in the snapshot's ledger before anything is read.

    Args:
        snapshot: An open snapshot.
        run: The run on whose behalf it is opened.
        purpose: Why, in a few words.

    Raises:
        SnapshotError: If the split is missing or was altered.
    """
    entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": run, "purpose": purpose}
    with (snapshot.path / LEDGER).open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(entry, ensure_ascii=False) + "\n")
        ledger.flush()
        os.fsync(ledger.fileno())
    path = split_file(snapshot.path, "test")
    verify_file(path, snapshot.manifest["files"]["test/careers.parquet"])
    return read_split(path)


def openings(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every opening of the test split so far, oldest first: ``time``, ``run``, ``purpose``."""
    path = snapshot.path / LEDGER
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]

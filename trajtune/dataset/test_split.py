"""The only way to the test split. Finalize opens it once, and each opening is recorded first."""

import json
from datetime import UTC, datetime
from typing import Any

from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import Snapshot, read_split, verified_files
from trajtune.storage.files import append_line, appended_lines


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
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"time": now, "run": run, "purpose": purpose}
    append_line(snapshot.ledger, json.dumps(entry, ensure_ascii=False))
    return read_split(verified_files(snapshot.path, snapshot.manifest["files"], ["test"])["test"])


def openings(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every opening of the test split so far, oldest first: ``time``, ``run``, ``purpose``."""
    return [json.loads(line) for line in appended_lines(snapshot.ledger)]

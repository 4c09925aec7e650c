"""Opens the test split. No other module does. Finalize opens it once, and each opening is recorded first."""

import json
from datetime import UTC, datetime
from typing import Any

from trajtune.dataset.encode import SplitData
from trajtune.dataset.snapshot import Snapshot, read_split, verified_files
from trajtune.storage.files import append_line, appended_lines


def open_test_split(snapshot: Snapshot, *, run: str, purpose: str) -> SplitData:
    """Record the opening in the snapshot's ledger, then read the test split.

    Args:
        snapshot: An open snapshot.
        run: Name of the run that needs the test split.
        purpose: Reason for the opening, in a few words.

    Raises:
        SnapshotError: If the split is missing or was altered.
        StorageError: If the store does not answer or refuses access.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"time": now, "run": run, "purpose": purpose}
    append_line(snapshot.ledger, json.dumps(entry, ensure_ascii=False))
    return read_split(verified_files(snapshot.path, snapshot.manifest["files"], "test"))


def openings(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return every recorded opening of the test split, oldest first: ``time``, ``run``, ``purpose``."""
    return [json.loads(line) for line in appended_lines(snapshot.ledger)]

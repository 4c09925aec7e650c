"""Finds the snapshot of a run: at its recorded path or, if the project has moved, by its id."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from trajtune.errors import SnapshotError
from trajtune.searching.runs.directory import Run
from trajtune.storage.path import StoredPath, local_path, stored_path

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot


def snapshot_of_run(run: Run, given: str | StoredPath | None = None) -> "Snapshot":
    """Open the snapshot of a run.

    Args:
        run: The run.
        given: Directory or URI of the snapshot; None: it is searched for, see `find_snapshot`.

    Raises:
        SnapshotError: If the snapshot is missing, is damaged, or has another id.
        StorageError: If the object store does not answer or refuses access.
    """
    from trajtune.dataset.snapshot import open_snapshot

    snapshot = open_snapshot(given or find_snapshot(run))
    if snapshot.id != run.snapshot_id:
        raise SnapshotError(
            f"The run {run.name} needs snapshot {run.snapshot_id[:16]}, but {snapshot.path} is "
            f"{snapshot.id[:16]}. Give the run's snapshot with --snapshot, or search again."
        )
    return snapshot


def find_snapshot(run: Run) -> StoredPath:
    """Return the directory of a run's snapshot: its recorded path, ``storage.snapshots``, or beside the runs.

    Raises:
        SnapshotError: If none of these directories has a snapshot.
    """
    places = list(dict.fromkeys(_places(run)))
    for place in places:
        if _id_at(place) == run.snapshot_id:
            return place
    found = next((place for place in places if _id_at(place) is not None), None)
    if found is not None:
        return found  # opening it raises an error that explains the difference
    looked = ", ".join(str(place) for place in places)
    raise SnapshotError(
        f"The run {run.name} needs snapshot {run.snapshot_id[:16]}, but it is not at {looked}. Restore it, "
        "or give its location with --snapshot."
    )


def _places(run: Run) -> list[StoredPath]:
    storage, name = run.experiment.storage, run.snapshot_id[:16]
    places = [run.snapshot_path, (stored_path(storage.snapshots) / name).absolute()]
    runs, directory = local_path(stored_path(storage.runs)), local_path(run.path)
    if runs is not None and directory is not None and not runs.is_absolute():
        # storage.runs is relative to the project's folder, so this is the project's present folder.
        root = Path(*directory.parent.parts[: len(directory.parent.parts) - len(runs.parts)])
        places.append(root / storage.snapshots / name)
    return places


def _id_at(place: StoredPath) -> str | None:
    """Return the id of the snapshot in a directory, or None without one."""
    from trajtune.dataset.snapshot import MANIFEST

    try:
        return str(json.loads((place / MANIFEST).read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""The snapshot of a run: where the run says it is or, in a project that has moved, by its id."""

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
        given: Where it is; None: it is looked for, see `find_snapshot`.

    Raises:
        SnapshotError: If it is not there, is damaged, or is another one.
        StorageError: If the store does not answer, or refuses.
    """
    from trajtune.dataset.snapshot import open_snapshot

    snapshot = open_snapshot(given or find_snapshot(run))
    if snapshot.id != run.snapshot_id:
        raise SnapshotError(
            f"The run {run.name} searched on snapshot {run.snapshot_id[:16]}, but {snapshot.path} is "
            f"{snapshot.id[:16]}. Give the run's snapshot by --snapshot, or search again."
        )
    return snapshot


def find_snapshot(run: Run) -> StoredPath:
    """The directory of a run's snapshot: where it was, below ``storage.snapshots``, or next to the runs.

    Raises:
        SnapshotError: If there is none of its id.
    """
    places = list(dict.fromkeys(_places(run)))
    for place in places:
        if _id_at(place) == run.snapshot_id:
            return place
    found = next((place for place in places if _id_at(place) is not None), None)
    if found is not None:
        return found  # opening it says what is wrong with it
    looked = ", ".join(str(place) for place in places)
    raise SnapshotError(
        f"The run {run.name} needs snapshot {run.snapshot_id[:16]}, but it is not at {looked}. Put it back, "
        "or say where it is by --snapshot."
    )


def _places(run: Run) -> list[StoredPath]:
    storage, name = run.experiment.storage, run.snapshot_id[:16]
    places = [run.snapshot_path, (stored_path(storage.snapshots) / name).absolute()]
    runs, directory = local_path(stored_path(storage.runs)), local_path(run.path)
    if runs is not None and directory is not None and not runs.is_absolute():
        # storage.runs is relative to the project's folder, so this is the project's folder now.
        root = Path(*directory.parent.parts[: len(directory.parent.parts) - len(runs.parts)])
        places.append(root / storage.snapshots / name)
    return places


def _id_at(place: StoredPath) -> str | None:
    """The id of the snapshot in a directory; None without one."""
    from trajtune.dataset.snapshot import MANIFEST

    try:
        return str(json.loads((place / MANIFEST).read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

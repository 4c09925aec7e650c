"""Creates a new run and points ``latest`` at it; nothing is ever overwritten."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from trajtune.errors import RunError
from trajtune.experiment.load import save_experiment
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.searching.runs.directory import (
    LATEST,
    MANIFEST,
    SCHEMA_VERSION,
    Run,
    lease_of,
    reference,
)
from trajtune.searching.runs.files import EXPERIMENT, SPACE, space_yaml
from trajtune.storage.files import publish_directory, set_link, staging_directory, write_json
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import StoredPath, check_reachable, local_path, stored_path

_VERSIONS: Final = ("trajtune", "torch", "optuna", "ray", "numpy")


def create_run(
    experiment: Experiment, space: Space, *, name: str | None, snapshot_path: StoredPath, snapshot_id: str
) -> Run:
    """Create a new run atomically and point ``latest`` at it.

    Args:
        experiment: The experiment, resolved.
        space: The search space, resolved.
        name: Name of the run; None derives one from the time (UTC), so that names sort by time.
        snapshot_path: The snapshot's directory, on this machine or in an object store.
        snapshot_id: Hash of the snapshot's content.

    Raises:
        RunError: If a run with that name exists.
        StorageError: If the object store does not answer or has no such bucket.
    """
    parent = stored_path(experiment.storage.runs).absolute()
    if name is not None:
        _check_name(name)
    check_reachable(parent)
    created = datetime.now(UTC)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "snapshot": {"path": str(snapshot_path.absolute()), "id": snapshot_id},
        "requested": experiment.search.trials,
        "created": created.isoformat(timespec="seconds"),
        "versions": versions(),
    }
    names = [name] if name else list(_names_by_time(created))
    with staging_directory(parent / names[0]) as folder:
        _write(folder, experiment, space, manifest)
        path = _publish(folder, [parent / each for each in names], experiment)
    set_link(parent / LATEST, path.name)
    return Run(path, experiment, space, manifest)


def versions() -> dict[str, str]:
    """Return the versions of the packages that affect results."""
    return {name: metadata.version(name) for name in _VERSIONS}


def _write(folder: Path, experiment: Experiment, space: Space, manifest: dict[str, Any]) -> None:
    save_experiment(experiment, folder / EXPERIMENT)
    (folder / SPACE).write_text(space_yaml(space), "utf-8")
    manifest["files"] = {name: file_sha256(folder / name) for name in (EXPERIMENT, SPACE)}
    write_json(folder / MANIFEST, manifest)


def _publish(folder: Path, paths: list[StoredPath], experiment: Experiment) -> StoredPath:
    """Publish a staged run at the first free path."""
    for path in paths:
        if (path / MANIFEST).is_file():
            continue
        with _reserved(path, experiment):
            try:
                publish_directory(folder, path, last=MANIFEST)
            except FileExistsError:
                continue
            return path
    raise RunError(
        f"A run must have a new name, but {paths[0].name} exists already. "
        f"Resume it with --resume {reference(paths[0])}, or give another name."
    )


def _reserved(path: StoredPath, experiment: Experiment) -> AbstractContextManager[object]:
    """Reserve a path in an object store, where two processes could both publish; a disk prevents that."""
    return nullcontext() if local_path(path) else lease_of(path, experiment.storage).hold()


def _check_name(name: str) -> None:
    if Path(name).name != name or name == LATEST or name.startswith("."):
        raise RunError(f"A run's name must be a plain file name other than {LATEST}, but got {name!r}.")


def _names_by_time(created: datetime) -> Iterator[str]:
    """Yield sortable names for a run: the time, then the time with a number for runs of the same second."""
    stamp = created.strftime("%Y%m%d-%H%M%S")
    yield stamp
    yield from (f"{stamp}-{number:03d}" for number in range(2, 1000))

"""Make a new run and point ``latest`` at it; nothing is ever overwritten."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import yaml

from trajtune.errors import RunError
from trajtune.experiment.load import save_experiment
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.searching.runs.directory import (
    EXPERIMENT,
    LATEST,
    MANIFEST,
    SCHEMA_VERSION,
    SPACE,
    Run,
    lease_of,
    reference,
)
from trajtune.storage.files import publish_directory, set_link, staging_directory, write_json
from trajtune.storage.hashes import file_sha256
from trajtune.storage.path import StoredPath, check_reachable, local_path, stored_path

_VERSIONS: Final = ("trajtune", "torch", "optuna", "ray", "numpy")


def create_run(
    experiment: Experiment, space: Space, *, name: str | None, snapshot_path: StoredPath, snapshot_id: str
) -> Run:
    """Make a new run, complete or not at all, and point ``latest`` at it.

    Args:
        experiment: Resolved.
        space: Resolved.
        name: Its name; None makes one from the time (UTC), so that names sort by time.
        snapshot_path: The snapshot's directory, on this machine or in an object store.
        snapshot_id: Hash of its content.

    Raises:
        RunError: If a run of that name exists.
        StorageError: If the object store does not answer, or has no such bucket.
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
    """Versions of the packages that a result depends on."""
    return {name: metadata.version(name) for name in _VERSIONS}


def _write(folder: Path, experiment: Experiment, space: Space, manifest: dict[str, Any]) -> None:
    save_experiment(experiment, folder / EXPERIMENT)
    content = yaml.safe_dump(space.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    (folder / SPACE).write_text(content, "utf-8")
    manifest["files"] = {name: file_sha256(folder / name) for name in (EXPERIMENT, SPACE)}
    write_json(folder / MANIFEST, manifest)


def _publish(folder: Path, paths: list[StoredPath], experiment: Experiment) -> StoredPath:
    """Publish a staged run at the first path that is free."""
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
        f"There is a run {paths[0].name} already, and runs are never overwritten. "
        f"Go on with it by --resume {reference(paths[0])}, or give another name."
    )


def _reserved(path: StoredPath, experiment: Experiment) -> AbstractContextManager[object]:
    """Reserve a path in a store, which does not tell which of two processes came first; a disk does."""
    return nullcontext() if local_path(path) else lease_of(path, experiment.storage).hold()


def _check_name(name: str) -> None:
    if Path(name).name != name or name == LATEST or name.startswith("."):
        raise RunError(f"A run's name must be a plain file name other than {LATEST}, but got {name!r}.")


def _names_by_time(created: datetime) -> Iterator[str]:
    """Sortable names for a run: the time, then the time with a number, for runs of the same second."""
    stamp = created.strftime("%Y%m%d-%H%M%S")
    yield stamp
    yield from (f"{stamp}-{number:03d}" for number in range(2, 1000))

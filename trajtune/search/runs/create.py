"""Make a run where there was none, and point ``latest`` at it; nothing is ever overwritten."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import yaml

from trajtune.errors import RunError
from trajtune.experiment.load import experiment_yaml
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.search.runs.directory import (
    EXPERIMENT,
    LATEST,
    MANIFEST,
    SCHEMA_VERSION,
    SPACE,
    Run,
    reference,
    write_json,
)
from trajtune.storage.path import ObjectPath, StoredPath, stored_path, write_whole

_VERSIONS: Final = ("trajtune", "torch", "optuna", "ray", "numpy")


def create_run(
    experiment: Experiment, space: Space, *, name: str | None, snapshot_path: StoredPath, snapshot_id: str
) -> Run:
    """Make a run that was not there, and point ``latest`` at it.

    Args:
        experiment: Resolved.
        space: Resolved.
        name: Its name; None makes a sortable one from the time (UTC).
        snapshot_path: The snapshot's directory, here or in an object store.
        snapshot_id: Hash of its content.

    Raises:
        RunError: If a run of that name exists.
        StorageError: If the object store does not answer, or has no such bucket.
    """
    parent = stored_path(experiment.storage.runs).absolute()
    if name is not None:
        _check_name(name)
    created = datetime.now(UTC)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "snapshot": {"path": str(snapshot_path.absolute()), "id": snapshot_id},
        "requested": experiment.search.trials,
        "created": created.isoformat(timespec="seconds"),
        "versions": versions(),
    }
    names = [name] if name else list(_names(created))
    if isinstance(parent, ObjectPath):
        path: StoredPath = _in_store(parent, names, experiment, space, manifest)
    else:
        path = _on_disk(parent, names, experiment, space, manifest)
    return Run(path, experiment, space, manifest)


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    return {name: metadata.version(name) for name in _VERSIONS}


def _on_disk(
    parent: Path, names: list[str], experiment: Experiment, space: Space, manifest: dict[str, Any]
) -> Path:
    """Written beside and renamed: a run is there whole or not at all."""
    parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    try:
        _write(beside, experiment, space, manifest)
        beside.chmod(0o755)
        path = _rename_to_free_name(beside, names)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    pointing = parent / f".{LATEST}.{path.name}"
    pointing.unlink(missing_ok=True)
    pointing.symlink_to(path.name)
    os.replace(pointing, parent / LATEST)
    return path


def _in_store(
    parent: ObjectPath, names: list[str], experiment: Experiment, space: Space, manifest: dict[str, Any]
) -> ObjectPath:
    """The manifest is written last: what has none is no run.

    A store does not say who of two was first, so a name is leased while the run is made.
    """
    from trajtune.search.runs.lease import Lease

    parent.check()
    variable = experiment.storage.study_url_variable
    assert variable is not None, "an experiment with a store has it"
    for name in names:
        path = parent / name
        if path.exists():
            continue
        with Lease(variable, str(path)).hold():
            if path.exists():
                continue
            _write(path, experiment, space, manifest)
            write_whole(parent / LATEST, f"{name}\n".encode())
            return path
    raise _taken(parent / names[0])


def _write(folder: StoredPath, experiment: Experiment, space: Space, manifest: dict[str, Any]) -> None:
    searched = yaml.safe_dump(space.model_dump(mode="json", exclude_defaults=True), sort_keys=False)
    (folder / EXPERIMENT).write_bytes(experiment_yaml(experiment).encode())
    (folder / SPACE).write_bytes(searched.encode())
    write_json(folder / MANIFEST, manifest)


def _check_name(name: str) -> None:
    if Path(name).name != name or name == LATEST or name.startswith("."):
        raise RunError(f"A run's name must be a plain file name other than {LATEST}, but got {name!r}.")


def _names(created: datetime) -> Iterator[str]:
    """Sortable names for a run, the plain one first; the others are for runs of the same second."""
    stamp = created.strftime("%Y%m%d-%H%M%S")
    yield stamp
    yield from (f"{stamp}-{again:03d}" for again in range(2, 1000))


def _rename_to_free_name(beside: Path, names: list[str]) -> Path:
    """Rename a directory to the first name that no other has; the file system decides, not a look before."""
    for name in names:
        try:
            return beside.rename(beside.with_name(name))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
    raise _taken(beside.with_name(names[0]))


def _taken(path: StoredPath) -> RunError:
    return RunError(
        f"There is a run {path.name} already, and runs are never overwritten. "
        f"Go on with it by --resume {reference(path)}, or give another name."
    )

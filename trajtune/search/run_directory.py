"""The directory of one search: what was asked for, and where its record lies.

::

    runs/20261122-214403/
      experiment.yaml  space.yaml   resolved, as searched
      run.json                      schema version, snapshot, trials requested, versions, created
      study.journal                 the Optuna study: the record
      search.log                    what was said while it was searched
      trials/0000/best.pt           checkpoints
      best.json                     the best finished trial so far
      baselines.json                what counting alone reaches on val
      lock                          held by the process that searches
    runs/latest                     a link to the newest

Knows nothing of Ray, Optuna and torch.
"""

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Final

import yaml

from trajtune.errors import RunError
from trajtune.experiment import (
    Experiment,
    StorageSettings,
    did_you_mean,
    load_yaml,
    save_experiment,
    validate,
)
from trajtune.search.space import Space

SCHEMA_VERSION: Final = 1
LATEST: Final = "latest"
TUNE_PREFIX: Final = ".tune-"
"""Ray Tune's own files: nobody reads them, and they go with the process that made them or the next."""
_EXPERIMENT: Final = "experiment.yaml"
_SPACE: Final = "space.yaml"
_MANIFEST: Final = "run.json"
_BEST: Final = "best.json"
_BASELINES: Final = "baselines.json"
_LOCK: Final = "lock"
_VERSIONS: Final = ("trajtune", "torch", "optuna", "ray", "numpy")


@dataclass(frozen=True)
class Run:
    """A run directory.

    Attributes:
        path: Absolute.
        experiment: As it was searched.
        space: As it was searched.
        manifest: What ``run.json`` says: ``schema_version``, ``snapshot`` (``path``, ``id``),
            ``requested``, ``created``, ``versions``.
    """

    path: Path
    experiment: Experiment
    space: Space
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def snapshot_path(self) -> Path:
        """Where the snapshot lay when the search began."""
        return Path(self.manifest["snapshot"]["path"])

    @property
    def snapshot_id(self) -> str:
        """Hash of the snapshot's content."""
        return str(self.manifest["snapshot"]["id"])

    @property
    def requested(self) -> int:
        """Trials asked for, in total."""
        return int(self.manifest["requested"])

    def best(self) -> dict[str, Any]:
        """The best finished trial: ``number``, ``params``, ``epoch``, ``metrics``, ``checkpoint``.

        Raises:
            RunError: If no trial has a result yet.
        """
        try:
            content: dict[str, Any] = json.loads((self.path / _BEST).read_text("utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                f"The run {self.name} has no finished trial yet. Go on with "
                f"`trajtune search --resume {self.name}`."
            ) from error
        return content

    def write_best(self, content: Mapping[str, Any]) -> None:
        """Replace what `best` gives."""
        _write_json(self.path / _BEST, content)

    def baselines(self) -> dict[str, dict[str, float | None]]:
        """Val metrics of every baseline, by name; empty before a search has measured them."""
        path = self.path / _BASELINES
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def write_baselines(self, content: Mapping[str, Mapping[str, float | None]]) -> None:
        """Write what `baselines` gives."""
        _write_json(self.path / _BASELINES, content)

    def with_requested(self, requested: int) -> "Run":
        """The same run with another number of trials asked for, on disk as well."""
        manifest = {**self.manifest, "requested": requested}
        _write_json(self.path / _MANIFEST, manifest)
        return Run(self.path, self.experiment, self.space, manifest)

    def is_searching(self) -> bool:
        """Whether a living process holds the run's lock."""
        with (self.path / _LOCK).open("a") as file:
            return not _lock(file, fcntl.LOCK_SH)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing; the lock goes with the process, however that ends.

        Raises:
            RunError: If another process holds it.
        """
        with (self.path / _LOCK).open("a") as file:
            # Somebody who asks for the status holds it for a moment.
            deadline = time.monotonic() + 1
            while not _lock(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise RunError(
                        f"Another process searches in {self.name}. Wait for it, or stop it with Ctrl-C there."
                    )
                time.sleep(0.05)
            yield


def create_run(
    experiment: Experiment, space: Space, *, name: str | None, snapshot_path: Path, snapshot_id: str
) -> Run:
    """Make a run directory that was not there, and point ``latest`` at it.

    Args:
        experiment: Resolved.
        space: Resolved.
        name: Its name; None makes a sortable one from the time (UTC).
        snapshot_path: The snapshot's directory.
        snapshot_id: Hash of its content.

    Raises:
        RunError: If a run of that name exists.
    """
    parent = Path(experiment.storage.runs).absolute()
    parent.mkdir(parents=True, exist_ok=True)
    if name is not None:
        _check_name(parent, name)
    created = datetime.now(UTC)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "snapshot": {"path": str(snapshot_path.absolute()), "id": snapshot_id},
        "requested": experiment.search.trials,
        "created": created.isoformat(timespec="seconds"),
        "versions": versions(),
    }
    # Written beside and renamed: a run is there whole or not at all.
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    try:
        save_experiment(experiment, beside / _EXPERIMENT)
        (beside / _SPACE).write_text(
            yaml.safe_dump(space.model_dump(mode="json", exclude_defaults=True), sort_keys=False), "utf-8"
        )
        _write_json(beside / _MANIFEST, manifest)
        beside.chmod(0o755)
        path = _rename_to_free_name(beside, [name] if name else _names(created))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _point_latest(parent, path.name)
    return Run(path, experiment, space, manifest)


def open_run(name: str | Path | None, storage: StorageSettings | None = None) -> Run:
    """Open a run by path or by name below ``storage.runs``; None opens the latest.

    Raises:
        RunError: If there is none, or it is not a run of this version.
    """
    parent = Path((storage or StorageSettings()).runs)
    path = _find(parent, name)
    try:
        manifest = json.loads((path / _MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a run: it has no readable {_MANIFEST}. Start a new search.") from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise RunError(
            f"This trajtune reads runs of version {SCHEMA_VERSION}, but {path} has "
            f"{manifest.get('schema_version')}. Search again."
        )
    experiment = validate(Experiment, load_yaml(path / _EXPERIMENT), str(path / _EXPERIMENT))
    space = validate(Space, load_yaml(path / _SPACE), str(path / _SPACE))
    return Run(path, experiment, space, manifest)


def known_runs(parent: Path | None = None) -> list[str]:
    """Names of the runs in a directory, sorted; None is the default storage's."""
    parent = parent or Path(StorageSettings().runs)
    return sorted(file.parent.name for file in parent.glob(f"*/{_MANIFEST}") if file.parent.name != LATEST)


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    return {name: metadata.version(name) for name in _VERSIONS}


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _find(parent: Path, name: str | Path | None) -> Path:
    if name is None:
        latest = parent / LATEST
        if not latest.exists():
            raise RunError(f"There is no run in {parent}/. Make one with `trajtune search`.")
        return latest.resolve()
    for candidate in (Path(name), parent / name):
        if (candidate / _MANIFEST).is_file():
            return candidate.resolve()
    known = known_runs(parent)
    there = (
        f"{did_you_mean(str(name), known)}There are: {', '.join(known[-5:])}"
        if known
        else "There is none yet; make one with `trajtune search`"
    )
    raise RunError(f"No run {name} in {parent}/. {there}.")


def _check_name(parent: Path, name: str) -> None:
    if Path(name).name != name or name == LATEST or name.startswith("."):
        raise RunError(f"A run's name must be a plain file name other than {LATEST}, but got {name!r}.")
    if (parent / name).exists():
        raise RunError(
            f"There is a run {name} already, and runs are never overwritten. "
            f"Go on with it by --resume {name}, or give another name."
        )


def _names(created: datetime) -> list[str]:
    """Sortable names for a run, the plain one first; the others are for runs of the same second."""
    stamp = created.strftime("%Y%m%d-%H%M%S")
    return [stamp, *(f"{stamp}-{again:03d}" for again in range(2, 1000))]


def _rename_to_free_name(beside: Path, names: Sequence[str]) -> Path:
    """Rename a directory to the first name that no other has; the file system decides, not a look before."""
    for name in names:
        try:
            return beside.rename(beside.with_name(name))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    raise RunError(f"There is a run {names[0]} already, and runs are never overwritten. Give another name.")


def _point_latest(parent: Path, name: str) -> None:
    beside = parent / f".{LATEST}.{name}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(name)
    os.replace(beside, parent / LATEST)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    os.replace(beside, path)

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

A run may lie in an object store instead, at ``s3://bucket/runs/NAME``. Then its study is in a database,
which also says who searches in it, and ``latest`` is an object that holds the newest's name.

Knows nothing of Ray, Optuna and torch.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trajtune.errors import RunError
from trajtune.experiment.load import did_you_mean, load_yaml, validate
from trajtune.experiment.settings import Experiment, StorageSettings
from trajtune.experiment.space import Space
from trajtune.search.runs.lock import FileLock, Lock, StillHeld
from trajtune.storage.path import ObjectPath, StoredPath, children, is_uri, stored_path, write_whole

SCHEMA_VERSION: Final = 1
LATEST: Final = "latest"
TUNE_PREFIX: Final = ".tune-"
"""Ray Tune's own files: nobody reads them, and they go with the process that made them or the next."""
EXPERIMENT: Final = "experiment.yaml"
SPACE: Final = "space.yaml"
MANIFEST: Final = "run.json"
_BEST: Final = "best.json"
_BASELINES: Final = "baselines.json"
_LOCK: Final = "lock"


@dataclass(frozen=True)
class Run:
    """A run directory.

    Attributes:
        path: Absolute, or a URI.
        experiment: As it was searched.
        space: As it was searched.
        manifest: What ``run.json`` says: ``schema_version``, ``snapshot`` (``path``, ``id``),
            ``requested``, ``created``, ``versions``.
    """

    path: StoredPath
    experiment: Experiment
    space: Space
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def reference(self) -> str:
        """What to call it by from here: its name below the default storage, else its path or URI."""
        return reference(self.path)

    @property
    def snapshot_path(self) -> StoredPath:
        """Where the snapshot lay when the search began."""
        return stored_path(self.manifest["snapshot"]["path"])

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
                f"`trajtune search --resume {self.reference}`."
            ) from error
        return content

    def write_best(self, content: Mapping[str, Any]) -> None:
        """Replace what `best` gives."""
        write_json(self.path / _BEST, content)

    def baselines(self) -> dict[str, dict[str, float | None]]:
        """Val metrics of every baseline, by name; empty before a search has measured them."""
        path = self.path / _BASELINES
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def write_baselines(self, content: Mapping[str, Mapping[str, float | None]]) -> None:
        """Write what `baselines` gives."""
        write_json(self.path / _BASELINES, content)

    def with_requested(self, requested: int) -> "Run":
        """The same run with another number of trials asked for, on disk as well."""
        manifest = {**self.manifest, "requested": requested}
        write_json(self.path / MANIFEST, manifest)
        return Run(self.path, self.experiment, self.space, manifest)

    def is_searching(self) -> bool:
        """Whether a living process holds the run; in a store, one that was killed does for some seconds."""
        return self._lock().is_held()

    @contextmanager
    def locked(self) -> Iterator[StillHeld]:
        """Hold the run for writing; what the block gets raises once another process has taken it over.

        Raises:
            RunError: If another process holds it.
        """
        with self._lock().hold() as still_held:
            yield still_held

    def _lock(self) -> Lock:
        if not isinstance(self.path, ObjectPath):
            return FileLock(self.path / _LOCK, self.name)
        from trajtune.search.runs.lease import Lease

        variable = self.experiment.storage.study_url_variable
        assert variable is not None, "an experiment with a store has it"
        return Lease(variable, str(self.path))


def open_run(name: str | Path | None, storage: StorageSettings | None = None) -> Run:
    """Open a run by path or by name below ``storage.runs``; None opens the latest.

    Raises:
        RunError: If there is none, or it is not a run of this version.
    """
    parent = stored_path((storage or StorageSettings()).runs)
    path = _find(parent, name)
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a run: it has no readable {MANIFEST}. Start a new search.") from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise RunError(
            f"This trajtune reads runs of version {SCHEMA_VERSION}, but {path} has "
            f"{manifest.get('schema_version')}. Search again."
        )
    experiment = validate(Experiment, load_yaml(path / EXPERIMENT), str(path / EXPERIMENT))
    space = validate(Space, load_yaml(path / SPACE), str(path / SPACE))
    return Run(path, experiment, space, manifest)


def reference(path: StoredPath) -> str:
    """What to call a run by from here: its name below the default storage, else its path or URI."""
    default = Path(StorageSettings().runs).absolute()
    return path.name if path.parent == default else str(path)


def known_runs(parent: StoredPath | None = None) -> list[str]:
    """Names of the runs in a directory, sorted; None is the default storage's."""
    parent = parent or Path(StorageSettings().runs)
    return [
        folder.name for folder in children(parent) if folder.name != LATEST and (folder / MANIFEST).is_file()
    ]


def write_json(path: StoredPath, content: Mapping[str, Any]) -> None:
    """Replace a file of a run."""
    write_whole(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def _find(parent: StoredPath, name: str | Path | None) -> StoredPath:
    if name is None:
        latest = _latest(parent)
        if latest is None:
            raise RunError(f"There is no run in {parent}/. Make one with `trajtune search`.")
        return latest
    for candidate in _candidates(parent, name):
        if candidate.name == LATEST and (latest := _latest(candidate.parent)):
            return latest
        if (candidate / MANIFEST).is_file():
            return candidate.absolute()
    if is_uri(str(name)):
        parent = stored_path(str(name)).parent
    known = known_runs(parent)
    there = (
        f"{did_you_mean(str(name), known)}There are: {', '.join(known[-5:])}"
        if known
        else "There is none yet; make one with `trajtune search`"
    )
    raise RunError(f"No run {name} in {parent}/. {there}.")


def _candidates(parent: StoredPath, name: str | Path) -> Iterator[StoredPath]:
    """Where a run of that name may be: a URI is one place, a path may be below ``parent`` too."""
    named = stored_path(name)
    if isinstance(named, ObjectPath):
        named.check()
        yield named
        return
    if isinstance(parent, ObjectPath):
        parent.check()
    else:
        yield named.resolve()
    yield parent / str(name)


def _latest(parent: StoredPath) -> StoredPath | None:
    """The newest run of a folder."""
    latest = parent / LATEST
    if isinstance(latest, Path):
        return latest.resolve() if latest.exists() else None
    latest.check()
    return parent / latest.read_text().strip() if latest.is_file() else None

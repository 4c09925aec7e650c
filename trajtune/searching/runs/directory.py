"""The directory of one search: its settings, its study and its checkpoints.

::

    runs/20261122-214403/
      experiment.yaml  space.yaml   resolved, as searched
      run.json                      schema version, snapshot, trials requested, versions, created, sha256 of
                                    the two files above, settings that were changed later
      study.journal                 the Optuna study: the record of all trials
      search.log                    what the search printed to stderr
      trials/0000/best.pt           checkpoints
      best.json                     the best finished trial so far
      baselines.json                val metrics of the counting baselines, and what `ngram` chose
      refits/                       what finalize has trained
      lock                          held by the process that searches
    runs/latest                     a link to the newest run

A run may be in an object store instead, at ``s3://bucket/runs/NAME``. Then its study is in a database, which
also records which process searches in it, and ``latest`` is an object with the newest run's name.

Knows nothing of Ray, Optuna and torch.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment.load import did_you_mean, load_yaml, validate
from trajtune.experiment.settings import Experiment, StorageSettings
from trajtune.experiment.space import Space
from trajtune.notebook import html_table
from trajtune.searching.runs.lock import FileLock, Lock, StillHeld
from trajtune.storage.files import follow_link, write_json
from trajtune.storage.path import StoredPath, check_reachable, children, is_uri, local_path, stored_path

if TYPE_CHECKING:
    import pandas as pd

    from trajtune.searching.runs.lease import Lease

SCHEMA_VERSION: Final = 1
LATEST: Final = "latest"
TUNE_PREFIX: Final = ".tune-"
"""Ray Tune's own files: nobody reads them; the process that made them deletes them, or the next one does."""
EXPERIMENT: Final = "experiment.yaml"
SPACE: Final = "space.yaml"
REFITS: Final = "refits"
"""What finalize has trained: checkpoints of finished refits, and a folder for each unfinished one."""
MANIFEST: Final = "run.json"
_BEST: Final = "best.json"
_BASELINES: Final = "baselines.json"
_CHOICE: Final = "choice"
_CHANGED: Final = "changed"
_LOCK: Final = "lock"


@dataclass(frozen=True)
class Run:
    """A run directory.

    Attributes:
        path: Absolute, or a URI.
        experiment: The experiment of the search, resolved, with the settings that a resume has changed.
        space: The space of the search, resolved.
        manifest: What ``run.json`` says: ``schema_version``, ``snapshot`` (``path``, ``id``),
            ``requested``, ``created``, ``versions``, ``files`` (sha256) and ``changed``: settings that
            a resume has changed, which no trial's value depends on.
    """

    path: StoredPath
    experiment: Experiment
    space: Space
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Run {self.reference}: {self.requested} trials on snapshot {self.snapshot_id[:16]}>"

    def _repr_html_(self) -> str:
        return html_table(repr(self)[1:-1], [], []) + str(self.leaderboard().head().to_html())

    def trials(self) -> "pd.DataFrame":
        """Every trial as a row, by number.

        Returns:
            State, val metrics of the best epoch, ``mean_value`` (over repeats), epochs, params and error.
        """
        from trajtune.searching.runs.tables import trials_frame

        return trials_frame(self.path, self.experiment.search)

    def leaderboard(self) -> "pd.DataFrame":
        """The trials that may win, best first.

        Returns:
            State, ``mean_value`` (over repeats), val metrics of the best epoch and the searched params.
        """
        from trajtune.searching.runs.tables import leaderboard_frame

        return leaderboard_frame(self.path, self.experiment.search, list(self.space.searched))

    def plot(self, kind: str = "history", metric: str | None = None) -> Any:
        """Draw the trials.

        Args:
            kind: ``history`` (values by trial), ``curves`` (values by epoch) or ``params`` (values by param).
            metric: A val metric; None: the deciding one.

        Returns:
            A plotly figure.
        """
        from trajtune.searching.runs.figures import figure

        metric = metric or self.experiment.search.metric
        return figure(kind, self.path, metric, list(self.space.searched), self.baselines())

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def reference(self) -> str:
        """What --resume takes: the name if it is in the default directory of runs, else the path or URI."""
        return reference(self.path)

    @property
    def snapshot_path(self) -> StoredPath:
        """The snapshot's directory when the search began."""
        return stored_path(self.manifest["snapshot"]["path"])

    @property
    def snapshot_id(self) -> str:
        """Hash of the snapshot's content."""
        return str(self.manifest["snapshot"]["id"])

    @property
    def requested(self) -> int:
        """Trials requested, in total."""
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
        except ValueError as error:
            raise RunError(
                f"{self.path / _BEST} is damaged. `trajtune doctor {self.reference} --mend` writes it again."
            ) from error
        return content

    def write_best(self, content: Mapping[str, Any]) -> None:
        """Write what `best` reads."""
        write_json(self.path / _BEST, content, allow_nan=True)

    def baselines(self) -> dict[str, dict[str, float | None]]:
        """Val metrics of every baseline, by name; empty before a search has measured them."""
        return {
            name: {metric: value for metric, value in found.items() if metric != _CHOICE}
            for name, found in self._baselines().items()
        }

    def ngram_choice(self) -> dict[str, Any] | None:
        """What the baseline `ngram` chose on val; None before that, and in runs of earlier versions."""
        choice: dict[str, Any] | None = self._baselines().get("ngram", {}).get(_CHOICE)
        return choice

    def write_baselines(
        self, metrics: Mapping[str, Mapping[str, float | None]], choice: Mapping[str, Any] | None = None
    ) -> None:
        """Write what `baselines` and `ngram_choice` read."""
        content = dict[str, Mapping[str, Any]](metrics)
        if choice is not None:
            content["ngram"] = {**content["ngram"], _CHOICE: dict(choice)}
        write_json(self.path / _BASELINES, content, allow_nan=True)

    def _baselines(self) -> dict[str, dict[str, Any]]:
        path = self.path / _BASELINES
        try:
            found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}  # a damaged file is written again by the next search
        return found

    def with_requested(self, requested: int) -> "Run":
        """The same run with another number of requested trials, which is written to its manifest."""
        manifest = {**self.manifest, "requested": requested}
        write_json(self.path / MANIFEST, manifest)
        return replace(self, manifest=manifest)

    def with_changed(self, changed: Mapping[str, Mapping[str, Any]]) -> "Run":
        """The same run with some settings changed, by section; its manifest keeps them.

        Its ``experiment.yaml`` stays as it is.
        """
        before = self.manifest.get(_CHANGED, {})
        merged = {name: {**before.get(name, {}), **changed.get(name, {})} for name in {**before, **changed}}
        manifest = {**self.manifest, _CHANGED: merged}
        experiment = validate(
            Experiment, _merged(self.experiment.model_dump(mode="json"), changed), self.name
        )
        write_json(self.path / MANIFEST, manifest)
        return replace(self, manifest=manifest, experiment=experiment)

    def is_searching(self) -> bool:
        """Whether a process holds the run; in a store, a killed one still does for some seconds."""
        return self._lock().is_held()

    @contextmanager
    def locked(self) -> Iterator[StillHeld]:
        """Hold the run for writing; the block gets a check that raises once another process has taken over.

        Raises:
            RunError: If another process holds it.
        """
        with self._lock().hold() as still_held:
            yield still_held

    def _lock(self) -> Lock:
        directory = local_path(self.path)
        if directory is not None:
            return FileLock(directory / _LOCK, self.name)
        return lease_of(self.path, self.experiment.storage)


def lease_of(path: StoredPath, storage: StorageSettings) -> "Lease":
    """The lease of a run in a store, whose files cannot be locked."""
    from trajtune.searching.runs.lease import Lease

    assert storage.study_url_variable is not None, "an experiment with a store has it"
    return Lease(storage.study_url_variable, str(path))


def open_run(name: str | Path | None = None, storage: StorageSettings | None = None) -> Run:
    """Open a run by path or by name below ``storage.runs``.

    Args:
        name: A name, a path or a URI; None opens the latest run.
        storage: Where runs are; None: in ``runs/`` here.

    Returns:
        The run, in whatever state.

    Raises:
        RunError: If there is none, or it is not a run of this version.
    """
    parent = stored_path((storage or StorageSettings()).runs)
    path = _resolve(parent, name)
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a run: it has no readable {MANIFEST}. Start a new search.") from error
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise RunError(
            f"This trajtune reads runs of version {SCHEMA_VERSION}, but {path} has "
            f"{manifest.get('schema_version')}. Search again."
        )
    for file, expected in manifest.get("files", {}).items():  # runs of earlier versions have no hashes
        _check_unaltered(path / file, expected)
    content = _merged(load_yaml(path / EXPERIMENT), manifest.get(_CHANGED, {}))
    experiment = validate(Experiment, content, str(path / EXPERIMENT))
    space = validate(Space, load_yaml(path / SPACE), str(path / SPACE))
    return Run(path, experiment, space, manifest)


def _check_unaltered(path: StoredPath, expected: str) -> None:
    try:
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise RunError(f"{path} is gone, without which the run cannot be read. Put it back.") from error
    if actual != expected:
        raise RunError(
            f"{path} was altered after the run began: its sha256 is {actual[:12]}..., {MANIFEST} says "
            f"{expected[:12]}.... Put it back; settings that a run may change are taken from "
            "`trajtune search EXPERIMENT --resume`."
        )


def _merged(content: Mapping[str, Any], changed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An experiment's content with some settings replaced."""
    sections = {name: {**content.get(name, {}), **settings} for name, settings in changed.items()}
    return {**content, **sections}


def reference(path: StoredPath) -> str:
    """What --resume takes: a run's name if it is in the default directory of runs, else its path or URI."""
    default = Path(StorageSettings().runs).absolute()
    return path.name if path.parent == default else str(path)


def known_runs(parent: StoredPath | None = None) -> list[str]:
    """Names of the runs in a directory, sorted; None is the default directory of runs."""
    parent = parent or Path(StorageSettings().runs)
    return [
        folder.name for folder in children(parent) if folder.name != LATEST and (folder / MANIFEST).is_file()
    ]


def _resolve(parent: StoredPath, name: str | Path | None) -> StoredPath:
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
    names = known_runs(parent)
    there = (
        f"{did_you_mean(str(name), names)}There are: {', '.join(names[-5:])}"
        if names
        else "There is none yet; make one with `trajtune search`"
    )
    raise RunError(f"No run {name} in {parent}/. {there}.")


def _candidates(parent: StoredPath, name: str | Path) -> Iterator[StoredPath]:
    """The paths that a name may mean: a URI is one path, a relative path may be below ``parent`` too."""
    if is_uri(str(name)):
        path = stored_path(name)
        check_reachable(path)
        yield path
        return
    check_reachable(parent)
    if local_path(parent):
        yield Path(name).resolve()
    yield parent / str(name)


def _latest(parent: StoredPath) -> StoredPath | None:
    """The newest run in a directory."""
    check_reachable(parent)
    return follow_link(parent / LATEST)

"""A run directory: the settings, the study and the checkpoints of one search.

::

    runs/20261122-214403/
      experiment.yaml  space.yaml   resolved, as used by the search
      run.json                      schema version, snapshot, trials requested, versions, created, sha256 of
                                    the two files above, settings that were changed later
      study.journal                 the Optuna study, which records all trials
      search.log                    what the search printed to stderr
      trials/0000/best.pt           checkpoints
      best.json                     the best finished trial so far
      baselines.json                val metrics of the counting baselines, and what `ngram` chose
      refits/                       checkpoints that finalize has trained
      lock                          held by the process that searches
    runs/latest                     a link to the newest run

A run can also be in an object store, at ``s3://bucket/runs/NAME``. Then its study is in a database. The
database also records which process searches in the run. ``latest`` is an object with the newest run's name.

Knows nothing of Ray, Optuna and torch.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import RunError
from trajtune.experiment.load import load_yaml, validate
from trajtune.experiment.settings import Experiment, StorageSettings
from trajtune.experiment.space import Space
from trajtune.notebook import html_table
from trajtune.searching.runs.files import (
    CHANGED_SPACE,
    EXPERIMENT,
    SPACE,
    check_files,
    read_manifest,
    sha256,
    space_content,
    space_yaml,
)
from trajtune.searching.runs.find import LATEST, MANIFEST, find_run, known_runs, reference
from trajtune.searching.runs.lock import FileLock, Lock, StillHeld
from trajtune.storage.files import write_file, write_json
from trajtune.storage.path import StoredPath, local_path, stored_path

if TYPE_CHECKING:
    import pandas as pd

    from trajtune.searching.runs.lease import Lease

__all__ = ["LATEST", "MANIFEST", "Run", "known_runs", "open_run", "reference"]

SCHEMA_VERSION: Final = 1
TUNE_PREFIX: Final = ".tune-"
"""Prefix of Ray Tune's files, which are never read. They are deleted after the search or before the next."""
REFITS: Final = "refits"
"""Folder of finalize: checkpoints of finished refits, and a folder for each unfinished refit."""
_BEST: Final = "best.json"
_BASELINES: Final = "baselines.json"
_CHOICE: Final = "choice"
_CHANGED: Final = "changed"
_LOCK: Final = "lock"


@dataclass(frozen=True)
class Run:
    """A run directory.

    Attributes:
        path: Absolute path or URI of the directory.
        experiment: The experiment of the search, resolved, including settings changed when resuming.
        space: The space of the search, resolved.
        manifest: Content of ``run.json``: ``schema_version``, ``snapshot`` (``path``, ``id``),
            ``requested``, ``created``, ``versions``, ``files`` (sha256) and ``changed``. ``changed`` has the
            settings that were changed when resuming; none of them affects the value of a trial. If the space
            was changed, ``space`` has the ``content`` of ``space.yaml``, ``before`` (its earlier sha256) and
            ``since``, the first trial of it.
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
        """Argument for --resume: the name if the run is in the default directory, else the path or URI."""
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
        """Return the best finished trial: ``number``, ``params``, ``epoch``, ``metrics``, ``checkpoint``.

        Raises:
            RunError: If no trial has a result yet.
        """
        try:
            content: dict[str, Any] = json.loads((self.path / _BEST).read_text("utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                f"The run {self.name} has no finished trial yet. Continue it with "
                f"`trajtune search --resume {self.reference}`."
            ) from error
        except ValueError as error:
            raise RunError(
                f"{self.path / _BEST} is damaged. "
                f"`trajtune doctor {self.reference} --repair` writes it again."
            ) from error
        return content

    def write_best(self, content: Mapping[str, Any]) -> None:
        """Write the content that `best` returns."""
        write_json(self.path / _BEST, content, allow_nan=True)

    def baselines(self) -> dict[str, dict[str, float | None]]:
        """Return val metrics of every baseline, by name; empty until a search has measured them."""
        return {
            name: {metric: value for metric, value in found.items() if metric != _CHOICE}
            for name, found in self._baselines().items()
        }

    def ngram_choice(self) -> dict[str, Any] | None:
        """Return what the baseline `ngram` chose on val; None if not measured, or in older runs."""
        choice: dict[str, Any] | None = self._baselines().get("ngram", {}).get(_CHOICE)
        return choice

    def write_baselines(
        self, metrics: Mapping[str, Mapping[str, float | None]], choice: Mapping[str, Any] | None = None
    ) -> None:
        """Write the content that `baselines` and `ngram_choice` return."""
        content = dict[str, Mapping[str, Any]](metrics)
        if choice is not None:
            content["ngram"] = {**content["ngram"], _CHOICE: dict(choice)}
        write_json(self.path / _BASELINES, content, allow_nan=True)

    def _baselines(self) -> dict[str, dict[str, Any]]:
        path = self.path / _BASELINES
        try:
            found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}  # the next search replaces a damaged file
        return found

    def with_requested(self, requested: int) -> "Run":
        """Return the run with another number of requested trials, after writing it to the manifest."""
        manifest = {**self.manifest, "requested": requested}
        write_json(self.path / MANIFEST, manifest)
        return replace(self, manifest=manifest)

    def with_changed(self, changed: Mapping[str, Mapping[str, Any]]) -> "Run":
        """Return the run with some settings changed, by section, after writing them to the manifest.

        ``experiment.yaml`` is not changed.
        """
        before = self.manifest.get(_CHANGED, {})
        merged = {name: {**before.get(name, {}), **changed.get(name, {})} for name in {**before, **changed}}
        manifest = {**self.manifest, _CHANGED: merged}
        experiment = validate(
            Experiment, _merged(self.experiment.model_dump(mode="json"), changed), self.name
        )
        write_json(self.path / MANIFEST, manifest)
        return replace(self, manifest=manifest, experiment=experiment)

    @property
    def space_since(self) -> int | None:
        """Number of the first trial that was asked for in the present space; None if it never changed."""
        changed: dict[str, Any] | None = self.manifest.get(CHANGED_SPACE)
        return None if changed is None else int(changed["since"])

    def with_space(self, space: Space, since: int) -> "Run":
        """Return the run with another space, after writing it; ``since``: the first trial of that space.

        ``run.json`` is written first, with the content of ``space.yaml`` and its hash. If the process dies
        before ``space.yaml`` is written, the run opens with the new space, and `write_space` writes the file.
        """
        text, files = space_yaml(space), self.manifest.get("files", {})
        change = {"since": since, "content": text, "before": sha256((self.path / SPACE).read_bytes())}
        files = {**files, SPACE: sha256(text.encode())}
        manifest = {**self.manifest, "files": files, CHANGED_SPACE: change}
        write_json(self.path / MANIFEST, manifest)
        run = replace(self, manifest=manifest, space=space)
        run.write_space()
        return run

    def write_space(self) -> None:
        """Write ``space.yaml`` after a change of the space."""
        write_file(self.path / SPACE, self.manifest[CHANGED_SPACE]["content"].encode())

    def is_searching(self) -> bool:
        """Return whether a process has locked the run.

        In an object store, the lock of a killed process lasts for some seconds.
        """
        return self._lock().is_held()

    @contextmanager
    def locked(self) -> Iterator[StillHeld]:
        """Lock the run for writing while the block runs.

        Yields:
            A check that raises `RunError` once another process has taken over the run.

        Raises:
            RunError: If another process has locked the run.
        """
        with self._lock().hold() as still_held:
            yield still_held

    def _lock(self) -> Lock:
        directory = local_path(self.path)
        if directory is not None:
            return FileLock(directory / _LOCK, self.name)
        return lease_of(self.path, self.experiment.storage)


def lease_of(path: StoredPath, storage: StorageSettings) -> "Lease":
    """Return the lease of a run in an object store, whose files cannot be locked."""
    from trajtune.searching.runs.lease import Lease

    assert storage.study_url_variable is not None, "an experiment with a store has it"
    return Lease(storage.study_url_variable, str(path))


def open_run(name: str | Path | None = None, storage: StorageSettings | None = None) -> Run:
    """Open a run by path, or by name below ``storage.runs``.

    Args:
        name: A name, a path or a URI; None opens the latest run.
        storage: Where runs are; None: ``runs/`` in the current directory.

    Returns:
        The run, in whatever state.

    Raises:
        RunError: If there is no such run, or if another version of trajtune wrote it.
    """
    parent = stored_path((storage or StorageSettings()).runs)
    path = find_run(parent, name)
    manifest = read_manifest(path)
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise RunError(
            f"This trajtune reads runs of version {SCHEMA_VERSION}, but {path} has "
            f"{manifest.get('schema_version')}. Search again."
        )
    try:
        check_files(path, manifest)
    except RunError:
        if read_manifest(path) == manifest:
            raise
        return open_run(name, storage)  # another process changed the space at this moment
    content = _merged(load_yaml(path / EXPERIMENT), manifest.get(_CHANGED, {}))
    experiment = validate(Experiment, content, str(path / EXPERIMENT))
    space = validate(Space, space_content(path, manifest), str(path / SPACE))
    return Run(path, experiment, space, manifest)


def _merged(content: Mapping[str, Any], changed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return an experiment's content with some settings replaced."""
    sections = {name: {**content.get(name, {}), **settings} for name, settings in changed.items()}
    return {**content, **sections}

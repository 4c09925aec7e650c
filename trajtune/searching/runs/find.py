"""Find a run's directory by name, path or URI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trajtune.errors import RunError
from trajtune.experiment.load import did_you_mean
from trajtune.experiment.settings import StorageSettings
from trajtune.storage.files import follow_link
from trajtune.storage.path import StoredPath, check_reachable, children, is_uri, local_path, stored_path

LATEST: Final = "latest"
MANIFEST: Final = "run.json"


def reference(path: StoredPath) -> str:
    """Return the argument for --resume: a run's name if it is in the default directory, else path or URI."""
    default = Path(StorageSettings().runs).absolute()
    return path.name if path.parent == default else str(path)


def known_runs(parent: StoredPath | None = None) -> list[str]:
    """Return the sorted names of the runs in a directory; None means the default directory of runs."""
    parent = parent or Path(StorageSettings().runs)
    return [
        folder.name for folder in children(parent) if folder.name != LATEST and (folder / MANIFEST).is_file()
    ]


def find_run(parent: StoredPath, name: str | Path | None) -> StoredPath:
    """Return the directory of the run that ``name`` means; None means the newest in ``parent``.

    Raises:
        RunError: If there is none; names the most similar run.
    """
    if name is None:
        latest = _latest(parent)
        if latest is None:
            raise RunError(f"There is no run in {parent}/. Start one with `trajtune search`.")
        return latest
    for candidate in _candidates(parent, name):
        if candidate.name == LATEST and (latest := _latest(candidate.parent)):
            return latest
        if (candidate / MANIFEST).is_file():
            return candidate.absolute()
    if is_uri(str(name)):
        parent = stored_path(str(name)).parent
    names = known_runs(parent)
    existing = (
        f"{did_you_mean(str(name), names)}Existing runs: {', '.join(names[-5:])}"
        if names
        else "There is none yet; start one with `trajtune search`"
    )
    raise RunError(f"No run {name} in {parent}/. {existing}.")


def _candidates(parent: StoredPath, name: str | Path) -> Iterator[StoredPath]:
    """Yield the paths that a name may mean: a URI as it is, or a path and the name below ``parent``."""
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
    """Return the newest run in a directory, or None without one."""
    check_reachable(parent)
    return follow_link(parent / LATEST)

"""Creates and opens the study of a run, in a journal file or in a database."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trajtune.errors import RunError
from trajtune.experiment.objective import DIRECTIONS
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.study.journal import JOURNAL, clear_crash, journal_storage
from trajtune.searching.study.objectives import record_objectives
from trajtune.searching.study.pruner import make_pruner
from trajtune.searching.study.retries import set_retries
from trajtune.storage.files import write_file
from trajtune.storage.path import StoredPath, local_path

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

    from trajtune.searching.study.database import DatabaseRetries

DATABASE_FILE: Final = "study.json"
"""File that names the database and the study, if the study is not in the run directory."""

_NAME_IN_JOURNAL: Final = "search"


def create_study(
    directory: StoredPath, settings: SearchSettings, max_epochs: int, *, url_variable: str | None = None
) -> "optuna.Study":
    """Create the run's study, or open it for writing.

    Only one process at a time may do so: the caller must hold the run's lock.

    Args:
        directory: The run directory.
        settings: Objectives, constraints and pruner.
        max_epochs: Maximum number of epochs of a trial.
        url_variable: Environment variable with the URL of the database for a new study; None: a journal in
            the run directory. It is ignored for an existing study.

    Raises:
        RunError: If the study's database cannot be used.
    """
    import optuna

    def create(storage: "BaseStorage", name: str) -> "optuna.Study":
        return optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            directions=[DIRECTIONS[metric] for metric in settings.metrics],
            pruner=make_pruner(settings.pruner, max_epochs),
        )

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url_variable is not None and not (directory / JOURNAL).exists():
        _choose_database(directory, url_variable)
    location = _database_location(directory)
    if location is None:
        clear_crash(_on_disk(directory))
        study = create(journal_storage(_on_disk(directory)), _NAME_IN_JOURNAL)
    else:
        from trajtune.searching.study.database import writer_retries

        study = _open(location, writer_retries(location.url_variable), create)
    record_objectives(study, settings)
    return study


def read_study(directory: StoredPath) -> "optuna.Study":
    """Open the run's study for reading; another process may write to it at the same time.

    Raises:
        RunError: If there is no study, if it is damaged, or if its database cannot be used.
    """
    import optuna

    def load(storage: "BaseStorage", name: str) -> "optuna.Study":
        return optuna.load_study(study_name=name, storage=storage)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    location = _database_location(directory)
    if location is not None:
        from trajtune.searching.study.database import reader_retries

        try:
            return _open(location, reader_retries(location.url_variable), load)
        except KeyError as error:
            raise RunError(
                f"The database in {location.url_variable} has no study {location.study_name}. "
                "Set the variable to the search's database, or resume the run if it never started."
            ) from error
    journal = directory / JOURNAL
    if not journal.is_file():
        raise RunError(f"{directory} has no {JOURNAL}. Give a run that `trajtune search` has created.")
    try:
        return load(journal_storage(_on_disk(directory)), _NAME_IN_JOURNAL)
    except KeyError as error:
        raise RunError(
            f"{journal} contains no study yet. Wait until the search has started, or resume it."
        ) from error
    except ValueError as error:
        raise RunError(f"{journal} is damaged: {error}. Fix it with `trajtune doctor`.") from error


@dataclass(frozen=True)
class _DatabaseLocation:
    """Location of a study in a database; the URL itself is never stored."""

    url_variable: str
    study_name: str


def _open(
    location: _DatabaseLocation,
    retries: "DatabaseRetries",
    open_in: "Callable[[BaseStorage, str], optuna.Study]",
) -> "optuna.Study":
    """Open a study in a database; ``retries`` repeats operations on it."""
    from trajtune.searching.study.database import database_storage

    storage = database_storage(retries)
    study = retries(lambda: open_in(storage, location.study_name))
    set_retries(study, retries)
    return study


def _database_location(directory: StoredPath) -> _DatabaseLocation | None:
    path = directory / DATABASE_FILE
    if not path.exists():
        return None
    content = json.loads(path.read_text("utf-8"))
    return _DatabaseLocation(content["url_variable"], content["study_name"])


def _choose_database(directory: StoredPath, url_variable: str) -> None:
    """Write the location of the new study. Its name is unique, because many runs may share the database."""
    path = directory / DATABASE_FILE
    if path.exists():
        return
    name = f"{directory.name}-{secrets.token_hex(4)}"
    content = json.dumps({"url_variable": url_variable, "study_name": name})
    write_file(path, f"{content}\n".encode())


def _on_disk(directory: StoredPath) -> Path:
    """Return the local directory of a run whose study is a journal."""
    local = local_path(directory)
    assert local is not None, "a journal cannot grow in an object store"
    return local

"""The journal file of a study in the run directory, with one line of JSON per record."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

JOURNAL: Final = "study.journal"


def journal_storage(directory: Path) -> "JournalStorage":
    """Return Optuna's storage in the run's journal, which is created if missing."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path = str(directory / JOURNAL)
    # Optuna's default lock is a symbolic link, which some file systems do not support.
    return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))


def clear_crash(directory: Path) -> None:
    """Remove what a killed writer left: an incomplete record and its lock."""
    journal = directory / JOURNAL
    if journal.exists():
        cut_incomplete_record(journal)
        (directory / f"{JOURNAL}.lock").unlink(missing_ok=True)


def incomplete_bytes(journal: Path) -> int:
    """Return the number of bytes after the last complete record; a writer died while it wrote them."""
    with journal.open("rb") as file:
        size = end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - 4096)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return size - (start + newline + 1)
            end = start
    return size


def cut_incomplete_record(journal: Path) -> None:
    """Truncate the journal after its last complete record."""
    incomplete = incomplete_bytes(journal)
    if incomplete:
        os.truncate(journal, journal.stat().st_size - incomplete)

"""Does the disk agree with the study? What does not, in one line each, and how it is mended.

The study is the record: what is mended is always the rest. A search does the same for itself when it
resumes; this is for looking, and for runs that nobody wants to resume.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trajtune.errors import RunError, SnapshotError, TrainingError
from trajtune.search.runs.directory import TUNE_PREFIX, Run
from trajtune.search.runs.retention import best_entry, keep_best, kept_numbers
from trajtune.search.study.journal import JOURNAL, cut_incomplete_record, incomplete_bytes
from trajtune.search.study.open import read_study
from trajtune.search.study.trial_records import UNFINISHED, TrialRecord, read_trials
from trajtune.search.trial import BEST, LAST, PREVIOUS
from trajtune.storage.path import StoredPath, children, remove_tree

_AGAIN: Final = "the study keeps its results; for its weights, `trajtune train` with its params"


@dataclass(frozen=True)
class Finding:
    """One disagreement.

    Attributes:
        what: One line.
        remedy: What mends it.
        mend: Does so; None where only the user can.
    """

    what: str
    remedy: str
    mend: Callable[[], None] | None = None


def examine(run: Run) -> list[Finding]:
    """Everything in which the run's files disagree with its study; empty if nothing does.

    Raises:
        RunError: If the study cannot be read at all, or the search is running (then they may differ).
    """
    with run.locked():
        findings = list(_journal(run))
        trials = read_trials(read_study(run.path))
        findings += _unfinished(run, trials)
        findings += _checkpoints(run, trials)
        findings += _strangers(run, trials)
        findings += _best(run, trials)
        findings += _snapshot(run)
    return findings


def mend(run: Run, findings: list[Finding]) -> list[Finding]:
    """Mend what can be mended; gives what is left for the user."""
    with run.locked():
        for finding in findings:
            if finding.mend is not None:
                finding.mend()
    return [finding for finding in findings if finding.mend is None]


def _journal(run: Run) -> Iterator[Finding]:
    journal = run.path / JOURNAL
    if not isinstance(journal, Path) or not journal.exists():
        return  # the study is in a database, or missing, which reading it says
    incomplete = incomplete_bytes(journal)
    if incomplete:
        yield Finding(
            f"{JOURNAL} ends in the middle of a record ({incomplete} bytes)",
            "cut it off; it was never acknowledged",
            lambda: cut_incomplete_record(journal),
        )
    lock = journal.with_name(f"{JOURNAL}.lock")
    if lock.is_symlink():
        yield Finding(f"a killed process left {lock.name}", "remove it", lambda: lock.unlink())


def _unfinished(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    running = [str(trial.number) for trial in trials if trial.state == "RUNNING"]
    if running:
        yield Finding(
            f"trials {', '.join(running)} are RUNNING, but no process is at them",
            f"`trajtune search --resume {run.reference}` goes on with them",
        )


def _checkpoints(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    from trajtune.model.checkpoint import load_checkpoint

    kept = kept_numbers(run, trials)
    for trial in trials:
        folder, ended = run.path / trial.directory, trial.state not in UNFINISHED
        if ended and trial.number in kept and not (folder / BEST).exists():
            yield Finding(f"trial {trial.number} has lost {trial.directory}/{BEST}", _AGAIN)
        for path in children(folder, "*.pt"):
            name = f"{trial.directory}/{path.name}"
            if ended and path.name in (LAST, PREVIOUS):
                yield Finding(f"{name} is there, but the trial has ended", "delete it", _unlink(path))
                continue
            try:
                epoch = load_checkpoint(path)["epoch"]
            except TrainingError:
                if ended:
                    yield Finding(f"{name} is damaged", _AGAIN)
                else:
                    yield Finding(f"{name} is damaged", "delete it; the one before is used", _unlink(path))
                continue
            if ended and epoch != trial.best_epoch:
                yield Finding(f"{name} is of epoch {epoch}, the study says {trial.best_epoch}", _AGAIN)


def _strangers(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    known = {trial.directory for trial in trials}
    kept = kept_numbers(run, trials)
    dropped = {t.directory for t in trials if t.state not in UNFINISHED and t.number not in kept}
    for folder in children(run.path / "trials"):
        name = f"trials/{folder.name}"
        if name not in known:
            yield Finding(f"{name} belongs to no trial of the study", "delete it", _remove(folder))
        elif name in dropped:
            yield Finding(
                f"{name} is there, but its trial is not among the best", "delete it", _remove(folder)
            )
    for folder in children(run.path, f"{TUNE_PREFIX}*"):
        yield Finding(f"a killed search left {folder.name}", "delete it", _remove(folder))


def _best(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    entry = best_entry(trials)
    try:
        written = run.best()
    except RunError:
        written = None
    if json.dumps(entry, sort_keys=True) != json.dumps(written, sort_keys=True):
        yield Finding(
            "best.json is not what the study says", "write it again", lambda: keep_best(run, trials)
        )


def _snapshot(run: Run) -> Iterator[Finding]:
    from trajtune.dataset.snapshot import open_snapshot

    try:
        found = open_snapshot(run.snapshot_path).id
    except SnapshotError as error:
        yield Finding(str(error), "put the snapshot back")
        return
    if found != run.snapshot_id:
        yield Finding(
            f"the snapshot at {run.snapshot_path} is {found}, the run's was {run.snapshot_id}",
            "put the former one back",
        )


def _unlink(path: StoredPath) -> Callable[[], None]:
    return lambda: path.unlink(missing_ok=True)


def _remove(folder: StoredPath) -> Callable[[], None]:
    return lambda: remove_tree(folder)

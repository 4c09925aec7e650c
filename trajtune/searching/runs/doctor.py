"""Finds files of a run that disagree with its study, and fixes them.

The study is the source of truth and is never changed. A search makes the same fixes when it resumes. This
module is for inspection, and for runs that will not be resumed.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from trajtune.errors import RunError, SnapshotError, TrainingError
from trajtune.searching.runs.directory import REFITS, TUNE_PREFIX, Run
from trajtune.searching.runs.retention import best_entry, retain_best, retained_trials
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.searching.study.journal import JOURNAL, cut_incomplete_record, incomplete_bytes
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import UNFINISHED, WITH_RESULT, TrialRecord, read_trials
from trajtune.searching.trial import BEST, LAST, PREVIOUS
from trajtune.storage.path import StoredPath, children, local_path, remove_tree

_RETRAIN: Final = "the study still has its results; to get its weights, run `trajtune train` with its params"


@dataclass(frozen=True)
class Finding:
    """A disagreement between files and study.

    Attributes:
        what: Description in one line.
        remedy: Instruction to fix it.
        fix: Function that fixes it; None if only the user can.
    """

    what: str
    remedy: str
    fix: Callable[[], None] | None = None


def examine(run: Run) -> list[Finding]:
    """Return every disagreement of the run's files with its study.

    Raises:
        RunError: If the study cannot be read, or if the search is running: then files and study may differ.
    """
    with run.locked():
        findings = list(_journal(run))
        trials = read_trials(read_study(run.path))
        findings += _unfinished(run, trials)
        findings += _checkpoints(run, trials)
        findings += _unknown_files(run, trials)
        findings += _best(run, trials)
        findings += _refits(run)
        findings += _snapshot(run)
    return findings


def fix(run: Run, findings: list[Finding]) -> list[Finding]:
    """Fix what can be fixed, and return the findings that only the user can fix."""
    with run.locked():
        for finding in findings:
            if finding.fix is not None:
                finding.fix()
    return [finding for finding in findings if finding.fix is None]


def _journal(run: Run) -> Iterator[Finding]:
    journal = local_path(run.path / JOURNAL)
    if journal is None or not journal.exists():
        return  # the study is in a database; reading it raises an error if it is missing
    incomplete = incomplete_bytes(journal)
    if incomplete:
        yield Finding(
            f"{JOURNAL} ends in the middle of a record ({incomplete} bytes)",
            "remove the incomplete record; no result depends on it",
            lambda: cut_incomplete_record(journal),
        )
    lock = journal.with_name(f"{JOURNAL}.lock")
    if os.path.lexists(lock):  # earlier versions left a dangling symbolic link
        yield Finding(f"a killed process left {lock.name}", "remove it", lambda: lock.unlink())


def _unfinished(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    running = [str(trial.number) for trial in trials if trial.state == "RUNNING"]
    if running:
        yield Finding(
            f"trials {', '.join(running)} are RUNNING, but no process trains them",
            f"`trajtune search --resume {run.reference}` continues them",
        )


def _checkpoints(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    from trajtune.model.checkpoint import load_checkpoint

    retained = retained_trials(run, trials)
    for trial in trials:
        folder, ended = run.path / trial.directory, trial.state not in UNFINISHED
        has_result = trial.state in WITH_RESULT and trial.best_epoch is not None
        if has_result and trial.number in retained and not (folder / BEST).exists():
            yield Finding(f"trial {trial.number} lacks its checkpoint {trial.directory}/{BEST}", _RETRAIN)
        for path in children(folder, "*.pt"):
            name = f"{trial.directory}/{path.name}"
            if ended and path.name in (LAST, PREVIOUS):
                yield Finding(f"{name} exists, but the trial has ended", "delete it", _unlink(path))
                continue
            try:
                epoch = load_checkpoint(path)["epoch"]
            except TrainingError:
                if ended:
                    yield Finding(f"{name} is damaged", _RETRAIN)
                else:
                    yield Finding(
                        f"{name} is damaged", "delete it; the previous checkpoint is used", _unlink(path)
                    )
                continue
            if ended and epoch != trial.best_epoch:
                yield Finding(
                    f"{name} is of epoch {epoch}, but the study's best epoch is {trial.best_epoch}", _RETRAIN
                )


def _unknown_files(run: Run, trials: list[TrialRecord]) -> Iterator[Finding]:
    directories = {trial.directory for trial in trials}
    retained = retained_trials(run, trials)
    dropped = {t.directory for t in trials if t.state not in UNFINISHED and t.number not in retained}
    for folder in children(run.path / "trials"):
        name = f"trials/{folder.name}"
        if name not in directories:
            yield Finding(f"{name} belongs to no trial of the study", "delete it", _remove(folder))
        elif name in dropped:
            yield Finding(f"{name} exists, but its trial is not among the best", "delete it", _remove(folder))
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
            "best.json disagrees with the study", "write it again", lambda: retain_best(run, trials)
        )


def _refits(run: Run) -> Iterator[Finding]:
    from trajtune.model.checkpoint import load_checkpoint

    for path in children(run.path / REFITS, "*.pt"):
        try:
            load_checkpoint(path)
        except TrainingError:
            yield Finding(
                f"{REFITS}/{path.name} is damaged", "delete it; finalize trains it again", _unlink(path)
            )


def _snapshot(run: Run) -> Iterator[Finding]:
    try:
        snapshot_of_run(run)
    except SnapshotError as error:
        yield Finding(str(error), "restore the snapshot")


def _unlink(path: StoredPath) -> Callable[[], None]:
    return lambda: path.unlink(missing_ok=True)


def _remove(folder: StoredPath) -> Callable[[], None]:
    return lambda: remove_tree(folder)

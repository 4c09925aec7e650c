"""Determines the best trials and deletes the checkpoints of the others."""

import json
from collections.abc import Sequence
from typing import Any

from trajtune.errors import RunError
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import (
    UNFINISHED,
    TrialRecord,
    best_trial,
    ranked,
    read_trials,
    research_default,
)
from trajtune.searching.trial import BEST, delete_resumable
from trajtune.storage.path import remove_tree


def top_trials(run: Run, count: int) -> list[TrialRecord]:
    """Return the best ``count`` different configurations among the finished trials of a run, best first."""
    return ranked(read_trials(read_study(run.path)))[:count]


def retain_best(run: Run, trials: Sequence[TrialRecord]) -> None:
    """Write ``best.json`` and delete the checkpoints of finished trials that are not retained."""
    entry = best_entry(trials)
    if entry is not None:
        run.write_best(entry)
    retained = retained_trials(run, trials)
    for trial in trials:
        folder = run.path / trial.directory
        if trial.state in UNFINISHED or not folder.exists():
            continue
        if trial.number in retained:
            delete_resumable(folder)
        else:
            remove_tree(folder)


def restore_best(run: Run) -> None:
    """Write ``best.json`` again if it is missing, is damaged or disagrees with the study.

    Raises:
        RunError: If no trial has a result yet.
    """
    entry = best_entry(read_trials(read_study(run.path)))
    try:
        written = run.best()
    except RunError:
        if entry is None:
            raise
        written = None
    if entry is not None and json.dumps(entry, sort_keys=True) != json.dumps(written, sort_keys=True):
        run.write_best(entry)


def best_entry(trials: Sequence[TrialRecord]) -> dict[str, Any] | None:
    """Return the content of ``best.json``, or None without a finished trial."""
    best = best_trial(trials)
    if best is None:
        return None
    return {
        "number": best.number,
        "params": dict(best.params),
        "epoch": best.best_epoch,
        "metrics": best.metrics,
        "checkpoint": f"{best.directory}/{BEST}",
    }


def retained_trials(run: Run, trials: Sequence[TrialRecord]) -> set[int]:
    """Return the numbers of trials whose checkpoints are kept: the best ones and the research default."""
    default = research_default(trials)
    best = ranked(trials)[: run.experiment.search.keep_checkpoints]
    return {trial.number for trial in [*best, *([default] if default else [])]}

"""The runs of a directory, newest first, each with its state, its best value and its bundles."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from trajtune.errors import TrajtuneError
from trajtune.experiment.objective import cost
from trajtune.page.format import metric_value
from trajtune.searching.runs.directory import MANIFEST, Run, known_runs, open_run
from trajtune.searching.show.progress import FINISHED
from trajtune.searching.study.open import read_study
from trajtune.searching.study.origins import TRAINING_ORIGIN
from trajtune.searching.study.trial_records import TrialRecord, best_trial, read_trials
from trajtune.searching.val_baselines import best_baseline
from trajtune.storage.path import StoredPath

if TYPE_CHECKING:
    from rich.table import Table

_BUNDLE: Final = "manifest.json"
"""What makes a directory a bundle."""

_SHOWN_ID: Final = 16
"""Digits of a snapshot's id: those of its directory's name."""


def list_runs(parent: StoredPath) -> list[dict[str, Any]]:
    """The runs in a directory, newest first.

    Returns:
        For each run: ``run``, ``path``, ``state`` (searching, done, unfinished or unreadable), ``created``,
        ``snapshot`` (its id), ``trials_done``, ``trials``, ``metric``, ``best`` (its mean over seeds),
        ``best_trial``, ``gain`` (of the best trial, positive is better) and ``gain_over``: ``training``, or
        the best baseline if the experiment's training has no result; ``bundles`` (paths) and ``error`` (one
        line, for a run that cannot be read). What is not known is None.
    """
    found = [_entry(parent / name) for name in known_runs(parent)]
    return sorted(found, key=lambda entry: (entry["created"] or "", entry["run"]), reverse=True)


def print_runs(runs: Sequence[dict[str, Any]], file: TextIO) -> None:
    """Print the result of `list_runs` as a table."""
    from rich.console import Console

    console = Console(file=file, highlight=False, width=None if file.isatty() else 200)
    console.print(_table(runs))
    for entry in runs:
        if entry["error"]:
            console.print(f"{entry['run']}: {entry['error']}", markup=False)


def _table(runs: Sequence[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(
        "run", "state", "trials", "best", "gain over", "snapshot", "created (UTC)", "bundle", box=None
    )
    for entry in runs:
        best = "" if entry["best"] is None else f"{entry['metric']} {metric_value(entry['best'])}"
        gain = "" if entry["gain"] is None else f"{entry['gain']:+.4f} {entry['gain_over']}"
        table.add_row(
            entry["run"],
            entry["state"],
            "" if entry["trials"] is None else f"{entry['trials_done']} of {entry['trials']}",
            best,
            gain,
            (entry["snapshot"] or "")[:_SHOWN_ID],
            (entry["created"] or "")[:16].replace("T", " "),
            ", ".join(entry["bundles"]),
        )
    return table


def _entry(path: StoredPath) -> dict[str, Any]:
    empty = dict.fromkeys(
        (
            *("state", "created", "snapshot", "trials_done", "trials", "metric"),
            *("best", "best_trial", "gain", "gain_over", "error"),
        )
    )
    entry: dict[str, Any] = {"run": path.name, "path": str(path), **empty, "bundles": []}
    with suppress(OSError, ValueError):  # so that a run that cannot be opened is in its place, too
        entry["created"] = json.loads((path / MANIFEST).read_text("utf-8")).get("created")
    try:
        run = open_run(path if isinstance(path, Path) else str(path))
        entry |= _of_run(run)
        trials = read_trials(read_study(run.path))
        entry |= _of_trials(run, trials)
    except TrajtuneError as error:
        return {**entry, "state": "unreadable", "error": str(error)}
    return entry


def _of_run(run: Run) -> dict[str, Any]:
    return {
        "snapshot": run.snapshot_id,
        "trials": run.requested,
        "metric": run.experiment.search.metric,
        "bundles": list(_bundles(run)),
    }


def _of_trials(run: Run, trials: Sequence[TrialRecord]) -> dict[str, Any]:
    done = sum(trial.state in FINISHED for trial in trials)
    best = best_trial(trials)
    gain, over = _gain(run, trials, best) if best else (None, None)
    state = "searching" if run.is_searching() else "done" if done >= run.requested else "unfinished"
    return {
        "state": state,
        "trials_done": done,
        "best": best.mean_value if best else None,
        "best_trial": best.number if best else None,
        "gain": gain,
        "gain_over": over,
    }


def _gain(run: Run, trials: Sequence[TrialRecord], best: TrialRecord) -> tuple[float | None, str | None]:
    training = next((trial for trial in trials if trial.origin == TRAINING_ORIGIN and trial.costs), None)
    if training is not None:
        return training.mean_costs[0] - best.mean_costs[0], "training"
    metric = run.experiment.search.metric
    baseline = best_baseline(run.baselines(), metric)
    return (None, None) if baseline is None else (cost(metric, baseline[1]) - best.mean_costs[0], baseline[0])


def _bundles(run: Run) -> Iterator[str]:
    """Paths of the bundles of a run below ``storage.bundles``, sorted."""
    for manifest in sorted(Path(run.experiment.storage.bundles).glob(f"*/{_BUNDLE}")):
        try:
            content = json.loads(manifest.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if (content.get("run"), content.get("snapshot")) == (run.name, run.snapshot_id):
            yield str(manifest.parent)

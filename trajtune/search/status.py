"""A search's state for people and programs, from the run directory alone; also while it runs.

Reads the study and nothing of Ray or torch.
"""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TextIO

from trajtune.search.baselines import best_baseline
from trajtune.search.record import TrialRecord, ranked, read_trials, research_default
from trajtune.search.run_directory import Run
from trajtune.search.study import RESEARCH_DEFAULT_ORIGIN, read_study

if TYPE_CHECKING:
    from rich.table import Table

STATES: Final = ("WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL")
_SHOWN: Final = 20


def status_of(run: Run) -> dict[str, Any]:
    """The state of a search.

    Returns:
        ``run``, ``searching`` (whether a process is at it now), ``metric``, ``requested``, ``searched``
        (names of params); ``trials``:
        ``number``, ``state`` (as Optuna names it), ``origin``, ``params``, ``best_epoch``, ``epochs`` (how
        many), ``seconds``, ``metrics`` (of the best epoch), ``error``, ``duplicate_of``; ``counts`` by
        state; ``best`` and ``research_default``: the entries of those trials, None where there is no
        result; ``gain``: research default minus best of the metric, None where either is missing;
        ``baselines``: val metrics by name, empty before the first search has measured them.
    """
    trials = read_trials(read_study(run.path))
    counts = Counter(trial.state for trial in trials)
    best, default = next(iter(ranked(trials)), None), research_default(trials)
    compared = best is not None and default is not None and default.value is not None
    return {
        "run": run.name,
        "searching": run.is_searching(),
        "metric": run.experiment.search.metric,
        "requested": run.requested,
        "searched": list(run.space.searched),
        "counts": {state: counts[state] for state in STATES},
        "best": _entry(best) if best else None,
        "research_default": _entry(default) if default and default.value is not None else None,
        "gain": default.value - best.value if compared else None,  # type: ignore[union-attr,operator]
        "baselines": run.baselines(),
        "trials": [_entry(trial) for trial in trials],
    }


def print_status(status: dict[str, Any], file: TextIO | None = None) -> None:
    """Print what `status_of` gave as a leaderboard."""
    from rich.console import Console

    file = file or sys.stdout
    console = Console(file=file, highlight=False, width=None if file.isatty() else 200)
    counts = ", ".join(f"{number} {state.lower()}" for state, number in status["counts"].items() if number)
    doing = "searching now" if status["searching"] else "not running"
    console.print(f"run {status['run']} ({doing}): {status['requested']} trials requested; {counts}")
    metric, best, default = status["metric"], status["best"], status["research_default"]
    if best:
        console.print(f"best {metric} {best['metrics'][metric]:.4f}: trial {best['number']}")
    if default:
        console.print(f"research default {default['metrics'][metric]:.4f}: trial {default['number']}")
    if baseline := best_baseline(status["baselines"], metric):
        console.print(f"best baseline {baseline[1]:.4f}: {baseline[0]}")
    if status["gain"] is not None:
        console.print(f"gain over the research default {status['gain']:.4f}")
    console.print(_leaderboard(status))


def _leaderboard(status: dict[str, Any]) -> "Table":
    from rich.table import Table

    metric = status["metric"]
    table = Table("trial", "state", metric, "best epoch", "epochs", "seconds", "params", box=None)
    order = sorted(
        status["trials"], key=lambda t: (not t["metrics"], t["metrics"].get(metric, 0), t["number"])
    )
    for trial in order[:_SHOWN]:
        value = f"{trial['metrics'][metric]:.4f}" if trial["metrics"] else (trial["error"] or "")
        best_epoch = "" if trial["best_epoch"] is None else str(trial["best_epoch"])
        params = " ".join(f"{name}={_short(trial['params'].get(name))}" for name in status["searched"])
        if trial["origin"] == RESEARCH_DEFAULT_ORIGIN:
            params = f"research default: {params}"
        table.add_row(
            str(trial["number"]),
            trial["state"],
            value,
            best_epoch,
            str(trial["epochs"]),
            f"{trial['seconds']:.1f}",
            params,
        )
    return table


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _entry(trial: TrialRecord) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "params": dict(trial.params),
        "best_epoch": trial.best_epoch,
        "epochs": len(trial.epochs),
        "seconds": trial.seconds,
        "metrics": trial.metrics,
        "error": trial.error,
        "duplicate_of": trial.duplicate_of,
    }

"""Reports the state of a search to people and programs, even while it runs.

It is read from the run directory, without Ray and torch.
"""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TextIO

from trajtune.experiment.objective import DIRECTIONS, cost
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.page.format import metric_value, significant
from trajtune.searching.repeats import Noise, noise_in_words, seed_noise
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.origins import REFERENCE_ORIGINS
from trajtune.searching.study.trial_records import (
    TrialRecord,
    best_trial,
    pareto_front,
    read_trials,
    research_default,
)
from trajtune.searching.val_baselines import best_baseline

if TYPE_CHECKING:
    from rich.table import Table

STATES: Final = ("WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL")
_TOP1: Final = "val_top1"
_SHOWN: Final = 20


def status_of(run: Run) -> dict[str, Any]:
    """Return the state of a search.

    Returns:
        ``run``, ``searching`` (whether a process searches now), ``metric`` (the first objective),
        ``objectives`` (name to direction), ``constraints``, ``requested``, ``searched`` (names of params);
        ``trials``: ``number``, ``state`` (Optuna's name), ``origin``, ``params``, ``best_epoch``,
        ``epochs`` (their number), ``seconds``, ``metrics`` (of the best epoch), ``error``, ``duplicate_of``,
        ``damage`` (one line, if checkpoints were damaged),
        ``violations`` (constraint to the amount of the violation; 0 or less: met), ``feasible``,
        ``differs_in`` (unsearched settings that differ), ``seed`` (None: the search's seed),
        ``repeat_of``, ``mean_value`` (of the metric, over the trial and its repeats), ``seeds`` (how many);
        ``counts`` by state; ``best`` and ``research_default``: the entries of those trials, None without
        a result; ``front``: numbers of the Pareto front, the best trial first, empty with one
        objective; ``gain``: by how much the best trial beats the research default in the metric, None if
        either has no result; ``baselines``: val metrics by name, empty until a search has measured them;
        ``ngram``: what the baseline `ngram` chose on val, None if unknown; ``noise``: the
        ``standard_deviation`` of the metric between seeds, ``luck`` (the largest difference that may be
        chance), and the ``trainings`` and ``points`` of the estimate, None until a point has two trainings.
    """
    trials = read_trials(read_study(run.path))
    counts = Counter(trial.state for trial in trials)
    best, default = best_trial(trials), research_default(trials)
    compared = best is not None and default is not None and bool(default.costs)
    settings, noise = run.experiment.search, seed_noise(trials)
    return {
        "run": run.name,
        "searching": run.is_searching(),
        "metric": settings.metric,
        "objectives": {metric: DIRECTIONS[metric] for metric in settings.metrics},
        "constraints": settings.constraints,
        "requested": run.requested,
        "searched": list(run.space.searched),
        "counts": {state: counts[state] for state in STATES},
        "best": _entry(best) if best else None,
        "research_default": _entry(default) if default and default.value is not None else None,
        "gain": default.mean_costs[0] - best.mean_costs[0] if compared else None,  # type: ignore[union-attr]
        "noise": noise.to_dict() if noise else None,
        "front": [trial.number for trial in pareto_front(trials)] if settings.other_metrics else [],
        "baselines": run.baselines(),
        "ngram": run.ngram_choice(),
        "trials": [_entry(trial) for trial in trials],
    }


def print_status(status: dict[str, Any], file: TextIO | None = None) -> None:
    """Print the result of `status_of` as a leaderboard."""
    from rich.console import Console

    file = file or sys.stdout
    console = Console(file=file, highlight=False, width=None if file.isatty() else 200)
    counts = ", ".join(f"{number} {state.lower()}" for state, number in status["counts"].items() if number)
    activity = "searching now" if status["searching"] else "not running"
    console.print(f"run {status['run']} ({activity}): {status['requested']} trials requested; {counts}")
    metric, best, default = status["metric"], status["best"], status["research_default"]
    if best:
        console.print(
            f"best {metric} {metric_value(best['mean_value'])}{_over_seeds(best)}: trial {best['number']}"
        )
    if default:
        console.print(
            f"research default {metric_value(default['metrics'][metric])}: trial {default['number']}"
        )
    if line := _baseline_line(status):
        console.print(line)
    if status["gain"] is not None:
        console.print(f"gain over the research default {metric_value(status['gain'])}")
    if status["noise"]:
        console.print(noise_in_words(Noise.from_dict(status["noise"])))
    if status["front"]:
        console.print(
            f"Pareto front of {', '.join(status['objectives'])}: trials {_numbers(status['front'])}"
        )
    for text in status["constraints"]:
        broken = [trial["number"] for trial in status["trials"] if trial["violations"].get(text, 0) > 0]
        console.print(
            f"constraint {text}: {f'broken by trials {_numbers(broken)}' if broken else 'kept by all'}"
        )
    for trial in status["trials"]:
        if trial["damage"]:
            console.print(f"trial {trial['number']}: {trial['damage']}")
    console.print(_leaderboard(status))


def _baseline_line(status: dict[str, Any]) -> str | None:
    """Return the best baseline by the first objective, and the best by top-1 if that is another metric."""
    baselines, metric = status["baselines"], status["metric"]
    best = best_baseline(baselines, metric)
    if best is None:
        return None
    name, value = best
    chosen = status["ngram"] if name == "ngram" else None
    words = f" ({NGramChoice.from_dict(chosen).in_words()})" if chosen else ""
    line = f"best baseline {metric_value(value)}: {name}{words}"
    by_top1 = best_baseline(baselines, _TOP1)
    return (
        f"{line}; by {_TOP1} {metric_value(by_top1[1])}: {by_top1[0]}"
        if by_top1 and metric != _TOP1
        else line
    )


def _leaderboard(status: dict[str, Any]) -> "Table":
    from rich.table import Table

    metrics = list(status["objectives"])
    table = Table("trial", "state", *metrics, "best epoch", "epochs", "seconds", "params", box=None)

    def rank(trial: dict[str, Any]) -> tuple[Any, ...]:
        value = trial["mean_value"]
        return (
            value is None,
            trial["repeat_of"] is not None,
            not trial["feasible"],
            trial["number"] not in (status["front"] or [trial["number"]]),
            0 if value is None else cost(metrics[0], value),
            trial["number"],
        )

    for trial in sorted(status["trials"], key=rank)[:_SHOWN]:
        values = [metric_value(trial["metrics"][metric]) if trial["metrics"] else "" for metric in metrics]
        if trial["metrics"]:
            values[0] = metric_value(trial["mean_value"]) + _over_seeds(trial)
        else:
            values[0] = trial["error"] or ""
        best_epoch = "" if trial["best_epoch"] is None else str(trial["best_epoch"])
        params = " ".join(f"{name}={significant(trial['params'].get(name))}" for name in status["searched"])
        if trial["repeat_of"] is not None:
            params = f"trial {trial['repeat_of']} with seed {trial['seed']}: {params}"
        elif trial["origin"] in REFERENCE_ORIGINS:
            params = f"{REFERENCE_ORIGINS[trial['origin']]}: {params}"
        elif trial["differs_in"]:
            params = f"differs in {', '.join(trial['differs_in'])}: {params}"
        table.add_row(
            str(trial["number"]),
            trial["state"] if trial["feasible"] else f"{trial['state']}, infeasible",
            *values,
            best_epoch,
            str(trial["epochs"]),
            f"{trial['seconds']:.1f}",
            params,
        )
    return table


def _over_seeds(trial: dict[str, Any]) -> str:
    """Return a note for a value that is a mean over seeds, else an empty text."""
    return f" (mean of {trial['seeds']} seeds)" if trial["seeds"] > 1 else ""


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


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
        "damage": trial.damage,
        "violations": dict(trial.violations),
        "feasible": trial.is_feasible,
        "differs_in": list(trial.differs_in),
        "seed": trial.seed,
        "repeat_of": trial.repeat_of,
        "mean_value": trial.mean_value,
        "seeds": trial.seeds,
    }

"""Backtest a run: train its models as of earlier days, and measure each on what followed.

The test split stays closed. This module defines only the order of the steps.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from trajtune.dataset.identity.synonyms import title_rule
from trajtune.dataset.snapshot import Snapshot
from trajtune.finalizing.refit import finalists
from trajtune.finalizing.report.over_time import FOLDER, RESULT, SCHEMA_VERSION
from trajtune.finalizing.selection import Finalist
from trajtune.model.threads import one_thread
from trajtune.monitoring.aging import age, retraining
from trajtune.monitoring.backtest_report import write_backtest_report
from trajtune.monitoring.known_careers import KnownCareers
from trajtune.monitoring.origin_models import OriginModels, Trainings, train_origin
from trajtune.monitoring.origins import Origin, choose_origins, origin_division, origin_snapshot, window_of
from trajtune.monitoring.window import (
    METRICS,
    RESEARCH_DEFAULT,
    Measured,
    best_baseline,
    drift,
    measure,
    pooled_gain,
    window_metrics,
)
from trajtune.searching.runs.directory import REFITS, Run, open_run
from trajtune.searching.runs.retention import restore_best, top_trials
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials, research_default
from trajtune.storage.files import write_json
from trajtune.storage.path import StoredPath

PAGE: Final = "backtest.html"
_ORIGINS: Final = "origins"

Progress = Callable[[str], None]


@one_thread()
def backtest(
    run: Run | Path | str | None,
    *,
    origins: int = 4,
    seeds: int = 1,
    snapshot_path: str | Path | None = None,
    verbose: bool = False,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], StoredPath]:
    """Train as of earlier days, measure on the window that followed each, and write both files.

    Args:
        run: A run with at least one finished trial, its path or its name; None: the latest.
        origins: Number of earlier days.
        seeds: Trainings of each configuration on each day.
        snapshot_path: The run's snapshot; None: its original path, or below ``storage.snapshots``.
        verbose: Show Ray's logs.
        progress: Called with a line about each step; None: lines go to stderr.

    Returns:
        The content of ``backtest.json``, and the directory that holds it and the page.

    Raises:
        RunError: If no trial of the run has a result.
        SnapshotError: If the run's snapshot is missing, has another id, or is not split by move.
        SplitError: If there are too few moves for so many origins.
        TrainingError: If the best configuration cannot be trained.
    """
    say = progress or _say
    if not isinstance(run, Run):
        run = open_run(run)
    snapshot = snapshot_of_run(run, snapshot_path)
    folder = run.path / FOLDER
    careers = KnownCareers.of(snapshot)
    chosen = choose_origins(careers, origins)
    trainings = _trainings(run, seeds, folder, verbose)
    say(f"backtesting {run.name}: {trainings.winner.name} on {origins} origins from {chosen[0].day}")
    models = [_models_of(run, trainings, careers, origin, folder, say) for origin in chosen]
    windows = [window_of(careers, origin) for origin in chosen]
    measured = [measure(own, window) for own, window in zip(models, windows, strict=True)]
    most_error = run.experiment.finalize.gates.calibration_error
    rows = [
        {
            **{name: day.isoformat() for name, day in asdict(origin).items()},
            **own.record,
            **window_metrics(found, most_error),
            **drift(own, careers.before(origin.held_out_since), window, run.experiment.vocabulary.min_count),
        }
        for origin, own, found, window in zip(chosen, models, measured, windows, strict=True)
    ]
    ages = [
        age(chosen[0].day, origin.day, origin.until, measure(models[0], window).own.moves, found.own.moves)
        for origin, found, window in zip(chosen[1:], measured[1:], windows[1:], strict=True)
    ]
    result = {
        **_about(run, snapshot, trainings),
        "origins": rows,
        **_pooled(measured, rows, list(models[0].baselines)),
        "aging": ages,
        "retraining": retraining(chosen[0].day, ages),
    }
    write_json(folder / RESULT, result)
    write_backtest_report(result, folder / PAGE)
    return result, folder


def _trainings(run: Run, seeds: int, folder: StoredPath, verbose: bool) -> Trainings:
    restore_best(run)  # raises in one line if there is no result yet
    (best,) = top_trials(run, 1)
    search = run.experiment.search
    research = research_default(read_trials(read_study(run.path)))
    chosen = finalists(
        [(best.number, best.params, best.mean_value)],
        research.value if research else None,
        metric=search.metric,
    )
    return Trainings(
        chosen,
        [search.seed + 1 + i for i in range(seeds)],  # as in finalize
        folder / REFITS,
        run.experiment.finalize,
        search.gpus_per_trial,
        verbose,
    )


def _models_of(
    run: Run, trainings: Trainings, careers: KnownCareers, origin: Origin, folder: StoredPath, say: Progress
) -> OriginModels:
    vocabulary = run.experiment.vocabulary
    division = origin_division(careers, origin, vocabulary, title_rule(vocabulary))
    known = origin_snapshot(folder / _ORIGINS, division)
    num = division.description["splits"]["train"]["careers"]
    say(f"as of {origin.day}: training on {num:,} careers, before the moves until {origin.until}")
    return train_origin(trainings, known, lambda line: say(f"as of {origin.day}: {line}"))


def _about(run: Run, snapshot: Snapshot, trainings: Trainings) -> dict[str, Any]:
    winner: Finalist = trainings.winner
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run.name,
        "snapshot": snapshot.id,
        "cutoffs": dict(snapshot.manifest["cutoffs"]),
        "winner": winner.name,
        "params": winner.params.model_dump(mode="json"),
        "seeds": list(trainings.seeds),
        "tenure_nominal_coverage": trainings.settings.tenure_coverage,
        "calibration_limit": trainings.settings.gates.calibration_error,
    }


def _pooled(
    measured: Sequence[Measured], rows: Sequence[dict[str, Any]], baselines: list[str]
) -> dict[str, Any]:
    """Return the best baseline over all windows, and the gains over it and over the research default."""
    best = best_baseline(rows, baselines)
    return {
        "best_baseline": best,
        "gains": {
            name: {metric: pooled_gain(measured, name, metric) for metric in METRICS}
            for name in (best, RESEARCH_DEFAULT)
        },
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr)

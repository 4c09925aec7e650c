"""Runs in every state that a report can show, written with the search's functions, without training."""

import math
from pathlib import Path
from typing import Any

from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete, tell_failed, tell_pruned

EPOCHS = 5
AT_ONCE = 4


def run_of(folder: Path, snapshot: Snapshot, trials: int, **search: Any) -> Run:
    """Create a run with an empty study that requests ``trials`` trials."""
    experiment = validate(
        Experiment,
        {
            "training": {"max_epochs": EPOCHS},
            "search": {"space": "around_default", "trials": trials, **search},
            "storage": {name: str(folder / name) for name in ("snapshots", "runs", "bundles")},
        },
        "test",
    )
    space = load_space(experiment.search.space)
    run = create_run(experiment, space, name="searched", snapshot_path=snapshot.path, snapshot_id=snapshot.id)
    study = create_study(run.path, experiment.search, EPOCHS)
    enqueue(study, space, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    run.write_baselines(
        {
            "markov": {"val_next_role_nll": 3.1, "val_top1": 0.21},
            "majority": {"val_top1": 0.1},
            "ngram": {"val_next_role_nll": 3.2, "val_top1": 0.22},
        },
        NGramChoice(2, "last", 20.0, None, 0.15).to_dict(),
    )
    return run


def search(run: Run, trials: int, *, leave_running: int = 0) -> None:
    """Add trials, four at once: every fifth stops early, every ninth fails, and the last stay running."""
    settings, base = run.experiment.search, run.experiment.training
    study = create_study(run.path, settings, EPOCHS)
    existing = len(study.trials) - 1
    for first in range(existing, existing + trials, AT_ONCE):
        together = [
            ask(study, run.space, settings, base)
            for _ in range(first, min(first + AT_ONCE, existing + trials))
        ]
        for trial in together:
            last = trial.number >= existing + trials - leave_running
            fails, stops = trial.number % 9 == 8, trial.number % 5 == 4
            epochs = range(1, 1 + (1 if fails else 2 if stops or last else EPOCHS))
            for epoch in epochs:
                record_epoch(study, trial, settings.metric, report(trial, epoch))
            if last:
                continue
            if fails:
                tell_failed(study, trial, "TrainingError: `<b>` is no number & never was")
            elif stops and len(settings.metrics) == 1:
                tell_pruned(study, trial)
            else:
                tell_complete(study, trial)


def report(trial: Any, epoch: int) -> dict[str, Any]:
    """Return the report of an epoch: better with more epochs, and best at a learning rate of 3e-3."""
    params = trial.user_attrs["params"]
    off = abs(math.log10(params["learning_rate"]) + 2.5) + params["dropout"] / 3
    nll = 2.0 + off + 1.0 / epoch
    return {
        "epoch": epoch,
        "seconds": 0.5,
        "train_loss": nll - 0.1,
        "val_next_role_nll": nll,
        "val_top1": 1 / (1 + nll),
        "val_top5": 2 / (1 + nll),
        "val_tenure_mae_months": 10 + math.sin(trial.number),
        "val_hireability_auc": None,
        "node": f"node-{trial.number % 2}",
    }

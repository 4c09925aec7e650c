"""The trials of a run as data frames, for notebooks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, ranked, read_trials
from trajtune.storage.path import StoredPath

if TYPE_CHECKING:
    import pandas as pd


def trials_of(path: StoredPath) -> list[TrialRecord]:
    """All trials of the run in a directory, by number."""
    return read_trials(read_study(path))


def trials_frame(path: StoredPath, settings: SearchSettings) -> "pd.DataFrame":
    """Every trial, by number; see `Run.trials`."""
    return _frame(trials_of(path), settings)


def leaderboard_frame(path: StoredPath, settings: SearchSettings, searched: Sequence[str]) -> "pd.DataFrame":
    """The trials that may win, best first; see `Run.leaderboard`."""
    trials = _frame(ranked(trials_of(path)), settings)
    shown = ["state", "mean_value", "seeds", *settings.metrics, "best_epoch", "epochs"]
    return trials.reindex(columns=[*dict.fromkeys(shown), *searched])


def _frame(trials: Sequence[TrialRecord], settings: SearchSettings) -> "pd.DataFrame":
    import pandas as pd

    rows = [_row(trial, settings) for trial in trials]
    return pd.DataFrame(rows, index=pd.Index([trial.number for trial in trials], name="trial"))


def _row(trial: TrialRecord, settings: SearchSettings) -> dict[str, Any]:
    metrics = dict.fromkeys(settings.metrics) | {
        name: value for name, value in trial.metrics.items() if name.startswith("val_")
    }
    return {
        "state": trial.state,
        "origin": trial.origin,
        **metrics,
        "mean_value": trial.mean_value,
        "seeds": trial.seeds,
        "best_epoch": trial.best_epoch,
        "epochs": len(trial.epochs),
        "seconds": trial.seconds,
        **trial.params,
        "repeat_of": trial.repeat_of,
        "error": trial.error,
    }

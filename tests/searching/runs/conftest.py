"""A finished run without a search: its trials are written directly to its study."""

from pathlib import Path

import pytest

from tests.searching.runs.created import experiment
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.space import load_space
from trajtune.model.checkpoint import save_checkpoint
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.retention import retain_best
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete
from trajtune.searching.study.trial_records import read_trials


@pytest.fixture
def run(small_snapshot: Snapshot, tmp_path: Path) -> Run:
    """A run with three finished trials of values 3, 1 and 2; the best and the default have a checkpoint."""
    searched = experiment(tmp_path, keep_checkpoints=1)
    space, settings = load_space("smoke"), searched.search
    created = create_run(
        searched, space, name="run", snapshot_path=small_snapshot.path, snapshot_id=small_snapshot.id
    )
    study = create_study(created.path, settings, 50)
    enqueue(study, space, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    for value in (3.0, 1.0, 2.0):
        trial = ask(study, space, settings, Params())
        report = {"epoch": 1, settings.metric: value, "seconds": 0.1}
        record_epoch(study, trial, settings.metric, report)
        tell_complete(study, trial)
        save_checkpoint({"epoch": 1}, created.path / f"trials/{trial.number:04d}/best.pt")
    retain_best(created, read_trials(study))
    return created

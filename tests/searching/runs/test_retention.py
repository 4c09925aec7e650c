"""The best trials and the research default keep their checkpoints."""

import json

from trajtune.experiment.params import Params
from trajtune.model.checkpoint import save_checkpoint
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.retention import best_entry, retain_best, retained_trials, top_trials
from trajtune.searching.study.open import create_study, read_study
from trajtune.searching.study.study import ask
from trajtune.searching.study.trial_records import read_trials


def test_the_top_trials_are_ordered_best_first(run: Run) -> None:
    assert [trial.number for trial in top_trials(run, 9)] == [1, 2, 0]
    assert [trial.number for trial in top_trials(run, 1)] == [1]


def test_the_best_and_the_research_default_keep_their_checkpoints(run: Run) -> None:
    trials = read_trials(read_study(run.path))
    assert retained_trials(run, trials) == {0, 1}
    assert sorted(path.parent.name for path in run.path.rglob("best.pt")) == ["0000", "0001"]
    assert json.loads((run.path / "best.json").read_text())["number"] == 1


def test_an_unfinished_trial_keeps_its_checkpoints_and_a_finished_one_only_the_best(run: Run) -> None:
    study = create_study(run.path, run.experiment.search, 50)
    unfinished = ask(study, run.space, run.experiment.search, Params())
    for number in (1, unfinished.number):
        save_checkpoint({"epoch": 1}, run.path / f"trials/{number:04d}/last.pt")

    retain_best(run, read_trials(study))

    assert (run.path / f"trials/{unfinished.number:04d}/last.pt").exists()
    assert sorted(path.name for path in (run.path / "trials/0001").iterdir()) == ["best.pt"]


def test_without_a_finished_trial_there_is_no_best_entry() -> None:
    assert best_entry([]) is None

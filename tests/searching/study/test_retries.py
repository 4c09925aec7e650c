"""Operations on a study can be repeated, because a database may execute one without answering."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import optuna
import pytest

from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import load_space
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN, START_POINT_ORIGIN
from trajtune.searching.study.retries import set_retries, with_retries
from trajtune.searching.study.study import (
    ask,
    enqueue,
    record_damage,
    record_epoch,
    should_prune,
    tell_complete,
    tell_duplicate,
    tell_failed,
    tell_pruned,
)
from trajtune.searching.study.trial_records import read_trials

T = TypeVar("T")

SPACE = load_space("smoke")
SETTINGS = validate(SearchSettings, {"constraints": ["val_top1 >= 0.5"]}, "test")


def twice(operation: Callable[[], T]) -> T:
    """Run an operation twice, as if the answer to the first attempt was lost."""
    operation()
    return operation()


def searched(study: optuna.Study) -> list[Any]:
    for origin in (RESEARCH_DEFAULT_ORIGIN, START_POINT_ORIGIN):
        enqueue(study, SPACE, RESEARCH_DEFAULT, origin)
    trials = [ask(study, SPACE, SETTINGS, Params()) for _ in range(5)]
    for trial in (trials[0], *trials[2:]):
        for epoch in (1, 2):
            report = {"epoch": epoch, SETTINGS.metric: trial.number + 1 / epoch, "val_top1": 0.4}
            record_epoch(study, trial, SETTINGS.metric, {**report, "seconds": 0.0})
    tell_complete(study, trials[0])
    tell_duplicate(study, trials[1], 0)
    record_damage(study, trials[2], "damaged: last.pt")
    pruned = should_prune(study, trials[2])
    tell_pruned(study, trials[2])
    tell_failed(study, trials[3], "it broke")
    tell_complete(study, trials[4])
    return [pruned, *(vars(trial) | {"started": None, "ended": None} for trial in read_trials(study))]


def test_a_study_is_the_same_if_every_operation_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once, repeated = (create_study(tmp_path / name, SETTINGS, 50) for name in ("once", "twice"))
    set_retries(repeated, twice)

    expected = searched(once)

    assert searched(repeated) == expected
    assert [trial["state"] for trial in expected[1:]] == [
        "COMPLETE",
        "COMPLETE",
        "PRUNED",
        "FAIL",
        "COMPLETE",
    ]


def test_a_trial_cannot_end_with_two_states(tmp_path: Path) -> None:
    study = create_study(tmp_path, SETTINGS, 50)
    trial = ask(study, SPACE, SETTINGS, Params())
    tell_pruned(study, trial)
    tell_pruned(study, trial)

    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        tell_failed(study, trial, "it broke")


def test_operations_on_a_study_in_a_journal_are_not_retried(tmp_path: Path) -> None:
    study, attempts = create_study(tmp_path, SETTINGS, 50), []

    def fail() -> None:
        attempts.append(1)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        with_retries(study, fail)
    assert len(attempts) == 1

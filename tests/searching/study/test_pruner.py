"""Asynchronous successive halving makes Optuna's decisions, and decisions can be repeated."""

import math

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from trajtune.experiment.search_settings import PrunerSettings
from trajtune.searching.study.pruner import AshaPruner, make_pruner


def run_trials(pruner: optuna.pruners.BasePruner, curves: np.ndarray) -> list[int]:
    """Report the curves ``[trials, epochs]`` of one trial after another; return the epochs of each trial."""
    study = optuna.create_study(pruner=pruner)
    for curve in curves:
        trial = study.ask()
        stopped = False
        for epoch, value in enumerate(curve, start=1):
            trial.report(float(value), epoch)
            if trial.should_prune():
                stopped = True
                break
        study.tell(trial, None if stopped else 0.0, TrialState.PRUNED if stopped else TrialState.COMPLETE)
    return [len(trial.intermediate_values) for trial in study.trials]


@pytest.mark.parametrize(("grace", "factor"), [(1, 2), (1, 3), (3, 3), (2, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_decisions_equal_those_of_optunas_successive_halving(grace: int, factor: int, seed: int) -> None:
    curves = np.random.default_rng(seed).normal(size=(40, 30)).cumsum(axis=1)

    ours = run_trials(AshaPruner(grace, factor), curves)
    optunas = run_trials(
        optuna.pruners.SuccessiveHalvingPruner(min_resource=grace, reduction_factor=factor), curves
    )

    assert ours == optunas
    assert len(set(ours)) > 2, "some were stopped at the first rung, some later, some not at all"


def test_asking_twice_gives_the_same_decision() -> None:
    study = optuna.create_study(pruner=AshaPruner(1, 3))
    good, bad = study.ask(), study.ask()
    good.report(1.0, 1)
    bad.report(2.0, 1)

    assert [good.should_prune() for _ in range(3)] == [False] * 3
    assert [bad.should_prune() for _ in range(3)] == [True] * 3


def test_nothing_is_stopped_between_rungs_or_before_the_first() -> None:
    study = optuna.create_study(pruner=AshaPruner(2, 3))
    study.add_trial(optuna.trial.create_trial(value=0.0, intermediate_values=dict.fromkeys(range(1, 7), 0.0)))
    trial = study.ask()
    verdicts = []
    for epoch in range(1, 7):
        trial.report(1.0, epoch)
        verdicts.append(trial.should_prune())

    assert verdicts == [False, True, False, False, False, True], "rungs are the epochs 2 and 6"


def test_a_trial_with_nan_is_stopped_and_does_not_count() -> None:
    study = optuna.create_study(pruner=AshaPruner(1, 2))
    broken, sound = study.ask(), study.ask()
    broken.report(math.nan, 1)
    sound.report(5.0, 1)

    assert broken.should_prune()
    assert not sound.should_prune()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("asha", AshaPruner),
        ("hyperband", optuna.pruners.HyperbandPruner),
        ("median", optuna.pruners.MedianPruner),
        ("none", optuna.pruners.NopPruner),
    ],
)
def test_each_pruner_stops_the_right_trials(name: str, kind: type) -> None:
    pruner = make_pruner(PrunerSettings.model_validate({"name": name, "grace_period": 2}), max_epochs=20)
    curves = np.outer(np.random.default_rng(0).permutation(30), np.ones(20))

    epochs = run_trials(pruner, curves)

    assert isinstance(pruner, kind)
    assert min(epochs) >= (20 if name == "none" else 2)
    assert epochs[int(curves[:, 0].argmin())] == 20, "the best is never stopped"
    assert (min(epochs) < 20) == (name != "none")

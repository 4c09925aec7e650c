"""The view of a study for samplers and pruners: only comparable trials, and each point once."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna import Study
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import load_space
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import REPEAT_ORIGIN, RESEARCH_DEFAULT_ORIGIN, START_POINT_ORIGIN
from trajtune.searching.study.sampled_study import SampledStudy, probable_end
from trajtune.searching.study.study import (
    ask,
    enqueue,
    record_epoch,
    should_prune,
    tell_complete,
    tell_pruned,
)

SPACE = load_space("smoke")
BASE = Params(max_epochs=10)
METRIC = SearchSettings().metric
SEEN: list[list[int]] = []


class WatchingSampler(RandomSampler):
    """Records the numbers of the trials that it sees for each trial."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        SEEN.append([other.number for other in study.get_trials()])
        assert [other.number for other in study.trials] == SEEN[-1]
        return {}


def settings(**content: Any) -> SearchSettings:
    return SearchSettings.model_validate({"space": "smoke", "pruner": {"grace_period": 2}, **content})


def train(study: Study, chosen: SearchSettings, values: list[float], *, stopped: bool = False) -> Trial:
    trial = ask(study, SPACE, chosen, BASE)
    for epoch, value in enumerate(values, start=1):
        record_epoch(study, trial, METRIC, {"epoch": epoch, METRIC: value, "seconds": 0.0})
    (tell_pruned if stopped else tell_complete)(study, trial)
    return trial


def queue_others(study: Study) -> None:
    """Queue four trials, of which the sampler sees only the third."""
    enqueue(study, SPACE, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    enqueue(study, SPACE, Params(), START_POINT_ORIGIN, {"differs_in": ["max_epochs"]})
    enqueue(study, SPACE, BASE, START_POINT_ORIGIN, {"differs_in": []})
    enqueue(study, SPACE, BASE, REPEAT_ORIGIN, {"repeat_of": 2, "seed": 1000})


def test_the_research_default_other_settings_and_repeats_are_hidden_from_a_sampler(tmp_path: Path) -> None:
    SEEN.clear()
    chosen = settings(sampler=f"{__name__}:WatchingSampler")
    study = create_study(tmp_path, chosen, 10)
    queue_others(study)
    for _ in range(6):
        train(study, chosen, [3.0])

    # The sampler is not used for queued trials. For a sampled trial it sees the trial itself.
    assert SEEN == [[2, 4], [2, 4, 5]]


def test_a_pruner_compares_a_trial_only_with_sampled_trials(tmp_path: Path) -> None:
    chosen = settings(sampler="random")
    study = create_study(tmp_path, chosen, 10)
    queue_others(study)
    for value in (1.0, 1.0, 3.0, 1.0):  # only the third counts
        train(study, chosen, [value, value])
    trial = ask(study, SPACE, chosen, BASE)
    for epoch in (1, 2):
        record_epoch(study, trial, METRIC, {"epoch": epoch, METRIC: 2.0, "seconds": 0.0})

    assert trial.should_prune(), "Optuna compares it with all"
    assert not should_prune(study, trial)


@pytest.mark.parametrize("sampler", ["gp", "optuna.samplers:GPSampler"])
def test_gp_learns_from_stopped_trials(tmp_path: Path, sampler: str) -> None:
    """Optuna's GPSampler reads only complete trials, so it would draw trial 12 at random."""
    kwargs = {} if sampler == "gp" else {"n_startup_trials": 8}

    def trial_12(directory: Path, *, luck: float) -> Trial:
        chosen = settings(sampler=sampler, sampler_kwargs=kwargs)
        directory.mkdir()
        study = create_study(directory, chosen, 10)
        enqueue(study, SPACE, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
        enqueue(study, SPACE, BASE, "training", {"differs_in": []})
        for number in range(12):
            trial = ask(study, SPACE, chosen, BASE)
            is_stopped = number >= 3
            worth = luck * number + trial.params.get("learning_rate", 0.0)
            for epoch in range(1, 7 if is_stopped else 11):
                record_epoch(
                    study, trial, METRIC, {"epoch": epoch, METRIC: worth - 0.01 * epoch, "seconds": 0.0}
                )
            (tell_pruned if is_stopped else tell_complete)(study, trial)
        return ask(study, SPACE, chosen, BASE)

    one, other = trial_12(tmp_path / "a", luck=0.0), trial_12(tmp_path / "b", luck=1.0)

    assert one.number == other.number == 12
    assert one.relative_params, "the Gaussian process suggested nothing"
    assert one.params != other.params, "the values of stopped trials made no difference"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_probable_end_adds_the_median_gain_of_complete_trials(sign: float) -> None:
    def trial(*values: float) -> FrozenTrial:
        steps = {step: sign * value for step, value in enumerate(values, start=1)}
        return optuna.trial.create_trial(state=TrialState.COMPLETE, value=0.0, intermediate_values=steps)

    complete = [trial(4.0, 3.0, 2.5), trial(4.0, 3.5, 2.5, 2.6), trial(4.0, 2.0, 2.5), trial(4.0)]

    ended = probable_end(trial(5.0, 4.0), complete, maximize=sign < 0)

    assert ended == sign * 3.5  # the gains are 0.5, 1.0 and 0
    assert probable_end(trial(5.0, 4.0), [], maximize=sign < 0) == sign * 4.0
    assert probable_end(trial(float("nan")), complete, maximize=sign < 0) is None
    assert probable_end(trial(), complete, maximize=sign < 0) is None


def test_the_best_trial_of_the_view_is_a_sampled_trial(tmp_path: Path) -> None:
    chosen = settings(sampler="random")
    study = create_study(tmp_path, chosen, 10)
    queue_others(study)
    for value in (1.0, 1.0, 3.0, 1.0, 2.0):
        train(study, chosen, [value])

    assert study.best_value == 1.0
    assert (SampledStudy(study).best_trial.number, SampledStudy(study).best_value) == (4, 2.0)

"""A search may go on in another space, in which the sampler sees the trials of the earlier one."""

from pathlib import Path
from typing import Any

import pytest
from optuna import Study
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import Trial

from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import Space
from trajtune.searching.study.open import create_study, read_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.sampled_study import SampledStudy
from trajtune.searching.study.space_change import outside, record_space, unwritable
from trajtune.searching.study.study import ask, ask_again, enqueue, record_epoch, tell_complete, tell_failed

METRIC = SearchSettings().metric
BASE = Params(max_epochs=1)
CMA_ES = "optuna.samplers:CmaEsSampler"

FIRST: dict[str, Any] = {
    "embedding_dim": {"type": "int", "low": 96, "high": 160, "step": 32},
    "hidden_dim": {"type": "int", "low": 8, "high": 32},
    "num_layers": 2,
    "dropout": {"type": "float", "low": 0.0, "high": 0.3},
    "learning_rate": {"type": "float", "low": 0.0005, "high": 0.005, "log": True},
    "batch_size": 32,
}
WIDER = {
    **FIRST,
    "dropout": {"type": "float", "low": 0.0, "high": 0.6},
    "learning_rate": {"type": "float", "low": 0.0001, "high": 0.02},  # no longer logarithmic
    "hidden_dim": {"type": "int", "low": 4, "high": 64},
    "embedding_dropout": {"type": "float", "low": 0.0, "high": 0.5},  # no longer fixed
}
CHOICES = {**FIRST, "hidden_dim": {"type": "categorical", "choices": list(range(8, 33))}}


def space(params: dict[str, Any]) -> Space:
    return Space.model_validate({"params": params})


def settings(sampler: str, **content: Any) -> SearchSettings:
    kwargs = {"n_startup_trials": 2} if sampler in ("tpe", "gp", CMA_ES) else {}
    warn = {"warn_independent_sampling": False} if sampler == CMA_ES else {}
    search = {"sampler": sampler, "sampler_kwargs": {**kwargs, **warn}, "pruner": {"name": "none"}}
    return SearchSettings.model_validate({**search, **content})


def loss(params: dict[str, Any], sign: float = 1) -> float:
    return sign * ((params["dropout"] - 0.1) ** 2 + abs(params["hidden_dim"] - 12) / 30) + 3


def train(study: Study, own: Space, chosen: SearchSettings, sign: float = 1) -> Trial:
    trial = ask(study, own, chosen, BASE)
    value = loss(trial.user_attrs["params"], sign)
    record_epoch(study, trial, METRIC, {"epoch": 1, METRIC: value, "seconds": 0.0})
    tell_complete(study, trial)
    return trial


def searched(directory: Path, chosen: SearchSettings, number: int = 6, sign: float = 1) -> Study:
    """Return a study with the research default and ``number`` trials of the first space."""
    directory.mkdir(exist_ok=True)
    study = create_study(directory, chosen, BASE.max_epochs)
    enqueue(study, space(FIRST), RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    for _ in range(number + 1):
        train(study, space(FIRST), chosen, sign)
    return study


def change(study: Study, params: dict[str, Any]) -> Space:
    own = space(params)
    assert outside(study.get_trials(), own, BASE) is None
    record_space(study, own, len(study.get_trials()))
    return own


SAMPLERS = ["tpe", "random", "qmc", "gp", CMA_ES]


@pytest.mark.parametrize("changed", [WIDER, CHOICES], ids=["wider", "choices"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_continues_in_another_space(
    sampler: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    chosen = settings(sampler)
    study = searched(tmp_path, chosen)
    now = change(study, changed)
    for _ in range(5):
        trial = train(study, now, chosen)
        params = Params.model_validate(trial.user_attrs["params"])
        assert now.outside(params) == []
        written = study.get_trials()[trial.number].params
        expected = now.searched_values(params)
        assert written == {n: v for n, v in expected.items() if n not in unwritable(study, now)}
    assert all(trial.state.name == "COMPLETE" for trial in read_study(tmp_path).get_trials())


@pytest.mark.parametrize("changed", [WIDER, CHOICES], ids=["wider", "choices"])
def test_samplers_see_every_trial_with_the_params_of_the_present_space(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    chosen = settings("random")
    study = searched(tmp_path, chosen)
    now = change(study, changed)
    train(study, now, chosen)
    view = SampledStudy(study)
    trials = view.get_trials()
    assert len(trials) == 7
    for trial in trials:
        params = Params.model_validate(trial.user_attrs["params"])
        assert trial.params == now.searched_values(params)
        assert trial.distributions == now.distributions(trial.params)
    assert set(IntersectionSearchSpace().calculate(view)) == set(now.searched)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_sampler_learns_from_trials_of_the_earlier_space(sampler: str, tmp_path: Path) -> None:
    suggested = []
    for name, sign in (("low", 1.0), ("high", -1.0)):
        chosen = settings(sampler)
        # Both have the same points, which the sampler draws at random at first, but other values.
        study = searched(tmp_path / name, settings("random"), 10, sign)
        now = change(study, WIDER)
        suggested.append(ask(study, now, chosen, BASE).user_attrs["params"])
    assert suggested[0] != suggested[1]


def test_cma_es_starts_again_and_then_samples_jointly(tmp_path: Path) -> None:
    pytest.importorskip("cmaes")
    chosen = settings(CMA_ES)
    study = searched(tmp_path, chosen, 12)
    now = change(study, WIDER)
    for _ in range(4):
        train(study, now, chosen)
    trials = study.get_trials()
    generations = [
        {value for name, value in trial.system_attrs.items() if name.endswith("generation")}
        for trial in trials
    ]
    assert max(max(each, default=0) for each in generations[:13]) > 0, "several generations before the change"
    assert generations[-1] == {0}, "the state of the earlier space is not used"


def test_optuna_refuses_other_choices_and_the_search_goes_on_without_writing_them(tmp_path: Path) -> None:
    chosen = settings("random")
    study = searched(tmp_path, chosen)
    now = space(CHOICES)
    with pytest.raises(ValueError, match="different distribution kind"):
        study.ask().suggest_categorical("hidden_dim", list(range(8, 33)))
    record_space(study, now, len(study.get_trials()))
    assert unwritable(study, now) == {"hidden_dim"}
    assert unwritable(study, space(WIDER)) == {"learning_rate"}
    assert unwritable(searched(tmp_path / "same", chosen), now) == set(), "only after a change"


def test_a_trial_outside_is_named_with_its_value_and_a_failed_one_is_not(tmp_path: Path) -> None:
    chosen = settings("random")
    study = searched(tmp_path, chosen, 0)
    trial = ask(study, space(FIRST), chosen, BASE)
    value = trial.user_attrs["params"]["dropout"]
    low = {**FIRST, "dropout": {"type": "float", "low": 0.1, "high": value - 1e-6}}
    if value < 0.1:
        low["dropout"] = {"type": "float", "low": value + 1e-6, "high": 0.3}
    found = outside(study.get_trials(), space(low), BASE)
    assert found is not None
    assert found.startswith(f"of trial {trial.number} `dropout` is {value}, outside ")
    tell_failed(study, trial, "it diverged")
    assert outside(study.get_trials(), space(low), BASE) is None


def test_a_param_that_is_no_longer_searched_must_have_had_its_fixed_value(tmp_path: Path) -> None:
    chosen = settings("random")
    study = searched(tmp_path, chosen, 2)
    value = study.get_trials()[1].user_attrs["params"]["hidden_dim"]
    found = outside(study.get_trials(), space({**FIRST, "hidden_dim": 16}), BASE)
    assert found is not None
    assert found.startswith(
        f"of trial 1 `hidden_dim` is {value}, but would be 16, because the space does not"
    )


def test_a_trial_that_was_interrupted_before_its_params_were_written_continues(tmp_path: Path) -> None:
    chosen = settings("random")
    study = searched(tmp_path, chosen, 2)
    trial = study.ask()
    params = BASE.model_copy(update={"hidden_dim": 20}).model_dump(mode="json")
    trial.set_user_attr("params", params)
    now = change(study, CHOICES)
    again = ask_again(study, trial.number, now, chosen, BASE)
    assert again.user_attrs["params"] == params
    assert again.params == {n: params[n] for n in ("embedding_dim", "dropout", "learning_rate")}


def test_a_known_trial_outside_the_present_space_is_not_used(tmp_path: Path) -> None:
    params = {"embedding_dim": 128, "hidden_dim": 16, "dropout": 0.25, "learning_rate": 0.001}
    chosen = settings("tpe", known_trials=[{"params": params, "value": 2.0}])
    study = searched(tmp_path, chosen, 0)
    narrow = change(study, {**FIRST, "dropout": {"type": "float", "low": 0.0, "high": 0.2}})
    assert narrow.outside(Params.model_validate(train(study, narrow, chosen).user_attrs["params"])) == []

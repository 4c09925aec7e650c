"""A prior: which params are drawn from it, how often, and how its share falls."""

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import GPSampler, RandomSampler

from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.prior import PriorSettings
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import Space, load_space
from trajtune.searching.prior import check_prior, draw_from_prior, unit_prior
from trajtune.searching.study.open import create_study
from trajtune.searching.study.sampler import sampler_for_trial
from trajtune.searching.study.study import ask, record_epoch, tell_complete
from trajtune.searching.study.suggestion import suggest
from trajtune.searching.study.trial_records import read_trials

BASE = Params(learning_rate=0.002, batch_size=64, hidden_dim=32, dropout=0.9, examples="last")
SPACE = validate(
    Space,
    {
        "params": {
            "embedding_dim": 128,
            "hidden_dim": {"type": "categorical", "choices": [16, 32, 48, 64]},
            "num_layers": {"type": "int", "low": 1, "high": 3},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
            "learning_rate": {"type": "float", "low": 0.0002, "high": 0.02, "log": True},
            "batch_size": {"type": "int", "low": 32, "high": 512, "step": 32},
            "schedule": {"type": "categorical", "choices": ["constant", "cosine"]},
            "warmup_epochs": {"type": "float", "low": 0.0, "high": 2.0, "when": {"schedule": "cosine"}},
        }
    },
    "test",
)


def draws(prior: PriorSettings, *, ended: int = 0, count: int = 2000) -> list[dict[str, Any]]:
    found = (
        draw_from_prior(prior, SPACE, BASE, seed=0, number=number, ended=ended) for number in range(count)
    )
    return [drawn for drawn in found if drawn is not None]


def test_every_draw_lies_in_the_space_and_satisfies_its_conditions() -> None:
    for drawn in draws(PriorSettings(width=3.0), count=300):
        params = SPACE.resolve(BASE, drawn)
        assert SPACE.outside(params) == []
        assert set(drawn) == set(SPACE.searched_values(params))
        assert ("warmup_epochs" in drawn) == (drawn["schedule"] == "cosine")


def test_draws_lie_around_the_training_with_the_experiments_width() -> None:
    found = draws(PriorSettings(widths={"learning_rate": 0.05, "hidden_dim": 0.4}))

    logs = np.log([drawn["learning_rate"] for drawn in found])
    assert np.mean(logs) == pytest.approx(np.log(0.002), abs=0.02)
    assert np.std(logs) == pytest.approx(0.05 * np.log(100), rel=0.05)
    assert np.mean([drawn["hidden_dim"] == 32 for drawn in found]) == pytest.approx(0.6 + 0.4 / 4, abs=0.03)
    assert np.median([drawn["batch_size"] for drawn in found]) == pytest.approx(128, abs=64)
    assert max(drawn["dropout"] for drawn in found) <= 0.5, "0.9 is replaced by the nearest end"


def test_a_centre_in_the_experiment_replaces_the_training() -> None:
    found = draws(PriorSettings(center={"learning_rate": 0.01, "hidden_dim": 48}, width=0.01))

    assert {drawn["hidden_dim"] for drawn in found if drawn["hidden_dim"] == 48}
    assert np.median([drawn["learning_rate"] for drawn in found]) == pytest.approx(0.01, rel=0.05)
    assert np.mean([drawn["hidden_dim"] == 48 for drawn in found]) > 0.97


@pytest.mark.parametrize(("ended", "share"), [(0, 1.0), (10, 0.5), (40, 0.2)])
def test_the_prior_fades_as_trials_end(ended: int, share: float) -> None:
    assert len(draws(PriorSettings(), ended=ended)) / 2000 == pytest.approx(share, abs=0.03)


def test_an_infinitely_wide_prior_is_uniform() -> None:
    found = draws(PriorSettings(width=1e6, widths={"schedule": 1.0}))

    assert np.mean([drawn["dropout"] for drawn in found]) == pytest.approx(0.25, abs=0.01)
    assert np.mean([drawn["schedule"] == "cosine" for drawn in found]) == pytest.approx(0.5, abs=0.03)


def test_a_search_draws_from_its_prior_first_and_is_reproducible(tmp_path: Path) -> None:
    settings = SearchSettings.model_validate(
        {"space": "smoke", "sampler": "random", "prior": {"width": 0.01, "trials": 3}}
    )
    space, base = load_space("smoke"), Params(learning_rate=0.004)

    def searched(name: str) -> list[Any]:
        (tmp_path / name).mkdir()
        study = create_study(tmp_path / name, settings, 1)
        for _ in range(20):
            trial = ask(study, space, settings, base)
            record_epoch(study, trial, settings.metric, {"epoch": 1, settings.metric: 1.0, "seconds": 0.0})
            tell_complete(study, trial)
        return read_trials(study)

    trials = searched("a")

    assert [(t.origin, t.params) for t in trials] == [(t.origin, t.params) for t in searched("b")]
    assert trials[0].origin == "prior"
    from_prior = [trial for trial in trials if trial.origin == "prior"]
    assert 3 <= len(from_prior) <= 15
    assert all(trial.params["learning_rate"] == pytest.approx(0.004, rel=0.1) for trial in from_prior)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"center": {"learning_rat": 1.0}}, "does not search learning_rat. Did you mean learning_rate\\?"),
        ({"widths": {"embedding_dim": 0.1}}, "does not search embedding_dim"),
        ({"widths": {"dropout": 0.0}}, "`search.prior.widths` must be above 0, but dropout has 0."),
        ({"center": {"hidden_dim": 17}}, "must have values in the space, but hidden_dim has 17."),
        ({"center": {"dropout": "much"}}, "must have values in the space, but dropout has 'much'."),
    ],
)
def test_a_prior_for_params_that_are_not_searched_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        check_prior(PriorSettings.model_validate(content), SPACE)


GP_SPACE = validate(
    Space,
    {
        "params": {
            "embedding_dim": 128,
            "batch_size": 32,
            "hidden_dim": {"type": "categorical", "choices": [16, 32, 48, 64]},
            "num_layers": {"type": "int", "low": 1, "high": 8},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5},
            "learning_rate": {"type": "float", "low": 0.0002, "high": 0.02, "log": True},
        }
    },
    "test",
)
CENTER = {"hidden_dim": 48, "num_layers": 6, "dropout": 0.4, "learning_rate": 0.01}
OPTIMUM = {"hidden_dim": 16, "num_layers": 2, "dropout": 0.1, "learning_rate": 0.0006}


def distance(params: Mapping[str, Any], point: Mapping[str, Any]) -> float:
    """Return the mean distance from a point, as a share of each range."""
    return float(
        np.mean(
            [
                params["hidden_dim"] != point["hidden_dim"],
                abs(params["num_layers"] - point["num_layers"]) / 7,
                abs(params["dropout"] - point["dropout"]) / 0.5,
                abs(np.log(params["learning_rate"] / point["learning_rate"])) / np.log(100),
            ]
        )
    )


def suggested_by_gp(
    prior: PriorSettings | None, ended: int, sampler: str = "gp", *, is_flat: bool = False
) -> dict[str, Any]:
    """Return what the sampler suggests after trials at random points, with the minimum at `OPTIMUM`.

    If ``is_flat``, the values do not depend on the points.
    """
    random = np.random.default_rng(0)
    settings = SearchSettings(sampler=sampler, prior=prior, sampler_kwargs={"n_startup_trials": 8})
    study = optuna.create_study(sampler=RandomSampler(seed=1))
    for _ in range(ended):
        trial = study.ask()
        value = distance(GP_SPACE.suggest(trial), OPTIMUM)
        study.tell(trial, random.normal() if is_flat else value)
    study.sampler = sampler_for_trial(settings, ended, GP_SPACE, BASE)
    return suggest(study.ask(), GP_SPACE)


@pytest.mark.parametrize("sampler", ["gp", "optuna.samplers:GPSampler"])
def test_gp_is_near_the_prior_at_first_and_later_where_the_trials_show(sampler: str) -> None:
    prior = PriorSettings(center=CENTER, width=0.1)
    early, late = (suggested_by_gp(prior, ended, sampler) for ended in (8, 60))
    assert distance(early, CENTER) < 0.35
    assert distance(suggested_by_gp(None, 8, sampler), CENTER) > 0.7
    assert distance(late, OPTIMUM) < 0.15
    assert distance(late, CENTER) > 0.6


def test_gp_is_at_the_prior_if_the_trials_show_nothing() -> None:
    prior = PriorSettings(center=CENTER, width=0.1)
    assert distance(suggested_by_gp(prior, 8, is_flat=True), CENTER) < 0.1
    assert distance(suggested_by_gp(None, 8, is_flat=True), CENTER) > 0.2


def test_a_narrow_prior_of_one_param_leaves_the_others_to_gp() -> None:
    prior = PriorSettings(center=CENTER, width=50.0, widths={"dropout": 0.01}, trials=10)
    found = suggested_by_gp(prior, 20)
    assert found["dropout"] == pytest.approx(0.4, abs=0.02)
    without = suggested_by_gp(None, 20)
    assert without["dropout"] < 0.3
    assert distance({**found, "dropout": 0.1}, OPTIMUM) < 0.25


def test_the_prior_in_the_unit_cube_has_the_centre_and_the_width_of_its_draws() -> None:
    prior = PriorSettings(center=CENTER, width=0.2)
    rate = unit_prior(prior, CENTER, "learning_rate", GP_SPACE.searched["learning_rate"])
    assert isinstance(rate, NormalDist)
    assert (rate.mean, rate.stdev) == (pytest.approx(np.log(50) / np.log(100)), pytest.approx(0.2))
    layers = unit_prior(prior, CENTER, "num_layers", GP_SPACE.searched["num_layers"])
    assert isinstance(layers, NormalDist)
    assert layers.mean == pytest.approx(5.5 / 8), "half a step beyond both ends"
    assert layers.stdev == pytest.approx(0.2 * 7 / 8)
    chosen = unit_prior(prior, CENTER, "hidden_dim", GP_SPACE.searched["hidden_dim"])
    assert np.exp(chosen) == pytest.approx([0.05, 0.05, 0.85, 0.05])
    outside = unit_prior(prior, {"hidden_dim": 17}, "hidden_dim", GP_SPACE.searched["hidden_dim"])
    assert np.exp(outside) == pytest.approx([0.25] * 4)


def test_gp_draws_from_the_prior_until_it_has_a_model(tmp_path: Path) -> None:
    settings = SearchSettings(
        sampler="gp", prior=PriorSettings(trials=1000), sampler_kwargs={"n_startup_trials": 3}
    )
    study = create_study(tmp_path, settings, 1)
    for number in range(6):
        trial = ask(study, GP_SPACE, settings, BASE)
        record_epoch(study, trial, "val_next_role_nll", {"epoch": 1, "val_next_role_nll": 3.0 + number})
        tell_complete(study, trial)
    assert [trial.origin for trial in read_trials(study)] == ["prior"] * 3 + ["sampler"] * 3


def test_a_version_of_optuna_whose_gp_cannot_be_weighed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(GPSampler, "_optimize_acqf")
    with pytest.raises(ExperimentError, match="needs a GPSampler whose acquisition can be weighed"):
        sampler_for_trial(SearchSettings(sampler="gp", prior=PriorSettings()), 0, GP_SPACE, BASE)

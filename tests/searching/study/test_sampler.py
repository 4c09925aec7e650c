"""Samplers by name or by import path, and samplers that are refused before a search starts."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import SAMPLERS, SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space, load_space
from trajtune.searching.run import start_search
from trajtune.searching.study.open import create_study, read_study
from trajtune.searching.study.sampler import check_sampler, make_sampler
from trajtune.searching.study.study import ask, record_epoch, tell_complete
from trajtune.searching.study.trial_records import read_trials

HERE = __name__
SMOKE = load_space("smoke")
NO_PRUNER = {"name": "none"}


class LowestSampler(RandomSampler):
    """Suggests the lowest learning rate so far, halved, and anything else at random."""

    def __init__(self, share: float = 0.5, seed: int | None = None) -> None:
        super().__init__(seed)
        self.share, self.seed = share, seed

    def sample_independent(
        self,
        study: optuna.Study,
        trial: optuna.trial.FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        if param_name != "learning_rate":
            return super().sample_independent(study, trial, param_name, param_distribution)
        rates = [other.params[param_name] for other in study.get_trials() if param_name in other.params]
        return max(param_distribution.low, self.share * min(rates, default=0.0))


class PickySampler(LowestSampler):
    """Accepts any keyword argument, but no `share` above 1."""

    def __init__(self, **kwargs: Any) -> None:
        if kwargs["share"] > 1:
            raise ValueError("share must be at most 1.\nIt is more.")
        super().__init__(kwargs["share"])


class NotASampler:
    """A class that is not a sampler."""


def settings(**content: object) -> SearchSettings:
    return validate(SearchSettings, {"space": "smoke", **content}, "test")


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_a_sampler_given_by_its_import_path_suggests_the_trials_of_a_search(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    search = {
        "space": "smoke",
        "trials": 4,
        "max_concurrent": 1,
        "sampler": f"{HERE}:LowestSampler",
        "sampler_kwargs": {"share": 0.9},
    }
    content = {"training": {"max_epochs": 1}, "search": search, "storage": {"runs": str(tmp_path)}}

    run = start_search(validate(Experiment, content, "test"), small_snapshot)

    trials = read_trials(read_study(run.path))
    rates = [trial.params["learning_rate"] for trial in trials]
    assert [trial.origin for trial in trials[-2:]] == ["sampler", "sampler"]
    assert rates[2:] == pytest.approx([0.9 * min(rates[:2]), 0.81 * min(rates[:2])])


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_named_sampler_suggests_a_point(name: str) -> None:
    check_sampler(settings(sampler=name), SMOKE, Params())


@pytest.mark.parametrize("name", ["CmaEsSampler", "NSGAIISampler", "QMCSampler"])
def test_samplers_of_optuna_are_found_by_their_import_path(name: str) -> None:
    check_sampler(settings(sampler=f"optuna.samplers:{name}"), SMOKE, Params())


def test_a_sampler_sees_the_params_that_it_has_suggested_for_the_trial_so_far(tmp_path: Path) -> None:
    """Optuna's BruteForceSampler never repeats a point, which requires these params."""
    sizes = {name: {"type": "categorical", "choices": [32, 128]} for name in ("embedding_dim", "batch_size")}
    space = validate(Space, {"params": {**SMOKE.params, **sizes, "learning_rate": 0.001}}, "test")
    chosen = settings(sampler="optuna.samplers:BruteForceSampler")
    study = create_study(tmp_path, chosen, 1)

    points = []
    for _ in range(7):  # of eight
        trial = ask(study, space, chosen, Params())
        points.append(tuple(trial.params.values()))
        record_epoch(study, trial, chosen.metric, {"epoch": 1, chosen.metric: 1.0, "seconds": 0.0})
        tell_complete(study, trial)

    assert len(set(points)) == 7


def test_a_sampler_gets_the_seed_of_its_trial_unless_the_experiment_gives_one() -> None:
    by_path = {"sampler": f"{HERE}:LowestSampler"}
    seeds = [make_sampler(settings(**by_path, seed=3), number, SMOKE, Params()).seed for number in (0, 1, 0)]
    given = make_sampler(settings(**by_path, sampler_kwargs={"seed": 7}), 1, SMOKE, Params()).seed

    assert seeds[0] == seeds[2] != seeds[1]
    assert given == 7


def test_cma_es_starts_at_the_experiments_training_instead_of_the_centre_of_the_space(tmp_path: Path) -> None:
    entries = {
        "learning_rate": {"type": "float", "low": 0.0005, "high": 0.01, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "num_layers": {"type": "int", "low": 1, "high": 3},
    }
    space = validate(
        Space, {"params": {**SMOKE.params, "embedding_dim": 128, "batch_size": 32, **entries}}, "t"
    )
    chosen = settings(sampler="optuna.samplers:CmaEsSampler", sampler_kwargs={"sigma0": 0.01})
    base = Params(learning_rate=0.009, dropout=0.4, num_layers=3)
    study = create_study(tmp_path, chosen, 1)

    for _ in range(4):
        trial = ask(study, space, chosen, base)
        record_epoch(study, trial, chosen.metric, {"epoch": 1, chosen.metric: 1.0, "seconds": 0.0})
        tell_complete(study, trial)

    # The first trial is drawn at random, because CMA-ES learns the space from it.
    for record in read_trials(study)[1:]:
        assert record.params["learning_rate"] == pytest.approx(0.009, rel=0.1)
        assert record.params["dropout"] == pytest.approx(0.4, abs=0.05)
        assert record.params["num_layers"] == 3


def test_keyword_arguments_of_a_named_sampler_go_to_optunas_class() -> None:
    sampler = make_sampler(
        settings(sampler="tpe", sampler_kwargs={"n_startup_trials": 5}), 0, SMOKE, Params()
    )

    assert sampler._n_startup_trials == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sampler": "tpo"}, "`sampler`: must be 'tpe', 'random'.*; did you mean tpe\\?, got 'tpo'"),
        ({"sampler": "optuna.samplers.TPESampler"}, "or the import path of a sampler, package.module:Class"),
        ({"sampler": "cmaes"}, "Write `sampler: optuna.samplers:CmaEsSampler` and run `pip install cmaes`"),
        ({"sampler": "optuna samplers:A"}, "must be 'tpe'"),
        ({"sampler_kwargs": {"gamma": {1, 2}}}, "sampler_kwargs"),
    ],
)
def test_an_unknown_sampler_is_refused_when_the_file_is_read(
    content: dict[str, object], message: str
) -> None:
    with pytest.raises(ExperimentError, match=message):
        settings(**content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sampler": "no.such:Sampler"}, "but no.such cannot be imported: No module named 'no'. Install it"),
        (
            {"sampler": "optuna.samplers:CmaESSampler"},
            "has no sampler CmaESSampler. Did you mean CmaEsSampler\\? Name a subclass",
        ),
        ({"sampler": f"{HERE}:NotASampler"}, "has no sampler NotASampler"),
        (
            {"sampler_kwargs": {"n_startup_trial": 5}},
            "the sampler tpe, but it has no n_startup_trial. Did you mean n_startup_trials\\? It takes ",
        ),
        ({"sampler": f"{HERE}:LowestSampler", "sampler_kwargs": {"x": 1}}, "It takes share, seed"),
        (
            {"sampler": f"{HERE}:PickySampler", "sampler_kwargs": {"share": 2}},
            "'share': 2} must suggest params of smoke for val_next_role_nll, but ValueError: share must be "
            "at most 1. It is more. Correct",
        ),
        ({"sampler_kwargs": {"gamma": 0.5, "n_startup_trials": 0}}, "but TypeError: 'float' object is not"),
        (
            {
                "sampler": "optuna.samplers:CmaEsSampler",
                "other_metrics": ["val_top1"],
                "pruner": NO_PRUNER,
            },
            "for val_next_role_nll, val_top1, but ValueError: .* CmaEsSampler cannot be used",
        ),
    ],
)
def test_an_unusable_sampler_is_a_one_line_error_before_the_run_is_created(
    small_snapshot: Snapshot, tmp_path: Path, content: dict[str, object], message: str
) -> None:
    search = {"space": "smoke", "trials": 2, **content}
    experiment = validate(Experiment, {"search": search, "storage": {"runs": str(tmp_path)}}, "test")

    with pytest.raises(ExperimentError, match=message) as caught:
        start_search(experiment, small_snapshot)

    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []

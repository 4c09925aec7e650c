"""Searches with other objectives than the NLL, with several objectives, and with constraints."""

import json
from pathlib import Path

import pytest
import torch

from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import RunError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.model.checkpoint import build_model, load_checkpoint
from trajtune.searching.run import resume_search, start_search
from trajtune.searching.runs.doctor import examine
from trajtune.searching.show.status import print_status, status_of
from trajtune.searching.study.open import create_study, read_study
from trajtune.searching.study.pruner import AshaPruner
from trajtune.searching.study.study import ask, record_epoch, tell_complete, tell_pruned
from trajtune.searching.study.trial_records import pareto_front, ranked, read_trials

SPACE = load_space("smoke")
NO_PRUNER = {"name": "none"}


def settings_of(**content: object) -> SearchSettings:
    return validate(SearchSettings, {"space": "smoke", **content}, "test")


def experiment(directory: Path, **search: object) -> Experiment:
    settings = {"space": "smoke", "trials": 5, "keep_checkpoints": 5, **search}
    storage = {"runs": str(directory / "runs")}
    return validate(
        Experiment, {"training": {"max_epochs": 3}, "search": settings, "storage": storage}, "test"
    )


def tell(study: object, settings: SearchSettings, *epochs: dict[str, float], pruned: bool = False) -> None:
    trial = ask(study, SPACE, settings, Params())  # type: ignore[arg-type]
    for number, report in enumerate(epochs, start=1):
        report = {"epoch": number, "seconds": 0.0, **report}
        record_epoch(study, trial, settings.metric, report)  # type: ignore[arg-type]
    (tell_pruned if pruned else tell_complete)(study, trial)  # type: ignore[arg-type]


def test_a_maximised_objective_takes_the_largest_epoch_and_the_largest_trial(
    tmp_path: Path,
) -> None:
    settings = settings_of(metric="val_top1")
    study = create_study(tmp_path, settings, 50)
    for values in ((0.2, 0.5, 0.4), (0.3, 0.6, 0.1), (0.55,)):
        tell(study, settings, *({"val_top1": value} for value in values))

    trials = read_trials(read_study(tmp_path))

    assert [(trial.value, trial.best_epoch) for trial in trials] == [(0.5, 2), (0.6, 2), (0.55, 1)]
    assert [trial.number for trial in ranked(trials)] == [1, 2, 0]
    assert (study.best_trial.number, study.best_value) == (1, 0.6)


def test_halving_keeps_the_largest_values_of_a_maximised_objective(tmp_path: Path) -> None:
    settings = settings_of(metric="val_top1", pruner={"grace_period": 1})
    study = create_study(tmp_path, settings, 50)
    verdicts = []
    for value in (0.1, 0.2, 0.3, 0.15):
        trial = ask(study, SPACE, settings, Params())
        record_epoch(study, trial, "val_top1", {"epoch": 1, "val_top1": value, "seconds": 0.0})
        verdicts.append(AshaPruner(1, 3).prune(study, study.trials[trial.number]))

    assert verdicts == [False, False, False, True]


def test_the_front_has_the_undominated_trials_ordered_by_the_first_objective(tmp_path: Path) -> None:
    settings = settings_of(other_metrics=["val_top1"], pruner=NO_PRUNER)
    study = create_study(tmp_path, settings, 50)
    points = [(2.0, 0.5), (1.0, 0.4), (3.0, 0.6), (1.5, 0.4), (2.5, 0.45), (1.0, 0.4)]
    for nll, top1 in points:
        # All values are from the epoch that is best by the first objective.
        tell(study, settings, {"val_next_role_nll": 9.0, "val_top1": 0.9}, _report(nll, top1))

    trials = read_trials(read_study(tmp_path))

    assert [trial.costs for trial in trials] == [(nll, -top1) for nll, top1 in points]
    assert [trial.number for trial in pareto_front(trials)] == [1, 5, 0, 2]
    assert [trial.number for trial in ranked(trials)] == [1, 5, 0, 2, 3, 4]
    assert {trial.number for trial in study.best_trials} == {0, 1, 2, 5}, "Optuna sees the same front"


def test_with_several_objectives_an_epoch_is_recorded_once_and_a_pruned_trial_keeps_its_best(
    tmp_path: Path,
) -> None:
    settings = settings_of(other_metrics=["val_mrr"], pruner=NO_PRUNER)
    study = create_study(tmp_path, settings, 50)
    trial = ask(study, SPACE, settings, Params())
    for nll in (2.0, 9.0):
        report = {"epoch": 1, "val_next_role_nll": nll, "val_mrr": 0.5, "seconds": 0.0}
        record_epoch(study, trial, settings.metric, report)
    tell_pruned(study, trial)

    (read,) = read_trials(read_study(tmp_path))
    assert (read.state, len(read.epochs), read.costs) == ("PRUNED", 1, (2.0, -0.5))


def test_an_undefined_second_objective_fails_the_trial_with_its_name(tmp_path: Path) -> None:
    settings = settings_of(other_metrics=["val_hireability_auc"], pruner=NO_PRUNER)
    study = create_study(tmp_path, settings, 50)
    tell(study, settings, {"val_next_role_nll": 1.0, "val_hireability_auc": None})  # type: ignore[dict-item]

    (read,) = read_trials(read_study(tmp_path))
    assert (read.state, ranked([read])) == ("FAIL", [])
    assert str(read.error).startswith("`val_hireability_auc` must be a number")


@pytest.mark.parametrize("pruned", [False, True])
def test_a_violated_constraint_is_recorded_in_optuna_and_its_trial_never_wins(
    tmp_path: Path, pruned: bool
) -> None:
    settings = settings_of(constraints=["num_parameters <= 500_000", "val_top1 >= 0.1"])
    study = create_study(tmp_path, settings, 50)
    tell(study, settings, {**_report(1.0, 0.5), "num_parameters": 700_000}, pruned=pruned)
    tell(study, settings, {**_report(2.0, 0.5), "num_parameters": 300_000})

    trials = read_trials(read_study(tmp_path))

    assert study.trials[0].constraints == {"num_parameters <= 500_000": 200_000.0, "val_top1 >= 0.1": -0.4}
    assert [trial.is_feasible for trial in trials] == [False, True]
    assert [trial.number for trial in ranked(trials)] == [1]
    assert study.best_trial.number == 1


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_the_sampler_learns_to_meet_a_constraint(tmp_path: Path, sampler: str) -> None:
    """Points with a better objective violate the constraint; a sampler that respects it avoids them."""

    def broken(constraints: list[str], directory: Path) -> float:
        directory.mkdir()
        settings = settings_of(sampler=sampler, constraints=constraints)
        study = create_study(directory, settings, 50)
        for _ in range(30):
            trial = ask(study, SPACE, settings, Params())
            rate = trial.params["learning_rate"]
            report = {"epoch": 1, "val_next_role_nll": -rate, "latency_ms": 1000 * rate, "seconds": 0.0}
            record_epoch(study, trial, settings.metric, report)
            tell_complete(study, trial)
        return sum(max(0.0, trial.params["learning_rate"] - 0.002) for trial in study.trials[12:])

    heeding, heedless = broken(["latency_ms <= 2"], tmp_path / "a"), broken([], tmp_path / "b")

    assert heeding < 0.5 * heedless


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_a_search_with_two_objectives_shows_its_front_and_has_the_requested_trials(
    small_snapshot: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = experiment(
        tmp_path, metric="val_top5", other_metrics=["val_tenure_mae_months"], pruner=NO_PRUNER
    )

    run = start_search(settings, small_snapshot, name="run")

    status = json.loads(json.dumps(status_of(run)))
    assert status["objectives"] == {"val_top5": "maximize", "val_tenure_mae_months": "minimize"}
    assert status["counts"]["COMPLETE"] == 5
    assert status["front"][0] == status["best"]["number"] == run.best()["number"]
    values = [trial["metrics"]["val_top5"] for trial in status["trials"]]
    assert status["best"]["metrics"]["val_top5"] == max(values)
    assert status["gain"] == pytest.approx(max(values) - values[0])
    print_status(status)
    assert (
        f"Pareto front of val_top5, val_tenure_mae_months: trials {status['front'][0]}"
        in capsys.readouterr().out
    )
    assert examine(run) == []
    for trial in read_trials(read_study(run.path)):
        checkpoint = load_checkpoint(run.path / trial.directory / "best.pt")
        assert checkpoint["epoch"] == trial.best_epoch, (
            "the weights are of the best epoch by the first objective"
        )
    longer = resume_search(run.path, trials=6)
    assert status_of(longer)["counts"]["COMPLETE"] == 6


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_size_and_latency_are_measured_and_a_search_without_a_feasible_trial_is_an_error(
    small_snapshot: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ["num_parameters <= 15_000", "latency_ms <= 10_000"]
    small = {
        **RESEARCH_DEFAULT.model_dump(mode="json"),
        "embedding_dim": 32,
        "num_layers": 1,
        "max_epochs": 3,
    }
    run = start_search(
        experiment(tmp_path, constraints=limits, start_points=[small]),
        small_snapshot,
        name="run",
    )

    trials = read_trials(read_study(run.path))
    status = status_of(run)
    for trial in trials:
        if (path := run.path / trial.directory / "best.pt").exists():
            model = build_model(load_checkpoint(path))
            assert trial.metrics["num_parameters"] == sum(p.numel() for p in model.parameters())
            with torch.inference_mode():
                assert model(torch.ones((1, 10), dtype=torch.int64))
        assert 0 < trial.metrics["latency_ms"] < 10_000
        assert trial.violations[limits[0]] == trial.metrics["num_parameters"] - 15_000
    assert not trials[0].is_feasible, "the research default is too large, but is shown"
    assert status["research_default"]["feasible"] is False
    assert trials[run.best()["number"]].is_feasible
    print_status(status)
    shown = capsys.readouterr().out
    assert "constraint num_parameters <= 15_000: broken by trials 0" in shown
    assert "constraint latency_ms <= 10_000: kept by all" in shown

    with pytest.raises(RunError, match=r"No trial of none keeps every constraint: 2 of 2 break `num_param"):
        start_search(
            experiment(tmp_path, trials=2, constraints=["num_parameters <= 10"]), small_snapshot, name="none"
        )


def _report(nll: float, top1: float) -> dict[str, float]:
    return {"val_next_role_nll": nll, "val_top1": top1}

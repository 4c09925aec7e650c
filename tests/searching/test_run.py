"""A search on a real Ray: its results, and how it is resumed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.searching.faults.killing import check_invariants
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import load_space
from trajtune.model.baselines.baselines import markov
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.model.checkpoint import build_model, load_checkpoint
from trajtune.searching.budget import SessionLimits
from trajtune.searching.run import resume_search, start_search
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.doctor import examine
from trajtune.searching.runs.retention import top_trials
from trajtune.searching.search import search
from trajtune.searching.show.status import print_status, status_of
from trajtune.searching.start_points import with_warm_start
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials
from trajtune.searching.tune.tracking import MLFLOW

pytestmark = pytest.mark.usefixtures("ray_local")

TRIALS = 6
LOW = {"learning_rate": 0.0005, "embedding_dim": 32, "max_epochs": 3}


def experiment(directory: Path, **search_settings: object) -> Experiment:
    settings = {"space": "smoke", "trials": TRIALS, "pruner": {"grace_period": 1}, "keep_checkpoints": 2}
    return validate(
        Experiment,
        {
            "training": {"max_epochs": 4},
            "search": {**settings, **search_settings},
            "storage": {"runs": str(directory / "runs")},
        },
        "test",
    )


@pytest.fixture(scope="module")
def finished(ray_local: None, small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return start_search(experiment(tmp_path_factory.mktemp("search")), small_snapshot)


def test_a_search_has_the_requested_trials_and_keeps_the_best_checkpoints(finished: Run) -> None:
    trials = check_invariants(finished, TRIALS)

    assert {"PRUNED", "COMPLETE"} == {trial.state for trial in trials}
    assert examine(finished) == []
    assert not (finished.path / MLFLOW).exists(), "MLflow is off by default"


def test_the_best_checkpoint_loads_as_a_model_of_the_best_params(finished: Run) -> None:
    best = finished.best()
    checkpoint = load_checkpoint(finished.path / best["checkpoint"])

    assert checkpoint["params"] == best["params"]
    assert checkpoint["epoch"] == best["epoch"]
    assert build_model(checkpoint).hidden_dim == best["params"]["hidden_dim"]


def test_latest_points_to_the_newest_run_and_opens(finished: Run) -> None:
    opened = open_run(None, finished.experiment.storage)

    assert opened == finished


def test_a_run_is_never_overwritten(finished: Run, small_snapshot: Snapshot) -> None:
    with pytest.raises(RunError, match=f"{finished.name} exists already"):
        start_search(finished.experiment, small_snapshot, name=finished.name)


def test_the_status_agrees_with_the_study(finished: Run) -> None:
    status = json.loads(json.dumps(status_of(finished)))

    assert status["requested"] == sum(status["counts"].values()) == TRIALS
    assert not status["searching"]
    assert status["research_default"]["number"] == 0
    assert (
        status["best"]["metrics"]["val_next_role_nll"]
        <= status["research_default"]["metrics"]["val_next_role_nll"]
    )
    assert status["gain"] == pytest.approx(
        status["research_default"]["metrics"]["val_next_role_nll"]
        - status["best"]["metrics"]["val_next_role_nll"]
    )
    assert [trial["number"] for trial in status["trials"]] == list(range(TRIALS))


def test_the_status_shows_baselines_measured_on_val(
    finished: Run, small_snapshot: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    status = json.loads(json.dumps(status_of(finished)))
    print_status(status)
    shown = capsys.readouterr().out
    val, vocab_size = small_snapshot.read("val").arrays, small_snapshot.encoder().vocab_size
    predicted = markov(small_snapshot.read("train").arrays, vocab_size).predict(val, examples_of(val, "last"))

    assert set(status["baselines"]) == {"majority", "current_title", "markov", "ngram"}
    assert set(status["baselines"]["markov"]) <= set(status["best"]["metrics"])
    assert status["baselines"]["markov"]["val_top1"] == float((predicted.rank == 1).mean())
    least = min(found["val_next_role_nll"] for found in status["baselines"].values())
    assert f"best baseline {least:.4f}: " in shown
    most = max(found["val_top1"] for found in status["baselines"].values())
    assert f"; by val_top1 {most:.4f}: " in shown
    choice = NGramChoice.from_dict(status["ngram"])
    if f"best baseline {least:.4f}: ngram" in shown:
        assert f": ngram ({choice.in_words()}); by" in shown


def test_a_finished_search_is_extended_by_exactly_the_missing_trials(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    short = start_search(experiment(tmp_path, trials=2), small_snapshot)
    before = read_trials(read_study(short.path))

    longer = resume_search(short.path, trials=4)

    after = check_invariants(longer, 4)
    assert after[:2] == before, "finished trials are not changed"
    assert open_run(short.path).requested == 4
    again = resume_search(short.path)
    assert check_invariants(again, 4) == after, "a finished search has nothing to do"
    with pytest.raises(RunError, match="`trials` must be at least 4"):
        resume_search(short.path, trials=3)


def test_start_points_come_second_and_equal_points_are_trained_once(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    research = RESEARCH_DEFAULT.model_dump()
    run = start_search(experiment(tmp_path, trials=4, start_points=[LOW, LOW, research]), small_snapshot)

    default, first, second, third = read_trials(read_study(run.path))
    assert Params.model_validate(first.params) == run.experiment.training.model_copy(update=LOW)
    assert (second.duplicate_of, third.duplicate_of) == (1, 0)
    assert (second.epochs, third.epochs) == (first.epochs, default.epochs)
    assert (second.state, third.state) == (first.state, default.state)
    assert not (run.path / second.directory).exists(), "nothing was trained for it"
    assert {trial.number for trial in top_trials(run, 9)} == {0, 1}


def test_the_experiments_training_is_tried_before_the_sampler_suggests(finished: Run) -> None:
    default, own, drawn = read_trials(read_study(finished.path))[:3]
    assert (default.origin, own.origin, drawn.origin) == ("research_default", "training", "sampler")
    assert own.params == finished.experiment.training.model_dump(mode="json")


@pytest.mark.slow
def test_the_epoch_budget_stops_a_search_cleanly(
    small_snapshot: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start_search(experiment(tmp_path, trials=20, max_epochs_total=5), small_snapshot)

    trials = read_trials(read_study(run.path))
    assert 5 <= sum(len(trial.epochs) for trial in trials) <= 6, "one more epoch may have been running"
    unfinished = {trial.origin for trial in trials if trial.state == "RUNNING"}
    assert unfinished <= {"research_default", "training"}, "a budget never prunes these"
    assert "the budget of 5 epochs is spent" in capsys.readouterr().err

    resume_search(run.path, limits=SessionLimits(max_epochs_total=8))
    assert 8 <= sum(len(trial.epochs) for trial in read_trials(read_study(run.path))) <= 9
    assert "the budget of 8 epochs is spent" in capsys.readouterr().err


def test_a_budget_given_for_one_session_is_not_kept(small_snapshot: Snapshot, tmp_path: Path) -> None:
    limits = SessionLimits(max_concurrent=1, time_budget_s=1e-6)
    run = start_search(experiment(tmp_path, trials=1), small_snapshot, limits=limits)

    assert open_run(run.path).experiment.search.time_budget_s is None
    assert not read_trials(read_study(run.path))[0].epochs
    check_invariants(resume_search(run.path), 1)


@pytest.mark.slow
def test_a_trial_that_diverges_fails_with_its_reason_and_the_search_continues(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(
        "params: {embedding_dim: 128, hidden_dim: 16, num_layers: 2, dropout: 0.1, batch_size: 32,"
        " learning_rate: {type: categorical, choices: [0.001, 1.0e+30]}}"
    )
    settings = experiment(tmp_path, space=str(space), trials=3, start_points=[{"learning_rate": 1e30}])

    trials = read_trials(read_study(start_search(settings, small_snapshot).path))

    assert (trials[0].state, trials[1].state) == ("COMPLETE", "FAIL")
    assert "Lower learning_rate" in str(trials[1].error)
    assert trials[2].state in ("COMPLETE", "FAIL", "PRUNED")


def test_a_start_point_outside_the_space_is_refused_before_a_run_is_created(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    with pytest.raises(
        ExperimentError, match=r"Start point 1 must lie in the space smoke, but `learning_rate` is 5"
    ):
        start_search(experiment(tmp_path, start_points=[{"learning_rate": 5.0}]), small_snapshot)

    assert not (tmp_path / "runs").exists()


def test_a_given_space_is_not_read_from_its_file(small_snapshot: Snapshot, tmp_path: Path) -> None:
    settings = experiment(tmp_path, space="gone.yaml", start_points=[{"learning_rate": 5.0}])

    with pytest.raises(ExperimentError, match=r"Start point 1 must lie in the space gone.yaml"):
        start_search(settings, small_snapshot, space=load_space("smoke"))


def test_resuming_with_another_setting_is_refused_with_the_difference(
    finished: Run, small_snapshot: Snapshot, tmp_path: Path
) -> None:
    other = finished.experiment.model_copy(
        update={"search": finished.experiment.search.model_copy(update={"seed": 1, "trials": 9})}
    )

    with pytest.raises(RunError, match=r"would not be comparable: search\.seed 0 → 1\. Undo"):
        search(other, small_snapshot, resume=finished.path)


def test_resuming_with_another_version_needs_force(finished: Run) -> None:
    path = finished.path / "run.json"
    before = path.read_text("utf-8")
    manifest = json.loads(before)
    manifest["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(manifest), "utf-8")
    try:
        with pytest.raises(RunError, match=r"other versions: torch 1\.0 → .* or resume with --force"):
            resume_search(finished.path)
        assert resume_search(finished.path, force=True).path == finished.path
    finally:
        path.write_text(before, "utf-8")


def test_a_warm_start_takes_the_best_configurations_of_an_earlier_run(
    finished: Run, small_snapshot: Snapshot
) -> None:
    warm = with_warm_start(finished.experiment, finished.space, finished, small_snapshot)

    expected = [dict(t.params) for t in top_trials(finished, 5) if t.number != 0]
    assert warm.search.start_points == expected
    assert expected
    assert warm.search.known_trials == []


def test_a_warm_start_from_another_split_is_refused(finished: Run, small_snapshot: Snapshot) -> None:
    settings = {**small_snapshot.manifest["settings"], "split": {"fractions": [0.5, 0.6]}}
    other = replace(small_snapshot, manifest={**small_snapshot.manifest, "settings": settings})

    with pytest.raises(RunError, match="comparable data, but since .* these changed: split"):
        with_warm_start(finished.experiment, finished.space, finished, other)

"""`trajtune.search`: a whole search by one call, as the command line makes it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.running import write_csv
from trajtune import finalize, load_experiment, search
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.load import load_yaml
from trajtune.experiment.params import Params
from trajtune.searching.run import SessionFlags
from trajtune.searching.runs.directory import open_run
from trajtune.searching.search import plan, session_limits
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials

SPACES = Path(__file__).parents[2] / "search_spaces"


@pytest.mark.usefixtures("ray_local")
def test_a_search_prepares_the_snapshot_and_records_the_settings_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}\ntraining: {max_epochs: 1}\n")
    given = {"training.weight_decay": 0.02, "search.keep_checkpoints": 1}

    run = search(tmp_path / "e.yaml", trials=1, space="smoke", settings=given, run="r", time_budget="30m")

    (snapshot,) = (tmp_path / "snapshots").iterdir()
    assert run.snapshot_path == snapshot
    assert (run.requested, run.experiment.search.space, run.name) == (1, "smoke", "r")
    assert open_run("r") == run
    assert (run.experiment.training.weight_decay, run.experiment.search.keep_checkpoints) == (0.02, 1)
    assert run.experiment.search.time_budget_s is None, "a limit holds for one session"
    with pytest.raises(RunError, match=r"would not be comparable: training.weight_decay 0.02 → 0.03"):
        search(resume=run, settings={"training.weight_decay": 0.03})
    longer = search(resume=run, trials=2, snapshot=snapshot, settings={"search.keep_checkpoints": 2})
    assert len(read_trials(read_study(longer.path))) == 2
    assert open_run("r").experiment.search.keep_checkpoints == 2


@pytest.mark.usefixtures("ray_local")
def test_a_search_continues_in_another_space_that_contains_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}\ntraining: {max_epochs: 1}\n")
    smoke = load_yaml(SPACES / "smoke.yaml")["params"]
    other = {
        **smoke,
        "embedding_dim": {"type": "categorical", "choices": [128]},  # Optuna refuses this
        "batch_size": {"type": "categorical", "choices": [16, 32]},
        "dropout": {"type": "float", "low": 0.1, "high": 0.5},
        "hidden_dim": {"type": "int", "low": 8, "high": 16},
    }
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"params": other}))
    (tmp_path / "narrow.yaml").write_text(
        yaml.safe_dump({"params": {**other, "dropout": 0.1, "num_layers": 2}})
    )
    run = search(tmp_path / "e.yaml", trials=1, space="smoke", run="r")
    before = (run.path / "run.json").read_bytes()

    longer = search(resume=run, trials=3, space="other.yaml")

    assert "The space of r changed: embedding_dim {32, 128} → {128}, hidden_dim 16 → 8..16, " in (
        capsys.readouterr().err
    )
    assert open_run("r") == longer
    assert (longer.experiment.search.space, longer.space_since) == ("other.yaml", 1)
    trials = read_trials(read_study(longer.path))
    assert [(trial.state, trial.origin) for trial in trials[1:]] == [
        ("COMPLETE", "training"),
        ("COMPLETE", "sampler"),
    ]
    for trial in trials[1:]:
        assert longer.space.outside(Params.model_validate(trial.params)) == []
        assert trial.params["embedding_dim"] == 128
    assert len(longer.leaderboard()) == 3
    now = (run.path / "run.json").read_bytes()
    assert now != before
    with pytest.raises(RunError, match=r"every trial of r except failed ones, but of trial \d `\w+` is .*, "):
        search(resume=run, trials=4, space="narrow.yaml", settings={"search.keep_checkpoints": 3})
    assert (run.path / "run.json").read_bytes() == now, "a refused change writes nothing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "A new search needs an experiment"),
        ({"experiment": "smoke", "time_budget": "soon"}, "A time budget must be .* but is 'soon'"),
        ({"experiment": "smoke", "time_budget": 0}, "A time budget must be a positive number"),
        ({"experiment": "smoke", "max_concurrent": 0}, "`max_concurrent` must be at least 1, but is 0"),
        ({"experiment": "smoke", "max_epochs_total": -1}, "`max_epochs_total` must be at least 1"),
        ({"resume": "no_such"}, "No run no_such in"),
    ],
)
def test_what_a_search_cannot_do_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=said):
        search(**arguments)
    assert list(tmp_path.iterdir()) == []


def test_trials_and_space_are_checked_like_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match=r"`search.trials`: .*, got 0"):
        search("smoke", trials=0)
    with pytest.raises(ExperimentError, match="No file no_such.yaml in search_spaces"):
        search("smoke", space="no_such")
    with pytest.raises(ExperimentError, match="No file no_such.yaml in experiments"):
        search("no_such")


def test_times_are_seconds_or_have_a_unit() -> None:
    times = ("90s", "1.5m", "2h", 5, 0.5)
    assert [session_limits(time).time_budget_s for time in times] == [90.0, 90.0, 7200.0, 5.0, 0.5]


@pytest.mark.usefixtures("ray_local")
def test_a_plan_says_what_a_search_would_be_and_begins_none(
    small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = plan(load_experiment("smoke"), small_snapshot, flags=SessionFlags(verbose=True))
    assert said.startswith("search  at most about")
    assert list(tmp_path.iterdir()) == []


def test_finalize_takes_texts_for_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="No run no_such in"):
        finalize("no_such", out=str(tmp_path / "b"), snapshot="s", require_gates=True, address="auto")

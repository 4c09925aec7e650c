"""`trajtune search`: what is wrong is one line, and nothing is half-written."""

from pathlib import Path

import pytest
import yaml

from tests.cli.running import PASSWORD, Trajtune, assert_one_line, write_csv
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import load_yaml


def test_no_database_at_the_url(
    trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ray_local: None
) -> None:
    monkeypatch.setenv("POSTGRES_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:9/nowhere")
    assert_one_line(trajtune("search", "--trials", "2"), "SourceError", "127.0.0.1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{", ["is not YAML"]),
        ("training: {hiden_dim: 3}", ["unknown key `training.hiden_dim`", "did you mean `hidden_dim`"]),
    ],
)
def test_an_experiment_file_that_breaks_a_rule(
    trajtune: Trajtune, tmp_path: Path, text: str, parts: list[str]
) -> None:
    (tmp_path / "e.yaml").write_text(text)
    assert_one_line(trajtune("search", "e.yaml"), "ExperimentError", *parts)


def test_an_experiment_that_is_not_there(trajtune: Trajtune) -> None:
    assert_one_line(trajtune("search", "no_such"), "ExperimentError", "There are: ", "default")


def test_a_named_experiment_never_falls_back_to_simulated_careers(trajtune: Trajtune) -> None:
    assert_one_line(trajtune("search", "research_default"), "ExperimentError", "POSTGRES_URL is not set")


def test_a_space_without_the_research_defaults_keys(
    trajtune: Trajtune, tmp_path: Path, ladder_snapshot: Snapshot, ray_local: None
) -> None:
    (tmp_path / "s.yaml").write_text("params: {dropout: {type: float, low: 0.0, high: 0.5}}")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: none.csv}")
    outcome = trajtune("search", "e.yaml", "--space", "s.yaml", "--snapshot", str(ladder_snapshot.path))
    assert_one_line(outcome, "ExperimentError", "hidden_dim", "learning_rate")
    assert not (tmp_path / "runs").exists()


def test_a_snapshot_that_was_altered(trajtune: Trajtune, tmp_path: Path, ray_local: None) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}")
    assert trajtune("prepare", "e.yaml").code == 0
    (snapshot,) = (tmp_path / "snapshots").iterdir()
    (snapshot / "vocabulary.json").write_text("{}")
    outcome = trajtune("search", "e.yaml", "--snapshot", str(snapshot))
    assert_one_line(outcome, "SnapshotError", "vocabulary.json was altered")


def test_a_dry_run_says_what_a_search_would_be_and_cost_and_begins_none(
    trajtune: Trajtune,
    tmp_path: Path,
    ladder_snapshot: Snapshot,
    ray_local: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spaces_read: list[str] = []

    def counted(path: Path) -> dict[str, object]:
        spaces_read.append(path.name)
        return load_yaml(path)

    monkeypatch.setattr("trajtune.experiment.space.load_yaml", counted)
    outcome = trajtune(
        "search", "demo", "--dry-run", "--trials", "5", "--snapshot", str(ladder_snapshot.path)
    )
    assert outcome.code == 0
    resolved = yaml.safe_load(outcome.out)
    assert resolved["search"]["trials"] == 5
    assert resolved["training"]["schedule"] == "one_cycle"
    assert spaces_read == [f"{resolved['search']['space']}.yaml"], "once"
    for said in ("# an epoch of the research default: about", "# memory of a trial: about", "# disk: about"):
        assert said in outcome.out
    assert list(tmp_path.iterdir()) == []
    assert_one_line(trajtune("search", "--dry-run", "--resume", "x"), "RunError", "Leave out --resume")


@pytest.mark.slow
def test_a_quiet_search_prints_its_run_alone_and_its_log_has_the_rest(
    trajtune: Trajtune, tmp_path: Path, ladder_snapshot: Snapshot, ray_local: None
) -> None:
    (tmp_path / "e.yaml").write_text(
        "source: {kind: csv, path: none.csv}\ntraining: {max_epochs: 1}\nsearch: {space: smoke, trials: 1}\n"
    )
    command = ["search", "e.yaml", "--snapshot", str(ladder_snapshot.path), "--run", "r"]
    outcome = trajtune(*command, "-q")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{tmp_path / 'runs' / 'r'}\n", "")
    assert "trial 0 COMPLETE" in (tmp_path / "runs" / "r" / "search.log").read_text("utf-8")

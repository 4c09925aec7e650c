"""`trajtune search`: errors are one line, and leave nothing half-written."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.running import COMMAND, PASSWORD, Trajtune, assert_one_line, write_csv
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import load_experiment, load_yaml
from trajtune.experiment.settings import StorageSettings
from trajtune.experiment.space import load_space
from trajtune.searching.runs.create import create_run


def test_a_missing_database_is_one_line(
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


def test_a_setting_on_the_command_line_is_of_the_resolved_experiment(
    trajtune: Trajtune, ladder_snapshot: Snapshot, ray_local: None
) -> None:
    snapshot = str(ladder_snapshot.path)
    command = ["search", "smoke", "--dry-run", "--show-experiment", "--snapshot", snapshot]
    command += ["--set", "training.weight_decay=0.02"]
    outcome = trajtune(*command, "--set", "search.pruner.grace_period=3")
    resolved = yaml.safe_load(outcome.out)
    assert (resolved["training"]["weight_decay"], resolved["search"]["pruner"]["grace_period"]) == (0.02, 3)
    assert_one_line(trajtune(*command, "--set", "training.dropuot=1"), "ExperimentError", "`dropout`?")
    assert_one_line(trajtune("search", "--resume", "r", "--set", "x"), "ExperimentError", "section.key=value")
    assert_one_line(trajtune("search", "smoke", "--time-budget", "soon"), "RunError", "30m")


def test_a_missing_experiment_is_one_line(trajtune: Trajtune) -> None:
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


def test_a_dry_run_prints_the_cost_first_and_starts_no_search(
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
    command = ["search", "demo", "--dry-run", "--trials", "5", "--snapshot", str(ladder_snapshot.path)]
    cost = [
        r"search +at most about \d+ \w+, about \d+ epochs",
        r"epoch +about",
        r"memory +about",
        r"disk +about",
    ]
    plain = trajtune(*command)
    assert plain.code == 0
    for line, fact in zip(plain.out.splitlines(), cost, strict=True):
        assert re.match(fact, line)
    spaces_read.clear()
    outcome = trajtune(*command, "--show-experiment")
    for line, fact in zip(outcome.out.splitlines(), cost, strict=False):
        assert re.match(f"# {fact}", line)
    resolved = yaml.safe_load(outcome.out)
    assert resolved["search"]["trials"] == 5
    assert resolved["training"]["schedule"] == "one_cycle"
    assert spaces_read == [f"{resolved['search']['space']}.yaml"], "once"
    assert list(tmp_path.iterdir()) == []
    assert_one_line(trajtune("search", "--dry-run", "--resume", "x"), "RunError", "Leave out --resume")
    assert_one_line(trajtune("search", "--show-experiment"), "RunError", "Add --dry-run")


EXPERIMENT = """source: {kind: csv, path: none.csv}
training: {max_epochs: 400}
search: {space: smoke, trials: 2}
"""


@pytest.fixture
def run_of_a_search(tmp_path: Path, ladder_snapshot: Snapshot) -> Path:
    """Create a run of `EXPERIMENT` without trials, and the experiment file."""
    (tmp_path / "e.yaml").write_text(EXPERIMENT)
    return create_run(
        load_experiment(str(tmp_path / "e.yaml")).model_copy(
            update={"storage": StorageSettings(runs=str(tmp_path / "runs"))}
        ),
        load_space("smoke"),
        name="r",
        snapshot_path=ladder_snapshot.path,
        snapshot_id=ladder_snapshot.id,
    ).path  # type: ignore[return-value]


def test_a_resume_refuses_all_differences_from_the_run(
    trajtune: Trajtune, run_of_a_search: Path, tmp_path: Path, changing_snapshot: Snapshot
) -> None:
    (tmp_path / "other.yaml").write_text(EXPERIMENT.replace("400", "3"))
    (tmp_path / "wide.yaml").write_text(EXPERIMENT.replace("smoke", "wide"))
    resume = ["search", "--resume", "r"]
    for given, said in [
        (["wide.yaml"], "space.params."),
        (["other.yaml", "--space", "wide"], "training.max_epochs 400 → 3"),
        (["other.yaml"], "training.max_epochs 400 → 3"),
        (["--run", "s"], "--run r → s"),
        (["--snapshot", str(changing_snapshot.path)], "snapshot "),
    ]:
        assert_one_line(trajtune(*resume, *given), "RunError", "would not be comparable", said)
    assert_one_line(trajtune(*resume, "--warm-start", "none"), "RunError", "No run none in")
    assert not (run_of_a_search / "study.journal").exists(), "nothing began"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_search_that_can_be_resumed(
    run_of_a_search: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = [*COMMAND, "search", "--resume", "r", "--json-log"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        while '"epoch"' not in driver.stdout.readline():
            assert driver.poll() is None
        driver.send_signal(number)
        _, err = driver.communicate(timeout=60)
    assert driver.returncode == code, err
    assert "Stopped with 2 of 2 trials to go. Continue with `trajtune search --resume r`." in err


@pytest.mark.slow
def test_a_quiet_search_prints_only_its_run_and_logs_the_rest(
    trajtune: Trajtune, tmp_path: Path, ladder_snapshot: Snapshot, ray_local: None
) -> None:
    (tmp_path / "e.yaml").write_text(
        "source: {kind: csv, path: none.csv}\ntraining: {max_epochs: 1}\nsearch: {space: smoke, trials: 1}\n"
    )
    command = ["search", "e.yaml", "--snapshot", str(ladder_snapshot.path), "--run", "r"]
    outcome = trajtune(*command, "-q")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{tmp_path / 'runs' / 'r'}\n", "")
    assert "trial 0 COMPLETE" in (tmp_path / "runs" / "r" / "search.log").read_text("utf-8")

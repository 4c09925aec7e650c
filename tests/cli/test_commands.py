"""The command line: what it offers is frozen, what a user can mend is one line, nothing is half-written."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
import yaml

from tests.cli.running import PASSWORD, Trajtune, assert_one_line
from tests.support.careers import ladder_careers
from trajtune import cli
from trajtune.dataset.snapshot import Snapshot


def in_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_the_commands_and_their_flags_are_these() -> None:
    import typer.main

    group = typer.main.get_command(cli.app)
    found = {
        name: sorted(
            option for parameter in command.params for option in parameter.opts if option != "--help"
        )
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }
    assert found == {
        "demo": ["--verbose"],
        "init": ["--table", "--yes", "-y", "file"],
        "simulate": ["--careers", "--json", "--seed", "--to"],
        "prepare": ["--json", "--verbose", "experiment"],
        "search": [
            *(
                "--address",
                "--dry-run",
                "--force",
                "--json-log",
                "--max-concurrent",
                "--max-epochs-total",
                "--resume",
                "--run",
                "--snapshot",
                "--space",
            ),
            *("--time-budget", "--trials", "--verbose", "--warm-start", "experiment"),
        ],
        "status": ["--json", "run"],
        "finalize": ["--address", "--json", "--out", "--require-gates", "--verbose", "run"],
        "predict": ["--explain", "--input", "--json", "--output", "bundle", "titles"],
        "report": ["--output", "-o", "target"],
        "verify": ["--json", "bundle"],
        "train": [
            *("--db-url", "--epochs", "--output", "--resume", "--snapshot", "--verbose", "experiment"),
        ],
        "export": ["--checkpoint", "--output", "--vocab"],
        "calibrate": ["--checkpoint", "--data-path", "--output"],
        "evaluate": ["--checkpoint", "--data-path", "--output"],
        "doctor": ["--json", "--mend", "run"],
        "dashboard": ["--port", "run"],
    }


def test_help_imports_nothing_heavy() -> None:
    heavy = [
        "torch",
        "ray",
        "pyarrow",
        "numpy",
        "pandas",
        "optuna",
        "sklearn",
        "onnxruntime",
        "pydantic",
        "psycopg2",
    ]
    code = f"import sys; import trajtune.cli; print([name for name in {heavy} if name in sys.modules])"
    assert in_python(code).strip() == "[]"


COMMANDS = sorted(command.name or command.callback.__name__ for command in cli.app.registered_commands)  # type: ignore[union-attr]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_an_example(command: str, trajtune: Trajtune) -> None:
    outcome = trajtune(command, "--help")
    assert outcome.code == 0
    assert f"Example: trajtune {command}" in outcome.out


class TestBadInput:
    """Each a line with the remedy, exit 2, nothing written, no password."""

    def test_no_database_at_the_url(
        self, trajtune: Trajtune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ray_local: None
    ) -> None:
        monkeypatch.setenv("POSTGRES_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:9/nowhere")
        assert_one_line(trajtune("search", "--trials", "2"), "SourceError", "127.0.0.1")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("source", "parts"),
        [
            ("{kind: postgres, table: candidate}", ["candidate", "candidates"]),
            (
                "{kind: postgres, layout: {layout: json, history_column: history}}",
                ["history", "work_history"],
            ),
            ("{kind: postgres, table: nobody}", ["nobody", "empty"]),
        ],
    )
    def test_a_wrong_table_or_column_or_an_empty_table(
        self,
        trajtune: Trajtune,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        own_database: str,
        source: str,
        parts: list[str],
        ray_local: None,
    ) -> None:
        connection = psycopg2.connect(own_database)
        with connection, connection.cursor() as cursor:
            cursor.execute("create table candidates (id bigint, work_history jsonb)")
            cursor.execute("create table nobody (id bigint, work_history jsonb)")
            cursor.execute("insert into candidates values (1, '[]')")
        connection.close()
        monkeypatch.setenv("POSTGRES_URL", own_database)
        (tmp_path / "e.yaml").write_text(f"source: {source}")
        assert_one_line(trajtune("prepare", "e.yaml"), "SourceError", *parts)
        assert [path.name for path in tmp_path.iterdir()] == ["e.yaml"]

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("{", ["is not YAML"]),
            ("training: {hiden_dim: 3}", ["unknown key `training.hiden_dim`", "did you mean `hidden_dim`"]),
        ],
    )
    def test_an_experiment_file_that_breaks_a_rule(
        self, trajtune: Trajtune, tmp_path: Path, text: str, parts: list[str]
    ) -> None:
        (tmp_path / "e.yaml").write_text(text)
        assert_one_line(trajtune("search", "e.yaml"), "ExperimentError", *parts)

    def test_an_experiment_that_is_not_there(self, trajtune: Trajtune) -> None:
        assert_one_line(trajtune("search", "no_such"), "ExperimentError", "There are: ", "default")

    def test_a_named_experiment_never_falls_back_to_simulated_careers(self, trajtune: Trajtune) -> None:
        assert_one_line(trajtune("search", "research_default"), "ExperimentError", "POSTGRES_URL is not set")

    def test_a_space_without_the_research_defaults_keys(
        self, trajtune: Trajtune, tmp_path: Path, ladder_snapshot: Snapshot, ray_local: None
    ) -> None:
        (tmp_path / "s.yaml").write_text("params: {dropout: {type: float, low: 0.0, high: 0.5}}")
        (tmp_path / "e.yaml").write_text("source: {kind: csv, path: none.csv}")
        outcome = trajtune("search", "e.yaml", "--space", "s.yaml", "--snapshot", str(ladder_snapshot.path))
        assert_one_line(outcome, "ExperimentError", "hidden_dim", "learning_rate")
        assert not (tmp_path / "runs").exists()

    def test_cutoffs_that_leave_a_split_empty(
        self, trajtune: Trajtune, tmp_path: Path, ray_local: None
    ) -> None:
        write_csv(tmp_path / "roles.csv")
        (tmp_path / "e.yaml").write_text(
            "source: {kind: csv, path: roles.csv}\nsplit: {train_cutoff: 1950-01-01, val_cutoff: 1960-01-01}"
        )
        assert_one_line(trajtune("prepare", "e.yaml"), "SplitError", "train has none", "1950-01-01")
        assert not (tmp_path / "snapshots").exists()

    @pytest.mark.parametrize("command", ["status", "finalize"])
    @pytest.mark.parametrize("run", [[], ["no-such-run"]])
    def test_a_run_that_is_not_there(
        self, trajtune: Trajtune, command: str, run: list[str], ray_local: None
    ) -> None:
        assert_one_line(trajtune(command, *run), "RunError", "trajtune search")

    def test_a_snapshot_that_was_altered(self, trajtune: Trajtune, tmp_path: Path, ray_local: None) -> None:
        write_csv(tmp_path / "roles.csv")
        (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}")
        assert trajtune("prepare", "e.yaml").code == 0
        (snapshot,) = (tmp_path / "snapshots").iterdir()
        (snapshot / "vocabulary.json").write_text("{}")
        outcome = trajtune("search", "e.yaml", "--snapshot", str(snapshot))
        assert_one_line(outcome, "SnapshotError", "vocabulary.json was altered")

    @pytest.mark.parametrize("arguments", [["nowhere", "Engineer"], [".", "Engineer"]])
    def test_a_bundle_that_is_not_there(self, trajtune: Trajtune, arguments: list[str]) -> None:
        assert_one_line(trajtune("predict", *arguments), "BundleError")

    def test_simulating_into_a_file_of_an_unknown_kind(self, trajtune: Trajtune, tmp_path: Path) -> None:
        assert_one_line(
            trajtune("simulate", "--careers", "10", "--to", "careers.xlsx"), "SourceError", ".parquet"
        )
        assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_a_search_would_be_and_cost_and_begins_none(
    trajtune: Trajtune, tmp_path: Path, ladder_snapshot: Snapshot, ray_local: None
) -> None:
    outcome = trajtune(
        "search", "demo", "--dry-run", "--trials", "5", "--snapshot", str(ladder_snapshot.path)
    )
    assert outcome.code == 0
    resolved = yaml.safe_load(outcome.out)
    assert resolved["search"]["trials"] == 5
    assert resolved["training"]["schedule"] == "one_cycle"
    for said in ("# an epoch of the research default: about", "# memory of a trial: about", "# disk: about"):
        assert said in outcome.out
    assert list(tmp_path.iterdir()) == []
    assert_one_line(trajtune("search", "--dry-run", "--resume", "x"), "RunError", "Leave out --resume")


def test_prepare_says_what_became_of_every_row(trajtune: Trajtune, tmp_path: Path, ray_local: None) -> None:
    write_csv(tmp_path / "roles.csv")
    (tmp_path / "e.yaml").write_text("source: {kind: csv, path: roles.csv}")
    outcome = trajtune("prepare", "e.yaml")
    assert outcome.code == 0, outcome.err
    (snapshot,) = (tmp_path / "snapshots").iterdir()
    counts = json.loads((snapshot / "manifest.json").read_text())["counts"]
    assert (
        counts["rows_in"]
        == counts["rows_kept"]
        == sum(len(roles) for roles in ladder_careers()["titles"].to_pylist())
    )
    assert f"rows        {counts['rows_in']:,} in" in outcome.out


def write_csv(path: Path) -> None:
    """The ladder careers as a file of role rows."""
    lines = ["candidate_id,title,start_date,end_date"]
    for row in ladder_careers().to_pylist():
        for title, start, end in zip(row["titles"], row["starts"], row["ends"], strict=True):
            lines.append(f"{row['candidate_id']},{title},{start},{end or ''}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

"""The command line: this file freezes its commands and flags. Errors that a user can fix are one line."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.cli.running import Trajtune, assert_one_line
from trajtune import cli


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
        "init": ["--from", "--table", "--yes", "-y", "file"],
        "simulate": ["--careers", "--json", "--population", "--seed", "--to"],
        "prepare": ["--json", "--set", "--verbose", "experiment"],
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
                "--set",
                "--show-experiment",
                "--snapshot",
                "--space",
            ),
            *("--time-budget", "--trials", "--verbose", "--warm-start", "experiment"),
        ],
        "status": ["--json", "run"],
        "runs": ["--json", "directory"],
        "compare": ["--html", "--json", "first", "second"],
        "finalize": ["--address", "--json", "--out", "--require-gates", "--snapshot", "--verbose", "run"],
        "predict": ["--as-service", "--explain", "--input", "--json", "--output", "bundle", "titles"],
        "report": ["--output", "-o", "target"],
        "verify": ["--json", "bundle"],
        "monitor": ["--json", "--verbose", "bundle", "experiment"],
        "backtest": ["--address", "--json", "--origins", "--seeds", "--snapshot", "--verbose", "run"],
        "serve": [
            *("--as-service", "--host", "--max-body", "--max-careers", "--max-titles", "--port", "bundle"),
        ],
        "register": ["--alias", "--json", "--mlflow", "bundle"],
        "train": [
            *(
                "--db-url",
                "--epochs",
                "--output",
                "--research-default",
                "--resume",
                "--set",
                "--snapshot",
                "--verbose",
                "experiment",
            ),
        ],
        "export": ["--checkpoint", "--output", "--vocab"],
        "calibrate": ["--checkpoint", "--data-path", "--output"],
        "evaluate": ["--checkpoint", "--data-path", "--output"],
        "doctor": ["--json", "--mend", "--repair", "run"],
        "dashboard": ["--port", "run"],
    }


def test_the_version_is_printed(trajtune: Trajtune) -> None:
    outcome = trajtune("--version")
    assert (outcome.code, outcome.out) == (0, f"trajtune {version('trajtune')}\n")


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
        "fastapi",
        "mlflow",
    ]
    code = f"import sys; import trajtune.cli; print([name for name in {heavy} if name in sys.modules])"
    assert in_python(code).strip() == "[]"


COMMANDS = sorted(command.name or command.callback.__name__ for command in cli.app.registered_commands)  # type: ignore[union-attr]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_an_example(command: str, trajtune: Trajtune) -> None:
    outcome = trajtune(command, "--help")
    assert outcome.code == 0
    assert f"Example: trajtune {command}" in outcome.out


@pytest.mark.parametrize("command", ["status", "finalize", "backtest"])
@pytest.mark.parametrize("run", [[], ["no-such-run"]])
def test_a_missing_run_is_one_line(trajtune: Trajtune, command: str, run: list[str], ray_local: None) -> None:
    assert_one_line(trajtune(command, *run), "RunError", "trajtune search")

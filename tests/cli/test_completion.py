"""Completion offers existing names to bash, zsh and fish."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import COMMAND

SHIPPED = {
    folder: sorted(path.stem for path in (Path(__file__).parents[2] / folder).glob("*.yaml"))
    for folder in ("experiments", "search_spaces")
}


def completed(directory: Path, *words: str) -> list[str]:
    """Return the completions that bash gets for the last word."""
    environ = {
        "_TRAJTUNE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["trajtune", *words]),
        "COMP_CWORD": str(len(words)),
    }
    ran = subprocess.run(
        COMMAND, cwd=directory, env=os.environ | environ, capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").touch()
    (tmp_path / "search_spaces").mkdir()
    (tmp_path / "search_spaces" / "ours.yaml").touch()
    for run in ("night-1", "night-2", "broken"):
        (tmp_path / "runs" / run).mkdir(parents=True)
    for run in ("night-1", "night-2"):
        (tmp_path / "runs" / run / "run.json").touch()
    (tmp_path / "runs" / "latest").symlink_to("night-2")
    return tmp_path


def test_experiments_here_and_shipped_are_offered(directory: Path) -> None:
    assert completed(directory, "search", "") == sorted([*SHIPPED["experiments"], "mine"])
    assert completed(directory, "prepare", "mi") == ["mine"]


def test_spaces_here_and_shipped_are_offered(directory: Path) -> None:
    assert completed(directory, "search", "--space", "") == sorted([*SHIPPED["search_spaces"], "ours"])


@pytest.mark.parametrize(
    "words", [["status"], ["doctor"], ["finalize"], ["search", "--resume"], ["search", "--warm-start"]]
)
def test_runs_are_offered(directory: Path, words: list[str]) -> None:
    assert completed(directory, *words, "n") == ["night-1", "night-2"]


def test_commands_are_offered(directory: Path) -> None:
    assert completed(directory, "se") == ["search", "serve"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_trajtune(directory: Path, shell: str) -> None:
    environ = {"_TRAJTUNE_COMPLETE": f"source_{shell}"}
    ran = subprocess.run(
        COMMAND, cwd=directory, env=os.environ | environ, capture_output=True, text=True, check=True
    )
    assert f"_TRAJTUNE_COMPLETE=complete_{shell}" in ran.stdout


def test_completion_is_shown_and_installed_for_the_shell_that_asks(directory: Path) -> None:
    command = " ".join(shlex.quote(word) for word in COMMAND)
    ran = subprocess.run(
        ["bash", "-c", f"{command} --show-completion && {command} --install-completion; exit $?"],
        cwd=directory,
        env=os.environ | {"HOME": str(directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_TRAJTUNE_COMPLETE=complete_bash" in ran.stdout
    (script,) = directory.rglob("trajtune.sh")
    assert str(script) in (directory / ".bashrc").read_text()

"""`trajtune status`: colours only on terminals."""

import json
import subprocess

import pytest

from tests.cli.running import COLOUR, COMMAND, in_terminal
from trajtune.searching.runs.directory import Run

pytestmark = pytest.mark.slow


def test_a_leaderboard_has_no_escape_codes_without_a_terminal_and_no_colours_with_no_color(
    searched_run: Run,
) -> None:
    directory, run = searched_run.path.parent.parent, str(searched_run.path)
    for arguments in (["status", run], ["status", run, "--json"], ["doctor", run]):
        ran = subprocess.run(
            [*COMMAND, *arguments], cwd=directory, capture_output=True, text=True, check=False
        )
        assert "\x1b" not in ran.stdout + ran.stderr, arguments
    code, shown = in_terminal(directory, "status", run, NO_COLOR="1")
    assert code == 0
    assert "research default" in shown
    assert not COLOUR.search(shown)
    assert json.loads(in_terminal(directory, "status", run, "--json")[1])["run"] == searched_run.name

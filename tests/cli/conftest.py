"""The command line in an empty directory."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.careers.init.databases import database  # noqa: F401 - a fixture
from tests.cli.running import Outcome, Trajtune
from trajtune import cli


@pytest.fixture
def trajtune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Trajtune]:
    """Run a command in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSTGRES_URL", raising=False)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["trajtune", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capfd.readouterr()
        code = caught.value.code
        return Outcome(code if isinstance(code, int) else 0, out, err)

    return run

"""A stage of a command is shown on a terminal, and nowhere else."""

import io
import sys

import pytest

from trajtune import stages


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_stage_leaves_a_line_with_its_time_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(stages, "_LEAST_SHOWN_S", 0)
    with stages.stage("Starting Ray"):
        pass
    assert "Starting Ray  0.0 s" in terminal.getvalue()


def test_a_short_stage_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with stages.stage("Starting Ray"):
        pass
    assert "0.0 s" not in terminal.getvalue()


def test_a_stage_that_is_not_wanted_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(stages, "_LEAST_SHOWN_S", 0)
    with stages.stage("Splitting", shown=False):
        pass
    assert terminal.getvalue() == ""


def test_loading_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(stages, "_LEAST_SHOWN_S", 0)
    with stages.loading():
        pass
    assert "Loading trajtune …" in terminal.getvalue()
    assert "0.0 s" not in terminal.getvalue()


def test_a_failed_stage_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(stages, "_LEAST_SHOWN_S", 0)
    with pytest.raises(ValueError, match="no"), stages.stage("Starting Ray"):
        raise ValueError("no")
    assert "0.0 s" not in terminal.getvalue()


def test_without_a_terminal_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    monkeypatch.setattr(stages, "_LEAST_SHOWN_S", 0)
    with stages.stage("Starting Ray"):
        pass
    assert file.getvalue() == ""

"""The display of a running search: a live table on a terminal, plain lines elsewhere."""

import io
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.test_notebook import kernel  # noqa: F401 - a fixture
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import load_space
from trajtune.searching.runs.log import RunLog, tee_stderr
from trajtune.searching.show.live import show_progress
from trajtune.searching.show.progress import Progress
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete, tell_failed

SPACE, SETTINGS = load_space("smoke"), SearchSettings()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def searched(
    directory: Path, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch, log: RunLog | None = None
) -> str:
    """Show a search with three trials: one complete, one failed, one running."""
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", "200")
    study = create_study(directory, SETTINGS, 50)
    enqueue(study, SPACE, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    with (
        show_progress(Progress(study, 5, SETTINGS.metric, ("markov2", 2.9)), log) as listen,
        tee_stderr(log) if log else nullcontext(),
    ):
        for number, value in enumerate((3.25, 9.0, 2.5)):
            trial = ask(study, SPACE, SETTINGS, Params())
            listen("start", number)
            report = {"epoch": 1, SETTINGS.metric: value, "seconds": 0.1}
            record_epoch(study, trial, SETTINGS.metric, report)
            listen("epoch", number)
            if number == 0:
                tell_complete(study, trial)
                listen("end", number)
                if log:
                    print("a note beside it", file=sys.stderr)
            elif number == 1:
                tell_failed(study, trial, "the disk is full")
                listen("end", number)
    return shown.getvalue()


def test_a_terminal_shows_counts_the_best_trial_and_running_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = searched(tmp_path, Terminal(), monkeypatch)

    assert "2 of 5 trials, 3 epochs" in text
    assert "1 complete, 0 pruned, " in text
    assert "best (trial 0) 3.2500" in text
    assert "markov2 2.9000" in text
    assert "epoch 1 of 10, best 2.5000" in text


def test_a_file_gets_one_plain_line_for_each_trial_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = searched(tmp_path, io.StringIO(), monkeypatch).splitlines()

    assert len(lines) == 2
    assert lines[0].startswith("trial 0 COMPLETE after 1 epochs: val_next_role_nll 3.2500 at epoch 1")
    assert lines[1].startswith("trial 1 FAIL after 1 epochs: the disk is full | best 3.2500")
    assert "\x1b" not in "".join(lines)


def test_a_notebook_shows_a_bar_and_prints_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kernel: list[tuple[str, str]],  # noqa: F811
) -> None:
    with (tmp_path / "search.log").open("wb") as file:
        text = searched(tmp_path, io.StringIO(), monkeypatch, RunLog(file))
    assert text == "a note beside it\n"
    assert [kind for kind, _ in kernel] == ["display"] + ["update"] * (len(kernel) - 1)
    assert 'value="2" max="5"' in kernel[-1][1]
    assert "best 3.2500 (trial 0), research default 3.2500, markov2 2.9000" in kernel[-1][1]
    assert "trial 1 FAIL" in (tmp_path / "search.log").read_text("utf-8")

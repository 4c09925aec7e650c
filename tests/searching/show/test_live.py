"""The display of a running search on a terminal."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import load_space
from trajtune.searching.show.live import best_so_far, differing, live_view, sparkline
from trajtune.searching.show.progress import Progress
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.study import ask, enqueue, record_epoch, tell_complete, tell_failed

SPACE, SETTINGS = load_space("smoke"), SearchSettings()


def shown(progress: Progress, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=160, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(live_view(progress))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def searched(directory: Path, values: tuple[float, ...], *, running: bool = False) -> Progress:
    """A search whose first trial is the research default; the last trial may still be running."""
    study = create_study(directory, SETTINGS, 50)
    enqueue(study, SPACE, RESEARCH_DEFAULT, RESEARCH_DEFAULT_ORIGIN)
    for number, value in enumerate(values):
        trial = ask(study, SPACE, SETTINGS, Params())
        record_epoch(study, trial, SETTINGS.metric, {"epoch": 1, SETTINGS.metric: value, "seconds": 0.1})
        if not running or number < len(values) - 1:
            tell_complete(study, trial)
    return Progress(study, 6, SETTINGS.metric, ("ngram", 2.9), tuple(SPACE.searched))


def test_marks_show_the_best_trial_the_research_default_and_the_baseline_on_one_scale(tmp_path: Path) -> None:
    text = shown(searched(tmp_path, (3.25, 2.5)))
    scale = next(line for line in text.splitlines() if line.startswith(SETTINGS.metric))
    assert scale.index("●") < scale.index("▲") < scale.index("◆")
    assert "● best (trial 1) 2.5000  ◆ research default 3.2500  ▲ ngram 2.9000" in scale


def test_the_best_three_trials_are_listed_with_the_params_in_which_they_differ(tmp_path: Path) -> None:
    progress = searched(tmp_path, (3.25, 2.5, 2.75, 2.25))
    lines = shown(progress).splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("best trials"))
    assert [line.split()[0] for line in lines[header + 1 : header + 4]] == ["3", "1", "2"]
    best = [progress.trials[number].params for number in (3, 1, 2)]
    assert lines[header].split()[3:] == differing(best, tuple(SPACE.searched))[:6]


def test_a_running_trial_shows_its_epoch(tmp_path: Path) -> None:
    text = shown(searched(tmp_path, (3.25, 2.5), running=True))
    assert "1 of 6 trials" in text
    assert "epoch 1 of 10, best 2.5000" in text


def test_a_search_without_a_result_has_no_scale_and_no_table(tmp_path: Path) -> None:
    text = shown(searched(tmp_path, ()))
    assert "0 of 6 trials" in text
    assert "●" not in text
    assert "best trials" not in text


def test_a_failure_is_red_and_the_best_trial_is_cyan(tmp_path: Path) -> None:
    progress = searched(tmp_path, (3.25, 2.5))
    assert "\x1b[31m" not in shown(progress, colour=True)
    assert "\x1b[36m●" in shown(progress, colour=True)
    study = progress._study
    tell_failed(study, ask(study, SPACE, SETTINGS, Params()), "the loss is not finite")
    progress.read()
    assert "\x1b[31m1 failed" in shown(progress, colour=True)


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([2.0], "▁"), ([2.0, 2.0], "▁▁"), ([8.0, 1.0, 4.5], "█▁▅")],
)
def test_a_sparkline_spans_the_least_and_the_greatest_value(values: list[float], line: str) -> None:
    assert sparkline(values) == line


def test_the_best_so_far_never_gets_worse(tmp_path: Path) -> None:
    assert best_so_far(searched(tmp_path, (3.25, 2.5, 2.75, 2.25)).trials) == [3.25, 2.5, 2.5, 2.25]

"""Figures of a run for notebooks."""

import json
import shutil
from pathlib import Path

import pytest

from trajtune.errors import RunError
from trajtune.searching.runs.directory import Run, open_run


def test_the_history_has_each_trial_the_best_so_far_and_the_best_baseline(
    searched_run: Run, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(searched_run.path, tmp_path / "r"))
    found = {"markov": {"val_next_role_nll": 2.5}, "majority": {"val_next_role_nll": 4.0}, "ngram": {}}
    (copy / "baselines.json").write_text(json.dumps(found))
    drawn = open_run(copy).plot()
    by_name = {trace.name: list(trace.y) for trace in drawn.data}
    assert by_name == {"complete": [2.0, 1.9], "best so far": [2.0, 1.9]}
    assert [note.text for note in drawn.layout.annotations] == ["best baseline: markov"]
    assert not searched_run.plot().layout.annotations


def test_curves_have_a_line_for_each_trial(searched_run: Run) -> None:
    assert [list(trace.y) for trace in searched_run.plot("curves").data] == [[2.0], [1.9]]


def test_params_have_a_panel_for_each_searched_one(searched_run: Run) -> None:
    drawn = searched_run.plot("params")
    assert [note.text for note in drawn.layout.annotations] == list(searched_run.space.searched)
    assert len(drawn.data) == len(searched_run.space.searched)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "A figure must be one of history, curves, params, but got 'nothing'"),
        (("history", "val_top9"), "A metric must be one of val_next_role_nll, .*, but got 'val_top9'"),
        (("history", "val_top1"), "No trial has a result yet"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(searched_run: Run, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(RunError, match=said):
        searched_run.plot(*arguments)

"""The trials of a run as data frames."""

import json
import shutil
from pathlib import Path

import pytest

from trajtune.searching.runs.directory import Run, open_run


def test_trials_are_rows_with_metrics_and_params(searched_run: Run) -> None:
    trials = searched_run.trials()
    assert list(trials.index) == [0, 1]
    assert list(trials["val_next_role_nll"]) == [2.0, 1.9]
    assert list(trials["origin"]) == ["research_default", "sampler"]
    assert (trials.loc[1, "hidden_dim"], trials.loc[1, "learning_rate"]) == (16, 5e-3)


def test_the_leaderboard_has_the_best_first_and_the_searched_params(searched_run: Run) -> None:
    board = searched_run.leaderboard()
    assert list(board.index) == [1, 0]
    assert {"learning_rate", "batch_size"} <= set(board.columns)
    assert "patience" not in board.columns, "the space does not search it"


def test_a_run_without_trials_has_empty_frames(searched_run: Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(searched_run.path, tmp_path / "r"))
    lines = (copy / "study.journal").read_text().splitlines(keepends=True)
    begun = [line for line in lines if json.loads(line)["op_code"] in (0, 2)]
    (copy / "study.journal").write_text("".join(begun))
    run = open_run(copy)
    assert (len(run.trials()), len(run.leaderboard())) == (0, 0)
    assert list(run.leaderboard().columns)[:2] == ["state", "mean_value"]
    assert "val_next_role_nll" in run._repr_html_()


def test_a_run_shows_itself_in_short(searched_run: Run) -> None:
    assert repr(searched_run) == (
        f"<Run {searched_run.path}: {searched_run.requested} trials on snapshot "
        f"{searched_run.snapshot_id[:16]}>"
    )
    shown = searched_run._repr_html_()
    assert "<table" in shown
    assert "val_next_role_nll" in shown


@pytest.mark.parametrize("kind", ["trials", "leaderboard"])
def test_frames_are_written_as_csv(searched_run: Run, kind: str) -> None:
    assert getattr(searched_run, kind)().to_csv().startswith("trial,state,")

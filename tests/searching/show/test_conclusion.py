"""What a search prints at its end."""

import io
import sys
from pathlib import Path

import pytest

from tests.searching.show.report_runs import run_of, search
from trajtune.dataset.snapshot import Snapshot
from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.log import run_log
from trajtune.searching.show.conclusion import findings, important_params, params_at_edge, print_conclusion
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, best_trial, read_trials


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def ended(small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = run_of(tmp_path_factory.mktemp("ended"), small_snapshot, 50)
    search(run, 50)
    return run


def found(run: Run) -> dict[str, str]:
    study = read_study(run.path)
    return dict(findings(run, study, read_trials(study)))


def best_of(run: Run, **params: object) -> TrialRecord:
    """The best trial, with some of its params replaced."""
    best = best_trial(read_trials(read_study(run.path)))
    assert best is not None
    best.params.update(params)  # type: ignore[attr-defined]
    return best


def test_the_conclusion_names_the_best_trial_the_run_and_the_next_command(ended: Run) -> None:
    best = best_of(ended)
    lines = found(ended)
    assert lines["best"].startswith(f"trial {best.number}: val_next_role_nll {best.mean_value:.4f}")
    assert lines["best"].endswith("best baseline 3.1000 (markov)")
    assert lines["run"] == str(ended.path)
    assert lines["next"].startswith(f"`trajtune finalize {ended.reference}`")


def test_the_params_that_decide_the_value_come_first(ended: Run) -> None:
    """The made-up value depends on the learning rate, and a little on dropout, and on nothing else."""
    shares = important_params(read_study(ended.path))
    assert shares[0][0] == "learning_rate"
    assert shares[0][1] > 2 * shares[1][1]
    assert found(ended)["mattered"].startswith("learning_rate ")


def test_a_small_search_calls_no_param_important(small_snapshot: Snapshot, tmp_path: Path) -> None:
    run = run_of(tmp_path, small_snapshot, 8)
    search(run, 8)
    assert important_params(read_study(run.path)) == []
    assert "mattered" not in found(run)


def test_a_value_at_the_end_of_its_range_is_named_with_the_range(ended: Run) -> None:
    entry = ended.space.searched["learning_rate"]
    edge = params_at_edge(ended, best_of(ended, learning_rate=entry.high))  # type: ignore[union-attr]
    assert any(text.startswith("learning_rate ") and f"to {entry.high:g}" in text for text in edge)  # type: ignore[union-attr]


def test_an_end_beyond_which_no_value_is_valid_is_no_edge(ended: Run) -> None:
    at_zero = params_at_edge(ended, best_of(ended, dropout=0.0))
    assert ended.space.searched["dropout"].low == 0.0  # type: ignore[union-attr]
    assert not any(text.startswith("dropout") for text in at_zero)


def test_a_search_without_a_result_has_no_conclusion(small_snapshot: Snapshot, tmp_path: Path) -> None:
    assert found(run_of(tmp_path, small_snapshot, 8)) == {}


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_stderr_and_the_log_receive_every_finding(
    ended: Run, monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    monkeypatch.setattr(sys, "stderr", shown := stream())
    monkeypatch.setenv("COLUMNS", "300")
    study = read_study(ended.path)
    with run_log(ended.path) as log:
        print_conclusion(ended, study, read_trials(study), log)
    for label, text in found(ended).items():
        assert text in shown.getvalue()
        assert f"{label}: {text}" in (ended.path / "search.log").read_text()

"""`trajtune runs`: every run of a directory in a line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import trajtune  # noqa: F401 - a fixture
from tests.cli.running import Trajtune, assert_one_line
from trajtune.searching.runs.directory import Run
from trajtune.searching.show.run_list import list_runs


@pytest.fixture
def two_runs(searched_run: Run, tmp_path: Path) -> Path:
    """A folder with a run of yesterday and a newer copy of it, which is damaged."""
    runs = tmp_path / "runs"
    for name, day in (("older", "2026-01-01"), ("newer", "2026-01-02")):
        shutil.copytree(searched_run.path, runs / name)
        manifest = json.loads((runs / name / "run.json").read_text())
        (runs / name / "run.json").write_text(json.dumps({**manifest, "created": f"{day}T10:00:00+00:00"}))
    (runs / "newer" / "space.yaml").write_text("params: {}")
    return runs


def test_runs_are_listed_newest_first_with_what_they_found(two_runs: Path, searched_run: Run) -> None:
    newer, older = list_runs(two_runs)
    assert (newer["run"], newer["state"]) == ("newer", "unreadable")
    assert "space.yaml must not change" in newer["error"]
    assert (newer["best"], newer["trials"], newer["bundles"]) == (None, None, [])
    assert (older["run"], older["state"], older["error"]) == ("older", "unfinished", None)
    assert (older["trials_done"], older["trials"]) == (2, searched_run.requested)
    assert (older["best"], older["best_trial"], older["metric"]) == (1.9, 1, "val_next_role_nll")
    assert older["snapshot"] == searched_run.snapshot_id
    assert (older["gain"], older["gain_over"]) == (None, None), "neither training nor baselines are measured"


def test_the_gain_is_over_training_or_the_best_baseline(searched_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "r"
    shutil.copytree(searched_run.path, path)
    baselines = {"markov": {"val_next_role_nll": 2.5}, "majority": {"val_next_role_nll": 4.0}}
    (path / "baselines.json").write_text(json.dumps(baselines))
    (entry,) = list_runs(tmp_path / "runs")
    assert (entry["gain"], entry["gain_over"]) == (pytest.approx(0.6), "markov")
    journal = path / "study.journal"
    before = journal.read_text()
    journal.write_text(before.replace('"origin":"research_default"', '"origin":"training"'))
    assert journal.read_text() != before
    (entry,) = list_runs(tmp_path / "runs")
    assert (entry["gain"], entry["gain_over"]) == (pytest.approx(0.1), "training")


def test_the_bundle_of_a_run_is_named(searched_run: Run, finalized: Path) -> None:
    assert [entry["bundles"] for entry in list_runs(searched_run.path.parent)] == [[str(finalized)]]


def test_the_command_prints_a_table_or_json(trajtune: Trajtune, two_runs: Path) -> None:  # noqa: F811
    outcome = trajtune("runs")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].split()[:3] == ["run", "state", "trials"]
    assert lines[1].split()[:2] == ["newer", "unreadable"]
    assert "val_next_role_nll 1.9000" in lines[2]
    assert lines[3].startswith("newer: ")
    assert [entry["run"] for entry in json.loads(trajtune("runs", "runs", "--json").out)] == [
        "newer",
        "older",
    ]
    assert_one_line(trajtune("runs", "elsewhere"), "RunError", "There is no run in elsewhere/")
    assert trajtune("runs", "elsewhere", "--json").out == "[]\n"

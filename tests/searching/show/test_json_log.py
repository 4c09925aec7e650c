"""Output of a search for programs: each event is a line of JSON on stdout that agrees with the study."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.load import save_experiment
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.sources import SimulatedSource
from trajtune.experiment.space import load_space
from trajtune.searching.runs.directory import open_run
from trajtune.searching.show.json_log import JsonLog
from trajtune.searching.study.open import create_study, read_study
from trajtune.searching.study.study import ask, record_epoch, tell_failed
from trajtune.searching.study.trial_records import read_trials

SETTINGS = SearchSettings()


def test_each_event_agrees_with_the_study_and_has_no_nan(tmp_path: Path) -> None:
    study, file = create_study(tmp_path, SETTINGS, 50), io.StringIO()
    log = JsonLog(study, file)
    log.begin("run", 5, SETTINGS.metric)
    trial = ask(study, load_space("smoke"), SETTINGS, Params())
    log("start", 0)
    trial.set_user_attr("damage", "damaged: last.pt; training started again")
    log("damage", 0)
    report = {"epoch": 1, SETTINGS.metric: 2.5, "train_loss": float("inf"), "seconds": 0.1}
    record_epoch(study, trial, SETTINGS.metric, report)
    log("epoch", 0)
    tell_failed(study, trial, "the disk is full")
    log("end", 0)
    log.done()

    search, start, damage, epoch, end, done = (json.loads(line) for line in file.getvalue().splitlines())
    assert (search["run"], search["requested"], search["counts"]) == ("run", 5, {})
    assert start["params"] == trial.user_attrs["params"]
    assert damage["damage"] == "damaged: last.pt; training started again"
    assert (epoch["epoch"], epoch[SETTINGS.metric], epoch["train_loss"]) == (1, 2.5, None)
    assert (end["state"], end["error"]) == ("FAIL", "the disk is full")
    assert end["counts"] == done["counts"] == {"FAIL": 1}
    assert done["best"] is None


def command(experiment: Path, snapshot: Snapshot, *flags: str) -> list[str]:
    program = ["-c", "from trajtune.cli import main; main()"]
    arguments = ["search", str(experiment), "--snapshot", str(snapshot.path), "--json-log", *flags]
    return [sys.executable, *program, *arguments]


def written(tmp_path: Path) -> Path:
    from tests.searching.faults.test_kill import experiment

    path = tmp_path / "experiment.yaml"
    save_experiment(experiment(tmp_path).model_copy(update={"source": SimulatedSource()}), path)
    return path


@pytest.mark.slow
def test_stdout_has_only_lines_of_json_and_stderr_has_no_display(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    flags = ("--trials", "3", "--run", "run")
    ran = subprocess.run(
        command(written(tmp_path), small_snapshot, *flags), cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    events: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]

    trials = read_trials(read_study(open_run(tmp_path / "runs" / "run").path))
    kinds = [event["event"] for event in events]
    assert (kinds[0], kinds[-1]) == ("search", "done")
    assert [kinds.count(kind) for kind in ("start", "end")] == [3, 3]
    log = (tmp_path / "runs" / "run" / "search.log").read_text("utf-8").splitlines()
    assert [sum(f"trial {number} " in line for line in log) for number in range(3)] == [1, 1, 1]
    assert "begins: 3 of 3 trials to go" in log[0]
    assert "ends: 0 of 3 trials to go" in log[-1]
    assert kinds.count("epoch") == sum(len(trial.epochs) for trial in trials)
    for trial in trials:
        own = [event for event in events if event.get("trial") == trial.number]
        assert own[-1]["state"] == trial.state
        assert own[-1]["metrics"] == trial.metrics
        reported = [
            {k: v for k, v in e.items() if k in trial.epochs[0]} for e in own if e["event"] == "epoch"
        ]
        assert reported == list(trial.epochs)
    assert ran.stderr == ""


@pytest.mark.slow
def test_the_last_line_is_written_even_after_ctrl_c(small_snapshot: Snapshot, tmp_path: Path) -> None:
    driver = subprocess.Popen(
        command(written(tmp_path), small_snapshot, "--run", "run"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout is not None
    while json.loads(driver.stdout.readline())["event"] != "epoch":
        pass
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=60)

    assert driver.returncode == 130
    assert json.loads(out.splitlines()[-1])["event"] == "done"
    assert "trajtune search --resume run" in err

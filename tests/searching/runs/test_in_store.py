"""Runs in an object store: a real S3 server, and commands as a user types them, in separate directories."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.searching.faults.killing import check_invariants, kill_driver
from tests.searching.faults.test_kill import experiment
from tests.support.careers import ladder_careers, loaded
from tests.support.gate import gate_to
from tests.support.s3 import S3Store
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import ExperimentError, RunError
from trajtune.experiment.load import save_experiment, validate
from trajtune.experiment.settings import Experiment
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import open_run
from trajtune.searching.runs.doctor import examine
from trajtune.searching.runs.lease import EXPIRES_S
from trajtune.searching.show.report.html import write_search_report
from trajtune.searching.show.status import status_of
from trajtune.searching.start_points import with_warm_start
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials
from trajtune.storage import path as paths
from trajtune.storage.path import children

pytestmark = pytest.mark.timeout(600)

VARIABLE = "TRAJTUNE_STUDY_URL"
RUNS = "s3://trajtune/runs"


@pytest.fixture
def store(s3_store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A bucket, and a database for the study; the hosts share nothing else."""
    s3_store.put("trajtune", "there", b"")
    for name, value in s3_store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path / 'study.db'}")
    paths._filesystem_of.cache_clear()
    yield s3_store
    paths._filesystem_of.cache_clear()


def in_store(directory: Path, **search: object) -> Path:
    """Write an experiment file whose runs are in the store."""
    settings = experiment(directory, **search).model_dump()
    settings["storage"] = {"runs": RUNS, "study_url_variable": VARIABLE}
    path = directory / "experiment.yaml"
    save_experiment(validate(Experiment, settings, "test"), path)
    return path


def trajtune(*arguments: str, place: Path) -> "subprocess.Popen[str]":
    """Start a command in a separate directory, like on a host that shares no files."""
    place.mkdir(exist_ok=True)
    return subprocess.Popen(
        [Path(sys.executable).with_name("trajtune"), *arguments],
        cwd=place,
        env={**os.environ, "TMPDIR": "/tmp"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def done(command: "subprocess.Popen[str]") -> str:
    """Return the output of a command that must succeed."""
    output, _ = command.communicate(timeout=300)
    assert command.returncode == 0, output
    return output


def refused(command: "subprocess.Popen[str]") -> str:
    """Return the output of a command that must be refused."""
    output, _ = command.communicate(timeout=120)
    assert command.returncode == 2, output
    return output


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_search_in_a_store_is_read_and_extended_from_another_host(
    small_snapshot: Snapshot, tmp_path: Path
) -> None:
    experiment_file = str(in_store(tmp_path, trials=3))
    first = ("search", experiment_file, "--snapshot", str(small_snapshot.path), "--run", "first")

    assert done(trajtune(*first, place=tmp_path / "one")).splitlines()[-1] == f"{RUNS}/first"

    run = open_run(f"{RUNS}/latest")
    check_invariants(run, 3)
    assert status_of(run)["searching"] is False
    assert examine(run) == []
    write_search_report(run, run.path / "report.html")
    assert (
        (run.path / "search.log").read_text().rstrip().endswith("search of first ends: 0 of 3 trials to go")
    )

    done(trajtune("search", "--resume", f"{RUNS}/first", "--trials", "4", place=tmp_path / "two"))
    check_invariants(open_run(f"{RUNS}/first"), 4)

    there = {path.name for path in children(run.path)}
    assert there == {
        *("experiment.yaml", "space.yaml", "run.json", "study.json", "search.log"),
        *("best.json", "baselines.json", "report.html", "trials"),
    }
    for place in ("one", "two"):
        assert list((tmp_path / place).iterdir()) == [], "nothing is left on the host"
    warm = with_warm_start(run.experiment, run.space, run, small_snapshot)
    assert warm.search.start_points
    with pytest.raises(RunError, match=f"first exists already.*--resume {RUNS}/first"):
        create_run(run.experiment, run.space, name="first", snapshot_path=tmp_path, snapshot_id="")


@pytest.mark.usefixtures("store")
def test_a_run_missing_in_the_store_is_a_one_line_error() -> None:
    with pytest.raises(RunError, match=f"No run {RUNS}/nothing in {RUNS}/"):
        open_run(f"{RUNS}/nothing")


@pytest.mark.parametrize(
    ("storage", "match"),
    [
        ({"runs": RUNS}, "`study_url_variable` must be given"),
        ({"runs": "s3://key:secret@bucket/runs", "study_url_variable": VARIABLE}, "without keys or options"),
        ({"runs": "gs://bucket/runs", "study_url_variable": VARIABLE}, "a directory or s3://"),
        ({"bundles": "s3://bucket/bundles"}, "`bundles` must be a directory"),
    ],
)
def test_a_store_that_cannot_store_runs_is_refused(storage: dict[str, str], match: str) -> None:
    with pytest.raises(ExperimentError, match=match) as raised:
        validate(Experiment, {"storage": storage}, "test")
    assert "secret" not in str(raised.value)


@pytest.mark.slow
def test_a_killed_search_is_continued_from_another_host(
    store: S3Store, small_snapshot: Snapshot, tmp_path: Path
) -> None:
    experiment_file = str(in_store(tmp_path, trials=8, max_concurrent=2))
    first = ("search", experiment_file, "--snapshot", str(small_snapshot.path), "--run", "killed")
    driver = trajtune(*first, place=tmp_path / "one")
    wait_for_epochs(driver, f"{RUNS}/killed", 12)

    second = trajtune("search", "--resume", f"{RUNS}/killed", place=tmp_path / "two")
    assert "Another process searches in" in refused(second)

    kill_driver(driver, with_children=True)
    began = time.monotonic()
    done(trajtune("search", "--resume", f"{RUNS}/killed", place=tmp_path / "three"))
    print(f"resumed and ended in {time.monotonic() - began:.0f} s, the lease's {EXPIRES_S:g} s included")
    check_invariants(open_run(f"{RUNS}/killed"), 8)


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_run_and_its_snapshot_in_a_store_are_finalized_from_another_host(tmp_path: Path) -> None:
    experiment_file = str(in_store(tmp_path, trials=2))
    settings = validate(Experiment, {"storage": {"snapshots": "s3://trajtune/snapshots"}}, "test")
    snapshot = snapshot_of(loaded(ladder_careers(300)), settings)
    first = ("search", experiment_file, "--snapshot", str(snapshot.path), "--run", "shipped")
    done(trajtune(*first, place=tmp_path / "one"))

    output = done(trajtune("finalize", f"{RUNS}/shipped", "--out", "bundle", place=tmp_path / "two"))

    assert "bundle" in output
    done(trajtune("verify", "bundle", place=tmp_path / "two"))
    assert "The search" in (tmp_path / "two" / "bundle" / "report.html").read_text("utf-8")
    assert children(open_run(f"{RUNS}/shipped").path / "refits")
    done(trajtune("report", f"{RUNS}/shipped", place=tmp_path / "two"))
    assert (open_run(f"{RUNS}/shipped").path / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refuses", "is silent"])
def test_a_store_that_fails_for_ten_seconds_does_not_affect_the_search(
    store: S3Store,
    small_snapshot: Snapshot,
    tmp_path: Path,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = how.replace(" ", "-")
    with gate_to(store.url) as (gate, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        experiment_file = str(in_store(tmp_path, trials=8, max_concurrent=2))
        first = ("search", experiment_file, "--snapshot", str(small_snapshot.path), "--run", name)
        driver = trajtune(*first, place=tmp_path / "one")
        wait_for_epochs(driver, f"{RUNS}/{name}", 12)
        if how == "refuses":
            gate.shut()
            time.sleep(10)
            gate.open()
        else:
            gate.hold()
            time.sleep(10)
            gate.shut()
            gate.open()
        output = done(driver)
        trials = check_invariants(open_run(f"{RUNS}/{name}"), 8)
    assert not any(trial.error for trial in trials)
    print(output[-500:])


@pytest.mark.slow
def test_an_unreachable_store_ends_the_search_with_one_line_and_the_search_resumes(
    store: S3Store, small_snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gate_to(store.url) as (gate, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        experiment_file = str(in_store(tmp_path, trials=6, max_failures=1))
        first = ("search", experiment_file, "--snapshot", str(small_snapshot.path), "--run", "away")
        driver = trajtune(*first, place=tmp_path / "one")
        wait_for_epochs(driver, f"{RUNS}/away", 6)
        gate.shut()
        output, _ = driver.communicate(timeout=590)
        assert driver.returncode != 0, output
        assert "Traceback" not in output, output
        gate.open()
        done(trajtune("search", "--resume", f"{RUNS}/away", place=tmp_path / "two"))
        trials = read_trials(read_study(open_run(f"{RUNS}/away").path))
    assert len(trials) == 6
    assert {trial.state for trial in trials} <= {"COMPLETE", "PRUNED", "FAIL"}


def wait_for_epochs(driver: "subprocess.Popen[str]", name: str, wanted: int) -> None:
    """Wait until the study has ``wanted`` epochs, while the driver runs."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and driver.poll() is None:
        try:
            trials = read_trials(read_study(open_run(name).path))
        except RunError:
            trials = []
        if sum(len(trial.epochs) for trial in trials) >= wanted:
            return
        time.sleep(0.2)
    os.killpg(driver.pid, signal.SIGKILL)
    raise AssertionError(f"the search was over too soon, or stands still: {driver.communicate()[0]}")

"""Kill a running search with SIGKILL, again and again, and check what is left in study and files."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.searching.faults.driver import RUN
from trajtune.experiment.load import save_experiment
from trajtune.experiment.params import RESEARCH_DEFAULT
from trajtune.experiment.settings import Experiment
from trajtune.model.checkpoint import load_checkpoint
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.study.journal import JOURNAL
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import TrialRecord, ranked, read_trials
from trajtune.storage.path import children

ROOT = Path(__file__).parents[3]
AGENTS = ("ray::DashboardA", "ray::RuntimeEnv")
_PATIENCE_S = 180


def start(
    experiment: Experiment, snapshot: Path, directory: Path, *, temporary: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start the driver in a session of its own, so that nothing of it can hide among our processes.

    A killed driver cannot remove the directory of its Ray session; ``temporary`` says where it lies.
    """
    environment = {**os.environ, **({"TMPDIR": str(temporary)} if temporary else {})}
    path = directory / "experiment.yaml"
    save_experiment(experiment, path)
    with (directory / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.searching.faults.driver", str(path), str(snapshot)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def search_under_fire(
    experiment: Experiment, snapshot: Path, directory: Path, *, kills: int, seed: int
) -> Counter[str]:
    """Search, with so many kills at random moments, to the end.

    Returns:
        How often what was killed: ``everything``, ``driver`` (its processes have to notice) or ``worker``.
    """
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    log = directory / "driver.log"
    # In the system's own, since Ray's sockets need a short path.
    temporary = Path(tempfile.mkdtemp(prefix="t"))
    processes = [driver := start(experiment, snapshot, directory, temporary=temporary)]

    def restart() -> subprocess.Popen[bytes]:
        text = log.read_text()
        # On a machine with more to do than it can, Ray gives its own processes 30 s to start, no more.
        assert "Traceback" not in text or "timed out during startup" in text.splitlines()[-1], text
        log.unlink()
        processes.append(start(experiment, snapshot, directory, temporary=temporary))
        return processes[-1]

    try:
        while done.total() < kills:
            _let_it_write(driver, directory, records=dice.randint(1, 40))
            if driver.poll() == 0:
                break
            if driver.poll() is not None:
                driver = restart()
                continue
            time.sleep(dice.random() * 0.1)
            what = dice.choice(["everything", "driver", "worker", "worker"])
            if what == "worker":
                done["worker"] += _kill_a_worker(driver, dice)
                continue
            kill_driver(driver, with_children=what == "everything")
            done[what] += 1
            driver = restart()
        while driver.wait(_PATIENCE_S) != 0:
            driver = restart()
    finally:
        for process in processes:
            if process.poll() is None:
                kill_driver(process, with_children=True)
        shutil.rmtree(temporary)
    return done


def check_invariants(run: Run, requested: int) -> list[TrialRecord]:
    """What must be true of a finished search, however it came about; gives its trials."""
    trials = read_trials(read_study(run.path))
    assert [trial.number for trial in trials] == list(range(requested))
    assert {trial.state for trial in trials} <= {"COMPLETE", "PRUNED"}, [trial.error for trial in trials]
    assert [trial.number for trial in trials if trial.origin == "research_default"] == [0]
    assert trials[0].params == RESEARCH_DEFAULT.model_dump(mode="json")
    for trial in trials:
        assert [epoch["epoch"] for epoch in trial.epochs] == list(range(1, len(trial.epochs) + 1))
    frozen = read_study(run.path).trials
    metric = run.experiment.search.metric
    for trial, optunas in zip(trials, frozen, strict=True):
        by_epoch = [
            value for _, value in sorted(optunas.intermediate_values.items())
        ]  # a database has no order
        assert [epoch[metric] for epoch in trial.epochs] == by_epoch
        if trial.state == "COMPLETE":
            assert optunas.value == min(optunas.intermediate_values.values())
    best = ranked(trials)
    assert run.best()["number"] == best[0].number
    assert run.best()["metrics"] == best[0].metrics
    kept = {trial.number for trial in best[: run.experiment.search.keep_checkpoints]} | {0}
    files = {
        f"{folder.name}/{path.name}" for folder in children(run.path / "trials") for path in children(folder)
    }
    assert files == {f"{number:04d}/best.pt" for number in kept}
    for number in kept:
        checkpoint = load_checkpoint(run.path / f"trials/{number:04d}/best.pt")
        assert checkpoint["epoch"] == trials[number].best_epoch
    assert not children(run.path, ".*"), "no scratch directory is left"
    return trials


def results(trials: list[TrialRecord]) -> list[dict[str, Any]]:
    """What a search found, without what may differ from day to day."""
    return [
        {
            "params": trial.params,
            "state": trial.state,
            "epochs": [{k: v for k, v in e.items() if k not in ("seconds", "node")} for e in trial.epochs],
        }
        for trial in trials
    ]


def opened(experiment: Experiment) -> Run:
    return open_run(Path(experiment.storage.runs) / RUN)


def _let_it_write(driver: subprocess.Popen[bytes], directory: Path, *, records: int) -> None:
    """Wait until the study has grown by so many records, or the driver is through."""
    journal = directory / "runs" / RUN / JOURNAL
    wanted = _num_records(journal) + records
    deadline = time.monotonic() + _PATIENCE_S
    while _num_records(journal) < wanted and driver.poll() is None:
        assert time.monotonic() < deadline, "the search stands still"
        time.sleep(0.01)


def _num_records(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _kill_a_worker(driver: subprocess.Popen[bytes], dice: random.Random) -> int:
    """Kill a process that trains; 0 if there is none at the moment."""
    with suppress(psutil.NoSuchProcess):  # a process may end while it is looked at
        workers = [
            child
            for child in psutil.Process(driver.pid).children(recursive=True)
            if "train" in " ".join(child.cmdline()[:1])
        ]
        if workers:
            dice.choice(workers).kill()
            return 1
    return 0


def kill_driver(driver: subprocess.Popen[bytes], *, with_children: bool) -> None:
    """Kill the driver; wait until everything that it started is gone."""
    children = psutil.Process(driver.pid).children(recursive=True)
    # Ray's two agents wait a minute for the rest of Ray to answer before they go; they hold nothing of ours.
    agents = [child for child in children if _name(child).startswith(AGENTS)]
    os.kill(driver.pid, signal.SIGKILL)
    if with_children:
        for child in children:
            with suppress(psutil.NoSuchProcess):  # it went with its driver
                child.kill()
    driver.wait()
    deadline = time.monotonic() + 60
    while alive := [child for child in children if child not in agents and _runs(child)]:
        assert time.monotonic() < deadline, f"processes outlived their driver: {alive}"
        time.sleep(0.05)
    for agent in filter(_runs, agents):
        agent.kill()


def _name(process: psutil.Process) -> str:
    return process.name() if _runs(process) else ""


def _runs(process: psutil.Process) -> bool:
    """A dead process that nobody has asked about yet is dead."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_records(driver: subprocess.Popen[bytes], directory: Path, records: int) -> None:
    """Wait until the study has grown by so many records, and the driver is still at it."""
    _let_it_write(driver, directory, records=records)
    assert driver.poll() is None, (directory / "driver.log").read_text()

"""Kill a running search repeatedly with SIGKILL, and check the study and the files."""

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
    """Start the driver in a separate session, so that its processes are not mixed with ours.

    A killed driver cannot remove the directory of its Ray session, which is in ``temporary``.
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
    """Search to the end, with kills at random moments.

    Returns:
        The number of kills of ``everything``, ``driver`` (its processes must notice) and ``worker``.
    """
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    log = directory / "driver.log"
    # The system's directory is used, because Ray's sockets need a short path.
    temporary = Path(tempfile.mkdtemp(prefix="t"))
    processes = [driver := start(experiment, snapshot, directory, temporary=temporary)]

    def restart() -> subprocess.Popen[bytes]:
        text = log.read_text()
        # On an overloaded machine, Ray's processes may not start within Ray's limit of 30 s.
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
    """Check the invariants of a finished search and return its trials."""
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
        ]  # sorted, because a database has no order
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
    assert not children(run.path, ".*"), "no temporary directory is left"
    return trials


def results(trials: list[TrialRecord]) -> list[dict[str, Any]]:
    """Return the results of a search without values that differ between machines and times."""
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
    """Wait until the study has grown by ``records`` records, or the driver has ended."""
    journal = directory / "runs" / RUN / JOURNAL
    wanted = _num_records(journal) + records
    deadline = time.monotonic() + _PATIENCE_S
    while _num_records(journal) < wanted and driver.poll() is None:
        assert time.monotonic() < deadline, "the search makes no progress"
        time.sleep(0.01)


def _num_records(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _kill_a_worker(driver: subprocess.Popen[bytes], dice: random.Random) -> int:
    """Kill a training process, and return the number of killed processes, 0 or 1."""
    with suppress(psutil.NoSuchProcess):  # a process may end during the check
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
    """Kill the driver and wait until all processes that it started have ended."""
    children = psutil.Process(driver.pid).children(recursive=True)
    # Ray's two agents wait up to a minute for the rest of Ray before they end; they have no data of ours.
    agents = [child for child in children if _name(child).startswith(AGENTS)]
    os.kill(driver.pid, signal.SIGKILL)
    if with_children:
        for child in children:
            with suppress(psutil.NoSuchProcess):  # the process ended with its driver
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
    """Return whether a process runs; a zombie does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_records(driver: subprocess.Popen[bytes], directory: Path, records: int) -> None:
    """Wait until the study has grown by ``records`` records; the driver must still run."""
    _let_it_write(driver, directory, records=records)
    assert driver.poll() is None, (directory / "driver.log").read_text()

"""Measure where the first seconds of `trajtune search` on an existing snapshot go.

Each search is a separate process, observed from outside until its first epoch ends; then it is killed. The
stages are read from the command lines of its processes and from its events, so other commits can be measured
in the same way. The first step is the end of the first epoch minus the epoch's own seconds. CPU seconds are
those of the process and of all processes that it started.
Usage, from the project's root:

    python -m benchmarks.start_up [--quick] [--repeats N] [--beside DIRECTORY] [--json FILE]

With --beside, the package in another checkout is measured too, in turns with this one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from benchmarks.rows import result
from trajtune.cluster import ray_session
from trajtune.dataset.prepare import prepare
from trajtune.experiment.load import validate
from trajtune.experiment.settings import Experiment

MAX_SECONDS: Final = 4.0
"""Bar for the time to the first step, on two cores that do nothing else."""

_EVERY_S: Final = 0.2
_TIMEOUT_S: Final = 300.0
_PROCESSES: Final = {"Ray's first process": "gcs_server", "Ray's node": "raylet/raylet"}
"""Stages, and what the command line of a process contains from then on."""

_EVENTS: Final = {"search": "the session", "start": "the first trial"}
_FIRST_STEP: Final = "the first step"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use fewer careers and one search")
    parser.add_argument("--repeats", type=int, default=5, help="searches of each package")
    parser.add_argument("--beside", type=Path, help="another checkout whose package is measured too")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    repeats = 1 if options.quick else options.repeats
    packages = {"here": Path.cwd(), **({"beside": options.beside.resolve()} if options.beside else {})}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        snapshot = snapshot_of(directory, 1_000 if options.quick else 5_000)
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in packages}
        for repeat in range(repeats):
            for name, package in packages.items():
                measured[name].append(start_up(package, snapshot, directory / f"{name}-{repeat}"))
    results = rows(measured)
    for row in results:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:62} {row['value']:10.2f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def rows(measured: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Return the median of each stage, and here / beside where both were measured."""
    middle = {
        name: {key: median(run[key] for run in runs) for key in runs[0]} for name, runs in measured.items()
    }
    results = []
    for name, stages in middle.items():
        for stage, value in stages.items():
            is_bar = name == "here" and stage == f"seconds to {_FIRST_STEP}"
            unit = "CPU s" if stage.startswith("CPU") else "s"
            results.append(result(f"{name}: {stage}", value, unit, most=MAX_SECONDS if is_bar else None))
    if "beside" in middle:
        for stage in (f"seconds to {_FIRST_STEP}", f"CPU seconds to {_FIRST_STEP}"):
            ratio = median(
                ours[stage] / theirs[stage]
                for ours, theirs in zip(measured["here"], measured["beside"], strict=True)
            )
            results.append(result(f"here / beside: {stage}", ratio, "times"))
    return results


def start_up(package: Path, snapshot: Path, runs: Path) -> dict[str, float]:
    """Return the seconds from the command to each stage of a search, and the CPU seconds until then."""
    runs.mkdir()
    settings = {"storage.runs": runs / "runs", "search.max_concurrent": 2}
    command = [
        *(sys.executable, "-c", "from trajtune.cli import main; main()"),
        *("search", "default", "--snapshot", str(snapshot), "--trials", "2", "--json-log"),
        *(part for name, value in settings.items() for part in ("--set", f"{name}={value}")),
    ]
    environment = {**os.environ, "PYTHONPATH": str(package), "TMPDIR": str(runs)}
    log, errors = runs / "events", runs / "errors"
    began = time.time()
    with log.open("wb") as output, errors.open("wb") as other:
        search = subprocess.Popen(command, env=environment, stdout=output, stderr=other, cwd=runs)
    root, seconds, samples = (
        psutil.Process(search.pid),
        dict[str, float](),
        list[tuple[float, float, float]](),
    )
    try:
        while not (reached := stages(log, began)):
            if search.poll() is not None or time.time() - began > _TIMEOUT_S:
                raise RuntimeError(f"No trial began: {errors.read_text('utf-8')}")
            processes = tree(root)
            for stage, part in _PROCESSES.items():
                if stage not in seconds and any(part in command_line(process) for process in processes):
                    seconds[stage] = time.time() - began
            samples.append((time.time() - began, cpu_seconds(root), sum(map(cpu_seconds, processes))))
            time.sleep(_EVERY_S)
    finally:
        for process in tree(root):
            with suppress(psutil.Error):
                process.kill()
        search.wait()
    driver, everything = next(
        (own, total)
        for at, own, total in reversed(samples)
        if at <= reached[_FIRST_STEP] or at == samples[0][0]
    )
    return {
        **{f"seconds to {stage}": at for stage, at in {**seconds, **reached}.items()},
        f"CPU seconds of the driver to {_FIRST_STEP}": driver,
        f"CPU seconds to {_FIRST_STEP}": everything,
    }


def stages(log: Path, began: float) -> dict[str, float]:
    """Return the seconds to each stage that the events show; nothing before the first epoch has ended."""
    reached: dict[str, float] = {}
    for line in log.read_text("utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        event = json.loads(line)
        at = datetime.fromisoformat(event["time"]).timestamp() - began
        if event["event"] == "epoch":
            return {**reached, _FIRST_STEP: at - event["seconds"]}
        if event["event"] in _EVENTS:
            reached.setdefault(_EVENTS[event["event"]], at)
    return {}


def tree(root: psutil.Process) -> list[psutil.Process]:
    """Return a process and all processes below it."""
    with suppress(psutil.Error):
        return [root, *root.children(recursive=True)]
    return []


def command_line(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def snapshot_of(directory: Path, careers: int) -> Path:
    """Prepare a snapshot of simulated careers."""
    content = {
        "source": {"kind": "simulated", "careers": careers},
        "split": {"by": "move"},
        "storage": {"snapshots": str(directory / "snapshots")},
    }
    with ray_session():
        return Path(str(prepare(validate(Experiment, content, "benchmark")).path))


if __name__ == "__main__":
    main()

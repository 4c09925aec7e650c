"""Measure how time and memory grow with the number of careers, and the driver's costs of a thousand trials.

The benchmark has four parts. (prepare) `prepare` on simulated careers in Parquet, in a separate process for
each size: seconds and peak memory per career, including Ray's processes, and the peak
memory of the driver alone. (epoch) One epoch of training on the
snapshot: seconds and peak memory per career. Long epochs are extrapolated from their first steps, and the row
says so. (refit) The same refit by one and by two workers: seconds per epoch, and the difference between the
results, compared with that between two seeds. (driver) Searches of 50 and of 1,000 trials with almost no
work: memory of the driver, time per trial, size of the study, and the time of `trajtune status` during the
search. Usage, from the project's root:

    python -m benchmarks.scale [--quick] [--only prepare|refit|driver] [--json FILE] [--sizes N ...]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.rows import result
from benchmarks.search import TINY, search, snapshot_of_ladders
from trajtune.cluster import ray_session
from trajtune.dataset.prepare import prepare
from trajtune.dataset.snapshot import open_snapshot
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.settings import Experiment
from trajtune.finalizing.refit_tasks import Job, train_refits
from trajtune.finalizing.selection import METRIC
from trajtune.model.batches import create_dataloaders
from trajtune.model.checkpoint import load_checkpoint, new_model
from trajtune.model.network.title_words import words_of
from trajtune.model.training.epoch import train_epoch
from trajtune.model.training.optimizer import create_optimizer
from trajtune.searching.trial import LAST
from trajtune.simulation.write_careers import write_simulated

SIZES = (100_000, 1_000_000, 10_000_000)
MAX_TIME, MAX_MEMORY = 1.2, 1.5
"""Bars on seconds and bytes per career, relative to the first size."""
MAX_STEPS = 4_000
"""Largest number of measured steps of an epoch; longer epochs are extrapolated."""
REFITTED = 50_000
FEW, MANY = 50, 1_000
MAX_TIME_OF_A_TRIAL, MAX_DRIVER_GB, MAX_STATUS_S = 1.3, 1.0, 2.0
MAX_DRIVER_GROWTH_GB = 0.3
"""Bar on the growth of the driver of `prepare`, from the first size to the largest."""
TRAJTUNE = str(Path(sys.executable).with_name("trajtune"))
MEGABYTE, GIGABYTE = 2**20, 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use small sizes and few trials")
    parser.add_argument("--only", choices=("prepare", "refit", "driver"), help="run only this part")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of careers")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "N", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, number, folder = options.child
        print(json.dumps(CHILDREN[what](int(number), Path(folder))))
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        if options.only in (None, "prepare"):
            rows += growth((2_000, 20_000) if options.quick else options.sizes, Path(folder))
        if options.only in (None, "refit"):
            rows += together(2_000 if options.quick else REFITTED, Path(folder) / "refits")
        if options.only in (None, "driver"):
            rows += load(*((5, 20) if options.quick else (FEW, MANY)), Path(folder))
    for row in rows:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:66} {row['value']:12,.3f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def growth(sizes: tuple[int, ...], folder: Path) -> list[dict[str, Any]]:
    """Return the seconds and peak bytes per career of both stages, by the number of careers."""
    rows: list[dict[str, Any]] = []
    first: dict[str, tuple[float, float]] = {}
    of_driver: list[float] = []
    for size in sizes:
        directory = folder / str(size)
        began = time.perf_counter()
        write_simulated(size, 0, str(directory / "careers.parquet"))
        rows.append(result(f"{size:,} careers: simulation, total", time.perf_counter() - began, "s"))
        for stage in ("prepare", "epoch"):
            report, peak = in_a_process(stage, size, directory)
            seconds, memory = report["seconds"] / size, peak / size
            of_first = first.setdefault(stage, (seconds, memory))
            how = f", from {report['share']:.1%} of its steps" if report.get("share", 1) < 1 else ""
            name = f"{size:,} careers: {stage}"
            rows += [
                result(f"{name}, total{how}", report["seconds"], "s"),
                result(f"{name}, peak memory", peak / GIGABYTE, "GiB"),
                result(
                    f"{name}, time per career, relative to the first size",
                    seconds / of_first[0],
                    "times",
                    most=MAX_TIME,
                ),
                result(
                    f"{name}, memory per career, relative to the first size",
                    memory / of_first[1],
                    "times",
                    most=MAX_MEMORY,
                ),
            ]
            shown = rows[-4:]
            if "driver_bytes" in report:
                shown.append(
                    result(
                        f"{name}, driver's peak memory",
                        report["driver_bytes"] / GIGABYTE,
                        "GiB",
                        most=MAX_DRIVER_GB,
                    )
                )
                rows.append(shown[-1])
                of_driver.append(report["driver_bytes"] / GIGABYTE)
            for row in shown:
                print(f"{row['name']:66} {row['value']:12,.3f} {row['unit']}", file=sys.stderr, flush=True)
    more = max(of_driver) - of_driver[0]
    return [
        *rows,
        result("prepare, driver's peak memory, largest - first", more, "GiB", most=MAX_DRIVER_GROWTH_GB),
    ]


def together(size: int, folder: Path) -> list[dict[str, Any]]:
    """Return the comparison of the same refit by one worker and by two."""
    write_simulated(size, 0, str(folder / "careers.parquet"))
    with ray_session():
        snapshot = prepare(on_parquet(folder))
    params = Params(max_epochs=3)
    seconds: dict[int, float] = {}
    reached: dict[tuple[int, int], float] = {}
    for workers, seed in ((1, 0), (1, 1), (2, 0)):
        job = Job(params, seed, METRIC, folder / f"{workers}-{seed}")
        with ray_session():
            ((_, outcome),) = train_refits([job], snapshot, workers)
        reached[workers, seed] = outcome["state"]["best_metrics"][METRIC]
        reports = load_checkpoint(job.directory / LAST)["reports"]
        seconds[workers] = median(report["seconds"] for report in reports)
    name = f"a refit on {size:,} careers"
    return [
        *(result(f"{name}, {workers} workers: epoch", seconds[workers], "s") for workers in seconds),
        result(f"{name}: epoch, one worker / two workers", seconds[1] / seconds[2], "times"),
        result(f"{name}: val NLL, two workers - one worker", reached[2, 0] - reached[1, 0], "nats"),
        result(f"{name}: val NLL, another seed - this seed", reached[1, 1] - reached[1, 0], "nats"),
    ]


def load(few: int, many: int, folder: Path) -> list[dict[str, Any]]:
    """Return the driver's costs of few and of many trials with almost no work."""
    rows: list[dict[str, Any]] = []
    found: dict[int, tuple[float, float]] = {}
    for trials in (few, many):
        directory = folder / f"trials-{trials}"
        directory.mkdir()
        statuses: list[float] = []
        report, peak = in_a_process("search", trials, directory, alone=True, meanwhile=statuses)
        found[trials] = report["seconds"] / trials, peak
        rows += [
            result(f"{trials:,} trials: time per trial", report["seconds"] / trials, "s"),
            result(
                f"{trials:,} trials: driver, processor time per trial",
                report["driver_seconds"] / trials,
                "s",
            ),
            result(f"{trials:,} trials: driver, peak memory", peak / MEGABYTE, "MiB"),
            result(f"{trials:,} trials: file of the study", report["study_bytes"] / MEGABYTE, "MiB"),
        ]
        if statuses:
            name = f"{trials:,} trials: slowest of {len(statuses)} `trajtune status`"
            rows.append(result(name, max(statuses), "s", most=MAX_STATUS_S))
    times, more = found[many][0] / found[few][0], (found[many][1] - found[few][1]) / GIGABYTE
    return [
        *rows,
        result(f"time per trial, {many:,} / {few}", times, "times", most=MAX_TIME_OF_A_TRIAL),
        result(f"driver, peak memory, {many:,} - {few}", more, "GiB", most=MAX_DRIVER_GB),
    ]


def in_a_process(
    what: str, number: int, folder: Path, *, alone: bool = False, meanwhile: list[float] | None = None
) -> tuple[dict[str, Any], float]:
    """Return the report of a child process and its peak memory in bytes, with its children unless ``alone``.

    Memory that several processes share is counted once (PSS).
    """
    command = [sys.executable, "-m", "benchmarks.scale", "--child", what, str(number), str(folder)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child,
        watched(child.pid, alone) as peak,
    ):
        while meanwhile is not None and child.poll() is None:
            time.sleep(5)
            if any((folder / "runs" / "latest").glob("trials/*")):
                meanwhile.append(seconds_of_status(folder))
        written, _ = child.communicate()
    assert child.returncode == 0, f"{what} of {number} failed"
    report: dict[str, Any] = json.loads(written.splitlines()[-1])
    return report, peak[0]


@contextmanager
def watched(pid: int, alone: bool) -> Iterator[list[float]]:
    """Sample the memory of a process twice a second, and yield a list with its maximum."""
    peak, done = [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            peak[0] = max(peak[0], memory_of(pid, alone))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def memory_of(pid: int, alone: bool) -> float:
    """Return the PSS of a process in bytes, including its descendants unless ``alone``."""
    try:
        process = psutil.Process(pid)
        family = [process] if alone else [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0.0
    for member in family:
        try:
            total += member.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def seconds_of_status(folder: Path) -> float:
    """Return the wall time of the status command in seconds."""
    began = time.perf_counter()
    command = [TRAJTUNE, "status", str(folder / "runs" / "latest"), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def prepared(size: int, folder: Path) -> dict[str, Any]:
    """Return the seconds of `prepare` without the start of Ray, and this process's peak memory."""
    experiment = on_parquet(folder)
    with ray_session():
        began = time.perf_counter()
        prepare(experiment)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "driver_bytes": peak}


def trained(size: int, folder: Path) -> dict[str, Any]:
    """Return the processor seconds of an epoch of the default model; a long epoch is extrapolated."""
    import torch

    torch.set_num_threads(1)
    (path,) = (folder / "snapshots").iterdir()
    snapshot, params = open_snapshot(path), Params()
    encoder = snapshot.encoder()
    train = snapshot.read("train").arrays
    model = new_model(params, encoder.vocab_size, words_of(encoder))
    optimizer = create_optimizer(model, params)
    loader, _ = create_dataloaders(params, train, train, encoder.vocab_size, seed=0)
    steps = len(loader)
    began = time.process_time()
    batches = iter(loader)
    first = next(batches)
    planning = time.process_time() - began
    began = time.process_time()
    some = [first, *islice(batches, MAX_STEPS - 1)]
    train_epoch(model, some, optimizer, params, epoch=1)
    return {
        "seconds": planning + (time.process_time() - began) * steps / len(some),
        "share": len(some) / steps,
    }


def searched(trials: int, folder: Path) -> dict[str, Any]:
    """Return wall seconds and driver seconds of a search with almost no work, and the size of its study."""
    snapshot = snapshot_of_ladders(folder, 60)
    with ray_session(num_cpus=2):
        began, own = time.perf_counter(), time.process_time()
        run = search(folder, snapshot, trials=trials, training=TINY)
        seconds, own = time.perf_counter() - began, time.process_time() - own
    study_bytes = (run.path / "study.journal").stat().st_size
    return {"seconds": seconds, "driver_seconds": own, "study_bytes": study_bytes}


CHILDREN = {"prepare": prepared, "epoch": trained, "search": searched}


def on_parquet(folder: Path) -> Experiment:
    content = {
        "source": {
            "kind": "parquet",
            "path": str(folder / "careers.parquet"),
            "layout": {"layout": "json"},
        },
        "storage": {"snapshots": str(folder / "snapshots")},
    }
    return validate(Experiment, content, "benchmark")


if __name__ == "__main__":
    main()

"""Measure the stages of `trajtune finalize` at the size of the demo, in wall and in CPU seconds.

A search on simulated careers is run once. Each finalize is then a separate process that trains its refits
again. The CPU seconds of a stage are those of the finalize process; refits run in other processes. With
--beside, the package in another checkout finalizes the same run in turns with this one, and the bundles are
compared byte by byte, apart from the files with timings.
Usage, from the project's root:

    python -m benchmarks.finalize [--quick] [--repeats N] [--beside DIRECTORY] [--json FILE]
"""

import argparse
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

STAGES: Final = {
    "trajtune.finalizing.run": (
        *("choose", "calibrate", "export_checked", "measure_on_test", "measure_latency", "generate_report"),
        *("write_html_report", "write_probes"),
    ),
    "trajtune.finalizing.build": ("export_to_onnx", "simplify_onnx", "check_parity"),
}
"""Functions that are timed, by the module that calls them."""

WITH_TIMINGS: Final = (
    "metrics.json",
    "evaluation_report.md",
    "report.html",
    "MODEL_CARD.md",
    "manifest.json",
)
MAX_OF_BESIDE: Final = 0.5


def main() -> None:
    from benchmarks.rows import result

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use fewer careers and one finalize")
    parser.add_argument("--repeats", type=int, default=3, help="finalizes with each package")
    parser.add_argument("--beside", type=Path, help="another checkout whose package is measured too")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    packages = {"here": Path.cwd(), **({"beside": options.beside.resolve()} if options.beside else {})}
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in packages}
    hashes: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        # Each version reads the runs of earlier ones, so the package beside searches.
        searching = packages.get("beside", packages["here"])
        run = Path(last_line(searching, directory, "search", "2000" if options.quick else "20000"))
        for repeat in range(1 if options.quick else options.repeats):
            for name, package in packages.items():
                shutil.rmtree(run / "refits", ignore_errors=True)
                bundle = directory / f"{name}-{repeat}"
                measured[name].append(
                    json.loads(last_line(package, directory, "finalize", str(run), str(bundle)))
                )
                hashes[name] = hashes_of(bundle)
    middle = {
        name: {key: median(run[key] for run in runs) for key in runs[0]} for name, runs in measured.items()
    }
    results = [
        result(f"{name}: {stage}", value, "s")
        for name, stages in middle.items()
        for stage, value in stages.items()
    ]
    if "beside" in middle:
        for key in ("finalize, seconds", "finalize, CPU seconds"):
            ratio = middle["here"][key] / middle["beside"][key]
            results.append(result(f"here / beside: {key}", ratio, "times", most=MAX_OF_BESIDE))
        here, beside = hashes["here"], hashes["beside"]
        differing = [name for name in here | beside if here.get(name) != beside.get(name)]
        print(f"files that differ: {', '.join(differing) or 'none'}")
        results.append(result("files without timings that differ", len(differing), "files", most=0))
    for row in results:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:62} {row['value']:10.2f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def last_line(package: Path, directory: Path, *arguments: str) -> str:
    """Return the last line that a step prints in a process of its own, with the given package."""
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, __file__, "--in-this-process", *arguments]
    done = subprocess.run(
        command, env=environment, cwd=directory, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def search(careers: str) -> None:
    """Search with the settings of the demo, but two trials of few epochs, and print the run's path."""
    cluster, prepare, load, run = (
        importlib.import_module(f"trajtune.{name}")
        for name in ("cluster", "dataset.prepare", "experiment.load", "searching.run")
    )
    settings = {"source.careers": int(careers), "training.max_epochs": 2, "search.trials": 2}
    experiment = load.resolve("demo", settings)
    with cluster.ray_session():
        print(run.start_search(experiment, prepare.prepare(experiment)).path.resolve())


def hashes_of(bundle: Path) -> dict[str, str]:
    """Return the hash of each file without timings, and the metrics without the latency."""
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in bundle.iterdir()
        if path.name not in WITH_TIMINGS
    }
    metrics = json.loads((bundle / "metrics.json").read_text("utf-8"))
    del metrics["latency"], metrics["gates"]["latency"]
    del metrics["test_openings"]  # each finalize of the same run opens the test split once more
    return {**hashes, "metrics.json": json.dumps(metrics, sort_keys=True)}


def finalize(run: str, bundle: str) -> None:
    """Finalize, and print the seconds of each stage as JSON."""
    began, began_cpu = time.perf_counter(), time.process_time()
    seconds: dict[str, float] = {}
    for name, functions in STAGES.items():
        module = importlib.import_module(name)
        for function in functions:
            setattr(module, function, timed(function, getattr(module, function), seconds))
    seconds["imports, seconds"] = time.perf_counter() - began
    importlib.import_module("trajtune.finalizing.run").finalize(run, out=bundle)
    seconds["finalize, seconds"] = time.perf_counter() - began
    seconds["finalize, CPU seconds"] = time.process_time() - began_cpu
    print(json.dumps(seconds))


def timed(name: str, function: Callable[..., Any], seconds: dict[str, float]) -> Callable[..., Any]:
    """Return the function, which adds its wall and CPU seconds to ``seconds``."""

    def measuring(*arguments: Any, **named: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            seconds[f"{name}, seconds"] = time.perf_counter() - wall
            seconds[f"{name}, CPU seconds"] = time.process_time() - cpu

    return measuring


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-this-process"]:
        {"search": search, "finalize": finalize}[sys.argv[2]](*sys.argv[3:])
    else:
        main()

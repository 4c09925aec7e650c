"""Measure the speed of a bundle: files, single careers in Python and in Node, and the command line.

Usage: python benchmarks/predict.py [--quick] [--json FILE]

The network is untrained and has the size of the research default; the speed does not depend on the weights.
The bar applies to 1,000 titles, about as many as simulated careers have by default; 5,000 titles are
measured too. Everything runs on one thread. Runs of torch and of the bundle alternate, and medians are
reported. Streaming is measured in processor time, which does not depend on other programs.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trajtune.bundle.bundle import Bundle, load_bundle
from trajtune.bundle.manifest import CALIBRATION, CHECKPOINT, FILES, MODEL, PROBES, SCHEMA_VERSION, VOCABULARY
from trajtune.bundle.predict_file import predict_file
from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.dataset.titles import TitleEncoder
from trajtune.finalizing.bundle_directory import write_manifest
from trajtune.finalizing.calibrate.corrections import Corrections
from trajtune.finalizing.calibrate.isotonic import CalibrationTable
from trajtune.finalizing.export.exported_module import ExportedModule
from trajtune.finalizing.export.latency import latency_in_node, latency_in_python
from trajtune.finalizing.export.probes import write_probes
from trajtune.finalizing.export.to_onnx import export_to_onnx, simplify_onnx
from trajtune.model.checkpoint import save_checkpoint
from trajtune.model.network.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict

SIZES = (1000, 5000)
BARS = {1000: 20_000}
Result = dict[str, Any]


def result(name: str, value: float, unit: str, bar: float | None = None, *, least: bool = True) -> Result:
    passed = None if bar is None else (value >= bar if least else value <= bar)
    return {"name": name, "value": round(value, 4), "unit": unit, "bar": bar, "passed": passed}


def make_bundle(folder: Path, num_titles: int) -> tuple[Bundle, ExportedModule]:
    """Create a bundle of an untrained network; files that are only hashed are empty, except the weights."""
    torch.manual_seed(0)
    encoder = TitleEncoder.fit({f"Specialist of Trade {i:04d}": num_titles - i for i in range(num_titles)})
    knots = np.linspace(0, 1, 200)
    table = CalibrationTable(tuple(knots), tuple(knots**2))
    served = ExportedModule(
        CareerTrajectoryLSTM(encoder.vocab_size), encoder.vocab_size, Corrections(table)
    ).eval()
    export_to_onnx(served, folder / MODEL)
    simplify_onnx(folder / MODEL)
    encoder.save(folder / VOCABULARY)
    table.save(folder / CALIBRATION)
    write_probes(served, encoder, folder / PROBES)
    save_checkpoint({"model": served.model.state_dict()}, folder / CHECKPOINT)
    for name in {*FILES} - {MODEL, VOCABULARY, CALIBRATION, PROBES, CHECKPOINT}:
        (folder / name).write_text("{}")
    about = {"schema_version": SCHEMA_VERSION, "gates_passed": False, "source": {"kind": "benchmark"}}
    write_manifest(folder, about)
    return load_bundle(folder), served


def make_careers(num: int, num_titles: int) -> CareerArrays:
    random = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(random.integers(2, 11, num))])
    ids = random.integers(1, num_titles + 1, offsets[-1]).astype(np.int32)
    none = np.full(len(ids), np.nan, np.float32)
    return CareerArrays(ids, offsets, none, none, none, ids, ids < 0)


def write_careers(careers: CareerArrays, bundle: Bundle, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for i in range(careers.num_careers):
            ids = careers.title_ids[careers.offsets[i] : careers.offsets[i + 1]].tolist()
            titles = [bundle.encoder.decode(index) for index in ids]
            file.write(json.dumps({"id": i, "titles": titles}) + "\n")


def seconds(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    action()
    return clock() - began


def streaming(bundle: Bundle, served: ExportedModule, folder: Path, num: int, rounds: int) -> list[Result]:
    num_titles = bundle.encoder.vocab_size - 1
    careers = make_careers(num, num_titles)
    write_careers(careers, bundle, folder / "in.jsonl")
    last_moves = Examples(careers.offsets[:-1].copy(), np.diff(careers.offsets) - 1)
    by_bundle, by_torch = [], []
    assert isinstance(served.model, CareerTrajectoryLSTM)
    predict_file(bundle, folder / "in.jsonl", folder / "out.jsonl")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    predict_file(bundle, folder / "in.jsonl", folder / "out.jsonl")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for _ in range(rounds):
        by_bundle.append(
            seconds(
                lambda: predict_file(bundle, folder / "in.jsonl", folder / "out.jsonl"), time.process_time
            )
        )
        by_torch.append(seconds(lambda: predict(served.model, careers, last_moves), time.process_time))
    ours, theirs = statistics.median(by_bundle), statistics.median(by_torch)
    return [
        result(f"stream a file, {num_titles} titles", num / ours, "careers/s", BARS.get(num_titles)),
        result(f"torch on arrays, no text, {num_titles} titles", num / theirs, "careers/s"),
        result(f"memory added by another file, {num_titles} titles", grown, "MB", 200, least=False),
    ]


def one_at_a_time(bundle: Bundle) -> list[Result]:
    random = np.random.default_rng(0)
    careers = [random.integers(1, bundle.encoder.vocab_size, 10) for _ in range(200)]
    found = latency_in_python(bundle.graph, careers)
    rows = [
        result("one career of 10 roles, Python, p50", found["p50_ms"], "ms"),
        result("one career of 10 roles, Python, p95", found["p95_ms"], "ms", 50, least=False),
        result("one career of 10 roles, Python, p99", found["p99_ms"], "ms"),
    ]
    in_node = latency_in_node(bundle.path / MODEL, careers)
    if in_node["node"] is None:
        print(f"Node is skipped: {in_node['node_reason']}.")
        return rows
    found = in_node["node"]
    return [
        *rows,
        result("one career of 10 roles, Node, p50", found["p50_ms"], "ms"),
        result("one career of 10 roles, Node, p95", found["p95_ms"], "ms", 50, least=False),
        result("one career of 10 roles, Node, p99", found["p99_ms"], "ms"),
    ]


def whole_processes(bundle: Bundle) -> list[Result]:
    def median_s(*arguments: str) -> float:
        command = [sys.executable, "-c", "from trajtune.cli import main; main()", *arguments]
        runs = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3)]
        return statistics.median(runs)

    path = str(bundle.path)
    return [
        result("trajtune predict, command", median_s("predict", path, "Trade"), "s", 2, least=False),
        result("trajtune verify, command", median_s("verify", path), "s", 5, least=False),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        num, rounds = (40_000, 3) if arguments.quick else (200_000, 5)
        results = []
        for num_titles in SIZES:
            place = Path(folder) / str(num_titles)
            place.mkdir()
            bundle, served = make_bundle(place, num_titles)
            results += streaming(bundle, served, Path(folder), num, rounds)
        results += [*one_at_a_time(bundle), *whole_processes(bundle)]
    for row in results:
        bar = "" if row["bar"] is None else f"{row['bar']:>10,g} {'ok' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:<45} {row['value']:>12,.2f} {row['unit']:<10} {bar}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

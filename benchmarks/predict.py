"""Speed of a bundle: streaming a file, one career at a time in Python and in Node, whole process.

Usage: python benchmarks/predict.py [--quick] [--json FILE]

An untrained network of the research default's size; speed does not depend on what the weights are. The
bar is for 1,000 titles, as many as simulated careers have by default; 5,000 are measured beside it.
Everything runs on one thread. torch and the bundle alternate, and the median counts. Streaming is
counted in seconds of processor time, which is what one core needs, whoever else uses the machine.
"""

import argparse
import json
import os
import resource
import shutil
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

from trajtune.bundle import CALIBRATION, MODEL, SCHEMA_VERSION, VOCABULARY, Bundle, load_bundle
from trajtune.dataset.arrays import CareerArrays, Examples
from trajtune.dataset.titles import TitleEncoder
from trajtune.finalize.calibrate import CalibrationTable
from trajtune.finalize.export import export_to_onnx, simplify_onnx
from trajtune.finalize.latency import measure_latency
from trajtune.finalize.served import ServedModel
from trajtune.finalize.write import MANIFEST, sha256, write_json
from trajtune.model.lstm import CareerTrajectoryLSTM
from trajtune.model.predict import predict
from trajtune.stream import predict_file

SIZES = (1000, 5000)
BARS = {1000: 20_000}
CLIENT = Path(__file__).parents[1] / "tests" / "service"
Result = dict[str, Any]


def result(name: str, value: float, unit: str, bar: float | None = None, *, least: bool = True) -> Result:
    passed = None if bar is None else (value >= bar if least else value <= bar)
    return {"name": name, "value": round(value, 4), "unit": unit, "bar": bar, "passed": passed}


def make_bundle(folder: Path, num_titles: int) -> tuple[Bundle, ServedModel]:
    """What the streaming reader needs of a bundle."""
    torch.manual_seed(0)
    encoder = TitleEncoder.fit({f"Specialist of Trade {i:04d}": num_titles - i for i in range(num_titles)})
    knots = np.linspace(0, 1, 200)
    table = CalibrationTable(tuple(knots), tuple(knots**2))
    served = ServedModel(CareerTrajectoryLSTM(encoder.vocab_size), encoder.vocab_size, table, 2.0).eval()
    export_to_onnx(served, folder / MODEL)
    simplify_onnx(folder / MODEL)
    encoder.save(folder / VOCABULARY)
    table.save(folder / CALIBRATION)
    files = {name: sha256(folder / name) for name in (MODEL, VOCABULARY)}
    write_json(folder / MANIFEST, {"schema_version": SCHEMA_VERSION, "files": files})
    return load_bundle(folder), served


def make_careers(num: int, num_titles: int) -> CareerArrays:
    random = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(random.integers(2, 11, num))])
    ids = random.integers(1, num_titles + 1, offsets[-1]).astype(np.int32)
    none = np.full(len(ids), np.nan, np.float32)
    return CareerArrays(ids, offsets, none, none, none)


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


def streaming(bundle: Bundle, served: ServedModel, folder: Path, num: int, rounds: int) -> list[Result]:
    num_titles = bundle.encoder.vocab_size - 1
    careers = make_careers(num, num_titles)
    write_careers(careers, bundle, folder / "in.jsonl")
    whole = Examples(careers.offsets[:-1].copy(), np.diff(careers.offsets) - 1)
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
        by_torch.append(seconds(lambda: predict(served.model, careers, whole), time.process_time))
    ours, theirs = statistics.median(by_bundle), statistics.median(by_torch)
    return [
        result(f"stream a file, {num_titles} titles", num / ours, "careers/s", BARS.get(num_titles)),
        result(f"torch on arrays, no text, {num_titles} titles", num / theirs, "careers/s"),
        result(f"memory added by another file, {num_titles} titles", grown, "MB", 200, least=False),
    ]


def one_at_a_time(bundle: Bundle) -> list[Result]:
    random = np.random.default_rng(0)
    careers = [random.integers(1, bundle.encoder.vocab_size, 10) for _ in range(200)]
    found = measure_latency(bundle.graph, careers)
    rows = [
        result("one career of 10 roles, Python, p50", found["p50_ms"], "ms"),
        result("one career of 10 roles, Python, p95", found["p95_ms"], "ms", 50, least=False),
        result("one career of 10 roles, Python, p99", found["p99_ms"], "ms"),
    ]
    node = shutil.which("node")
    modules = Path(os.environ.get("TRAJTUNE_NODE_CLIENT", CLIENT)) / "node_modules"
    if node is None or not modules.exists():
        print(f"Node is left out: no node, or no {modules} (npm install there, or set TRAJTUNE_NODE_CLIENT).")
        return rows
    titles = [[bundle.encoder.decode(int(i)) for i in career] for career in careers]
    shutil.copyfile(
        CLIENT / "client.mjs", modules.parent / "client.mjs"
    ) if modules.parent != CLIENT else None
    done = subprocess.run(
        [node, str(modules.parent / "client.mjs"), "latency", str(bundle.path / MODEL)],
        input=json.dumps(titles),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return [
        *rows,
        result("one career of 10 roles, Node, p50", found["p50_ms"], "ms"),
        result("one career of 10 roles, Node, p95", found["p95_ms"], "ms", 50, least=False),
        result("one career of 10 roles, Node, p99", found["p99_ms"], "ms"),
    ]


def whole_process(bundle: Bundle) -> Result:
    command = [
        sys.executable,
        "-c",
        "from trajtune.cli import main; main()",
        "predict",
        str(bundle.path),
        "Trade",
    ]
    times = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3)]
    return result("trajtune predict, whole process", statistics.median(times), "s", 2, least=False)


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
            bundle, served = make_bundle(Path(folder), num_titles)
            results += streaming(bundle, served, Path(folder), num, rounds)
        results += [*one_at_a_time(bundle), whole_process(bundle)]
    for row in results:
        bar = "" if row["bar"] is None else f"{row['bar']:>10,g} {'ok' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:<45} {row['value']:>12,.2f} {row['unit']:<10} {bar}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

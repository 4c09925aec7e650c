"""Measure training on a GPU and on the CPU: epochs, trials at once, stacked trials, memory and parity.

All careers are simulated, and no network is used. Each measurement is appended to the JSON-lines file as soon
as it is there. A row that the file has is not measured again, so the command can be repeated after a break.
After the time limit no further measurement begins, and the rows that are left get a reason instead of a
value.
Usage, from the project's root:

    python -m benchmarks.gpu [--device cuda|cpu] [--quick] [--minutes N] [--json FILE]
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray
import torch

from benchmarks.training import VOCAB_SIZE, simulated_arrays
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.prepare import prepare
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import Experiment
from trajtune.model.batches import create_dataloaders
from trajtune.model.network.title_words import TitleWords, number_words
from trajtune.model.training.epoch import evaluate
from trajtune.model.training.fit import fit
from trajtune.searching.run import start_search
from trajtune.searching.study.open import read_study
from trajtune.searching.study.trial_records import read_trials

WORDS: Final[TitleWords] = number_words([[f"word{n % 500}", f"level{n % 7}"] for n in range(1, VOCAB_SIZE)])
CONFIGURATIONS: Final = {"default": Params(), "research default": RESEARCH_DEFAULT}
EPOCH_CAREERS: Final = 50_000
"""Careers to which the time of an epoch is scaled; fewer are trained on."""

MAX_DIFFERENCE: Final = 1e-4
"""Largest relative difference between the metrics of the same weights on two devices."""


@dataclass(frozen=True)
class Size:
    """Steps of an epoch, batch sizes, trials at once, models of a process, and careers of a search."""

    steps: int
    batches: tuple[int, ...]
    at_once: tuple[int, ...]
    stacked: tuple[int, ...]
    careers: int


FULL: Final = Size(60, (32, 256, 2048), (1, 4, 16), (1, 8, 32), 2_000)
QUICK: Final = Size(4, (32, 256), (1, 2), (1, 2), 300)

Measurement = tuple[str, str, Callable[[], float]]
"""Name, unit, and the function that measures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="device beside the CPU")
    parser.add_argument("--quick", action="store_true", help="use fewer steps, batch sizes and trials")
    parser.add_argument("--minutes", type=float, default=8.0, help="time limit")
    parser.add_argument("--json", type=Path, default=Path("gpu.jsonl"), help="JSON-lines file of the rows")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU. Rehearse with --device cpu.")
    torch.set_num_threads(1)
    deadline = time.monotonic() + 60 * options.minutes
    done = {row["name"] for row in rows_of(options.json) if row["value"] is not None}
    card = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor() or "CPU"
    size = QUICK if options.quick else FULL
    for name, unit, measure in measurements(size, options.device):
        if name in done:
            continue
        row = {
            "name": name,
            "unit": unit,
            "card": card,
            "torch": torch.__version__,
            **value_of(measure, deadline),
        }
        with options.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        shown = row["reason"] if row["value"] is None else f"{row['value']:12,.4g} {unit}"
        print(f"{name:70} {shown}", flush=True)


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Return the rows of earlier calls."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def value_of(measure: Callable[[], float], deadline: float) -> dict[str, Any]:
    """Return the measured value, or None with the reason."""
    if time.monotonic() > deadline:
        return {"value": None, "reason": "the time limit was reached"}
    try:
        return {"value": measure(), "reason": None}
    except Exception as error:  # noqa: BLE001 - a failed row must not cost the others; the file has the reason
        return {"value": None, "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}


def measurements(size: Size, device: str) -> Iterator[Measurement]:
    """List all measurements, the most important first."""
    devices = ("cpu",) if device == "cpu" else ("cuda", "cpu")
    for each in devices:
        for batch in size.batches:
            for name, params in CONFIGURATIONS.items():
                given = params.model_copy(update={"batch_size": batch})
                yield (
                    f"{each}: {name}, batch {batch}: an epoch of {EPOCH_CAREERS:,} careers",
                    "s",
                    (lambda given=given, each=each: epoch_seconds(given, size.steps, each)),
                )
                if each == "cuda":
                    yield (
                        f"cuda: {name}, batch {batch}: memory",
                        "MB",
                        (lambda given=given: gpu_megabytes(given, size.steps)),
                    )
    for name, params in CONFIGURATIONS.items():
        yield (
            f"{device} / cpu: {name}: largest relative difference of a metric",
            "share",
            (lambda params=params: difference(params, size.steps, device)),
        )
    for number in size.at_once:
        yield (
            f"{device}: trials of 10 epochs an hour, {number} at once",
            "trials",
            (lambda number=number: trials_an_hour(number, size.steps, device)),
        )
    for number in size.stacked:
        yield (
            f"{device}: epochs an hour of a search, {number} models a process",
            "epochs",
            (lambda number=number: epochs_an_hour(number, size.careers, device)),
        )


def careers_of(params: Params, steps: int) -> tuple[CareerArrays, CareerArrays]:
    """Return train careers for about ``steps`` batches, and val careers."""
    careers = min(EPOCH_CAREERS, max(200, params.batch_size * steps))
    return simulated_arrays(careers, seed=0), simulated_arrays(500, seed=1)


def epoch_seconds(params: Params, steps: int, device: str) -> float:
    """Return the seconds of the second epoch, scaled to `EPOCH_CAREERS`; 500 careers are validated."""
    train, val = careers_of(params, steps)
    epochs = fit(params, train, val, VOCAB_SIZE, seed=0, title_words=WORDS, device=device)
    next(epochs)
    return next(epochs).seconds / train.num_careers * EPOCH_CAREERS


def gpu_megabytes(params: Params, steps: int) -> float:
    """Return the peak memory of PyTorch on the GPU during an epoch."""
    train, val = careers_of(params, steps)
    torch.cuda.reset_peak_memory_stats()
    next(fit(params, train, val, VOCAB_SIZE, seed=0, title_words=WORDS, device="cuda"))
    return torch.cuda.max_memory_allocated() / 1e6


def difference(params: Params, steps: int, device: str) -> float:
    """Return the largest relative difference of a metric of the same weights on the device and the CPU."""
    from trajtune.model.checkpoint import build_model

    given = params.model_copy(update={"batch_size": 256})
    train, val = careers_of(given, steps)
    state = next(fit(given, train, val, VOCAB_SIZE, seed=0, title_words=WORDS, device=device)).checkpoint()
    metrics = []
    for each in ("cpu", device):
        _, loader = create_dataloaders(given, train, val, VOCAB_SIZE, seed=0, device=torch.device(each))
        metrics.append(evaluate(build_model(state).to(each), loader))
    own, other = metrics
    both = [(own[name], other[name]) for name in own if own[name] is not None]
    worst = max(abs(a - b) / max(abs(a), 1e-6) for a, b in both)
    if worst > MAX_DIFFERENCE:
        raise ValueError(
            f"the metrics differ by {worst:.2g}, more than {MAX_DIFFERENCE:g}: {own} and {other}"
        )
    return worst


def trials_an_hour(number: int, steps: int, device: str) -> float:
    """Return how many trials of ten epochs end in an hour, with ``number`` processes at once on one GPU."""
    params = Params(batch_size=256, max_epochs=10)
    train, val = careers_of(params, steps)
    share = 1 / number if device == "cuda" else 0

    def trained(careers: dict[str, Any], on: dict[str, Any]) -> float:
        torch.set_num_threads(1)
        arrays = CareerArrays.from_dict(careers), CareerArrays.from_dict(on)
        epochs = fit(params, *arrays, VOCAB_SIZE, seed=0, title_words=WORDS, device=device)
        next(epochs)
        return next(epochs).seconds

    with ray_session(num_cpus=max(number, os.cpu_count() or 1)):
        task = ray.remote(num_cpus=1, num_gpus=share)(trained)
        data = ray.put(train.to_dict()), ray.put(val.to_dict())
        seconds = ray.get([task.remote(*data) for _ in range(number)])
    return 3600 * number / (10 * sum(seconds) / number)


def epochs_an_hour(number: int, careers: int, device: str) -> float:
    """Return the epochs an hour of a search whose processes train ``number`` trials each."""
    with tempfile.TemporaryDirectory() as folder, ray_session(num_cpus=max(number, os.cpu_count() or 1)):
        content = {
            "source": {"kind": "simulated", "careers": careers},
            "training": {"batch_size": 256, "max_epochs": 3},
            "search": {
                "trials": max(2, number),
                "max_concurrent": number,
                "models_per_process": number,
                "gpus_per_trial": (10_000 // number) / 10_000 if device == "cuda" else 0,
                "pruner": {"name": "none"},
                "repeats": 0,
                "max_epochs_total": 3 * number + 3,
            },
            "storage": {name: f"{folder}/{name}" for name in ("snapshots", "runs")},
        }
        experiment = validate(Experiment, content, "benchmark")
        snapshot = prepare(experiment)
        began = time.monotonic()
        run = start_search(experiment, snapshot)
        seconds = time.monotonic() - began
        epochs = sum(len(trial.epochs) for trial in read_trials(read_study(run.path)))
    return 3600 * epochs / seconds


if __name__ == "__main__":
    main()

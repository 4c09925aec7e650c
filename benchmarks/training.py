"""Measure the speed of an epoch on one core, compared with a plain loop with the same mathematics per
example.

The plain loop uses a `Dataset` of per-career tensors, a `DataLoader` with a padding collate function,
`pack_padded_sequence`, default Adam and `.item()` in every step. Both loops train the research default on
the same simulated careers (5,040 titles), alternating in one process with one thread. Processor time is
measured, so that other programs have little effect. The memory of a trial with 50,000 titles is measured in a
separate process. Usage:

    python benchmarks/training.py [--quick] [--json FILE]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from trajtune.dataset.arrays import CareerArrays, examples_of, last_roles
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.sources import ProcessSettings
from trajtune.model.batches import Loader, create_dataloaders
from trajtune.model.checkpoint import new_model, save_checkpoint
from trajtune.model.network.lstm import CareerTrajectoryLSTM, FactoredLogits
from trajtune.model.training.epoch import evaluate, train_epoch
from trajtune.model.training.fit import fit
from trajtune.model.training.optimizer import create_optimizer
from trajtune.model.training.training_loss import training_loss
from trajtune.simulation.generator import num_titles
from trajtune.simulation.simulate import simulate

PROCESS = ProcessSettings(num_specialisations=60, foreign_share=0.0)
VOCAB_SIZE = num_titles(PROCESS) + 1
BARS = {32: 3.0, 256: 1.8}
MAX_MEGABYTES = 300.0


@dataclass(frozen=True)
class Size:
    """Size of the benchmark: careers, steps per turn, turns; and careers, epochs and seeds of the curves."""

    careers: int
    steps: int
    turns: int
    curve_careers: int
    curve_epochs: int
    curve_seeds: int


FULL = Size(50_000, 300, 9, 10_000, 4, 5)
QUICK = Size(50_000, 60, 5, 3_000, 3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use fewer steps, turns and seeds")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(megabytes_of_a_trial())
        return
    size = QUICK if options.quick else FULL
    torch.set_num_threads(1)
    arrays = simulated_arrays(size.careers, seed=0)
    results = [row for batch_size in BARS for row in speed(arrays, batch_size, size)]
    results += [row for batch_size in BARS for row in parts(arrays, batch_size, size.steps)]
    results += curves(size)
    # The peak memory of a process varies, so the median of several processes is used.
    megabytes = median(
        float(subprocess.check_output([sys.executable, __file__, "--memory"])) for _ in range(5)
    )
    results.append(
        result(
            "memory of a trial, 50,000 titles",
            megabytes,
            "MB",
            MAX_MEGABYTES,
            megabytes < MAX_MEGABYTES,
        )
    )
    for row in results:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:58} {row['value']:12,.3f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def speed(arrays: CareerArrays, batch_size: int, size: Size) -> list[dict[str, Any]]:
    """Return the seconds of an epoch of both loops and of a lower bound; medians over alternating turns."""
    params = RESEARCH_DEFAULT.model_copy(update={"batch_size": batch_size})
    ours, plain = our_steps(arrays, params), plain_steps(arrays, params)
    floor = floor_steps(batch_size)
    seconds: dict[str, list[float]] = {"ours": [], "plain": [], "floor": []}
    turns: dict[str, Iterator[None]] = {"ours": ours, "plain": plain, "floor": floor}
    for steps in turns.values():
        _time(steps, 5)
    for _ in range(size.turns):
        for name, steps in turns.items():
            seconds[name].append(_time(steps, size.steps) / size.steps)
    per_epoch = -(-arrays.num_careers // batch_size)
    ratio = median(p / o for p, o in zip(seconds["plain"], seconds["ours"], strict=True))
    label = f"batch {batch_size}"
    bar = BARS[batch_size]
    return [
        *(
            result(f"{label}: epoch, {name}", median(values) * per_epoch, "s")
            for name, values in seconds.items()
        ),
        result(f"{label}: plain / ours", ratio, "times", bar, ratio >= bar),
        result(f"{label}: floor / ours", median(seconds["floor"]) / median(seconds["ours"]), "share"),
    ]


def parts(arrays: CareerArrays, batch_size: int, steps: int) -> list[dict[str, Any]]:
    """Return the median milliseconds of each part of a step of trajtune."""
    params = RESEARCH_DEFAULT.model_copy(update={"batch_size": batch_size})
    torch.manual_seed(0)
    model = new_model(params, VOCAB_SIZE).train()
    optimizer = create_optimizer(model, params)
    loader, _ = create_dataloaders(params, arrays, arrays, VOCAB_SIZE, seed=0)
    spent: dict[str, list[float]] = {}
    for batch in islice(loader, steps):
        at = time.process_time()

        def part(name: str) -> None:
            nonlocal at
            now = time.process_time()
            spent.setdefault(name, []).append(1000 * (now - at))
            at = now

        table = model.title_table()
        embedded = nn.functional.embedding(batch.title_ids, table, padding_idx=0)
        state = model.final_state(embedded, batch.lengths)
        part("embedding and LSTM, forward")
        heads = model.tenure_head(state), model.hireability_head(state)
        logits = model._classify(state, table, batch.title_ids, batch.lengths)
        part("heads, forward")
        tenure = (batch.tenure_months - model.tenure_mean) / model.tenure_std
        loss = training_loss((logits, *heads), batch.next_title, tenure, batch.hireable, params)
        part("classifier's products, loss and their gradients")
        optimizer.zero_grad()
        loss.backward()
        part("backward through the rest")
        optimizer.step()
        part("Adam")
    return [result(f"batch {batch_size}: {name}", median(values), "ms") for name, values in spent.items()]


def curves(size: Size) -> list[dict[str, Any]]:
    """Return the difference in validation loss after each epoch, trajtune minus the plain loop."""
    train = simulated_arrays(size.curve_careers, seed=1)
    val = simulated_arrays(max(500, size.curve_careers // 5), seed=2)
    gaps: list[list[float]] = []
    for seed in range(size.curve_seeds):
        losses = [
            list(islice(loop(train, val, RESEARCH_DEFAULT, seed), size.curve_epochs))
            for loop in (our_epochs, plain_epochs)
        ]
        gaps.append([our - plain for our, plain in zip(*losses, strict=True)])
    rows = []
    for epoch, by_seed in enumerate(zip(*gaps, strict=True), start=1):
        spread = stdev(by_seed) / len(by_seed) ** 0.5
        rows.append(result(f"val loss after epoch {epoch}, ours - plain", mean(by_seed), "nats"))
        rows.append(result(f"val loss after epoch {epoch}, standard error of that", spread, "nats"))
    worst = mean(gap[-1] for gap in gaps)
    allowed = max(0.02, 2 * stdev(gap[-1] for gap in gaps) / len(gaps) ** 0.5)
    return [*rows, result("final val loss, ours - plain", worst, "nats", allowed, worst <= allowed)]


def our_steps(arrays: CareerArrays, params: Params) -> Iterator[None]:
    """Run the loop of `trajtune.model.training.fit`, one step at a time."""
    torch.manual_seed(0)
    model = new_model(params, VOCAB_SIZE).train()
    optimizer = create_optimizer(model, params)
    loader, _ = create_dataloaders(params, arrays, arrays, VOCAB_SIZE, seed=0)
    while True:
        for batch in loader:
            scores = model.scores(batch.title_ids, batch.lengths)
            tenure = (batch.tenure_months - model.tenure_mean) / model.tenure_std
            loss = training_loss(scores, batch.next_title, tenure, batch.hireable, params)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


class PlainDataset(Dataset[tuple[Tensor, ...]]):
    """A plain dataset with one tuple of tensors per career."""

    def __init__(self, arrays: CareerArrays) -> None:
        ids = torch.from_numpy(arrays.title_ids.astype(np.int64))
        self.items = [
            (ids[a : b - 1], ids[b - 1], torch.tensor(tenure), torch.tensor(hireable))
            for a, b, tenure, hireable in zip(
                arrays.offsets[:-1],
                arrays.offsets[1:],
                arrays.tenure_months[arrays.offsets[1:] - 1],
                arrays.hireable[arrays.offsets[1:] - 1],
                strict=True,
            )
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return self.items[index]


def collate(items: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    titles, targets, tenures, hireables = zip(*items, strict=True)
    lengths = torch.tensor([len(title) for title in titles])
    padded = pad_sequence(list(titles), batch_first=True)
    return padded, lengths, torch.stack(targets), torch.stack(tenures), torch.stack(hireables)


def plain_loader(arrays: CareerArrays, batch_size: int) -> "DataLoader[Any]":
    return DataLoader(PlainDataset(arrays), batch_size, shuffle=True, collate_fn=collate)


def plain_step(
    model: CareerTrajectoryLSTM, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, ...], params: Params
) -> float:
    titles, lengths, targets, tenures, hireables = batch
    scores = model.scores(titles, lengths)  # lengths given: pack_padded_sequence
    tenures = (tenures - model.tenure_mean) / model.tenure_std
    loss = plain_loss(scores, targets, tenures, hireables, params)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def plain_loss(
    scores: tuple[FactoredLogits, Tensor, Tensor],
    targets: Tensor,
    tenures: Tensor,
    hireables: Tensor,
    params: Params,
) -> Tensor:
    """Return the `training_loss` of the research default, written plainly with autograd."""
    factored, tenure, hireability = scores
    logits = factored.multiplied()
    known = ~tenures.isnan()
    tenure_error = (tenure - tenures.nan_to_num()[:, None]).square().mean(1)
    judged = ~hireables.isnan()
    outcome = nn.functional.binary_cross_entropy_with_logits(
        hireability.squeeze(1), hireables.nan_to_num(), reduction="none"
    )
    return (
        nn.functional.cross_entropy(logits, targets, ignore_index=0)
        + params.tenure_weight * (tenure_error * known).sum() / known.sum().clamp(min=1)
        + params.hireability_weight * (outcome * judged).sum() / judged.sum().clamp(min=1)
    )


def plain_steps(arrays: CareerArrays, params: Params) -> Iterator[None]:
    """Run the plain loop, one step at a time."""
    torch.manual_seed(0)
    model = new_model(params, VOCAB_SIZE).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=params.learning_rate)
    loader = plain_loader(arrays, params.batch_size)
    while True:
        for batch in loader:
            plain_step(model, optimizer, batch, params)
            yield


def floor_steps(batch_size: int) -> Iterator[None]:
    """Run a lower bound of a step: only its large matrix products and the memory traffic of the optimizer.

    These are the products of the classifier (one forward, two backward) and of the LSTM's input (likewise),
    for careers with four titles, and a fused Adam step over as many numbers as the model has.
    """
    params = RESEARCH_DEFAULT
    weights = torch.zeros(sum(w.numel() for w in new_model(params, VOCAB_SIZE).parameters()))
    weights = nn.Parameter(weights)
    weights.grad = torch.ones_like(weights)
    optimizer = torch.optim.Adam([weights], lr=0.0, fused=True)
    hidden, classifier = torch.ones(batch_size, 64), torch.ones(VOCAB_SIZE, 64)
    titles = torch.ones(4 * batch_size, params.embedding_dim)
    gates = torch.ones(8 * params.hidden_dim, params.embedding_dim)
    while True:
        logits = hidden @ classifier.T
        logits.T @ hidden
        logits @ classifier
        activations = titles @ gates.T
        activations.T @ titles
        activations @ gates
        optimizer.step()
        yield


def our_epochs(train: CareerArrays, val: CareerArrays, params: Params, seed: int) -> Iterator[float]:
    """Yield the validation loss after each epoch of trajtune."""
    torch.manual_seed(seed)
    model = new_model(params, VOCAB_SIZE)
    optimizer = create_optimizer(model, params)
    loader, val_loader = create_dataloaders(params, train, val, VOCAB_SIZE, seed=seed)
    while True:
        train_epoch(model, loader, optimizer, params)
        yield evaluate(model, val_loader)["val_next_role_nll"]


def plain_epochs(train: CareerArrays, val: CareerArrays, params: Params, seed: int) -> Iterator[float]:
    """Yield the validation loss after each epoch of the plain loop, from the same initial weights."""
    torch.manual_seed(seed)
    model = new_model(params, VOCAB_SIZE)
    optimizer = torch.optim.Adam(model.parameters(), lr=params.learning_rate)
    loader = plain_loader(train, params.batch_size)
    val_loader = Loader(val, examples_of(val, "last"), 512)
    while True:
        model.train()
        for batch in loader:
            plain_step(model, optimizer, batch, params)
        yield evaluate(model, val_loader)["val_next_role_nll"]


def megabytes_of_a_trial() -> float:
    """Return the growth of the peak memory by an epoch with 50,000 titles and its checkpoint."""

    def careers(vocab_size: int) -> CareerArrays:
        titles = np.random.default_rng(0).integers(1, vocab_size, 10_000).astype(np.int32)
        months = titles.astype(np.float32)
        offsets = np.arange(0, 10_001, 5)
        is_last = last_roles(offsets)
        return CareerArrays(titles, offsets, months, months, months % 2, titles, is_last)

    def train(vocab_size: int, folder: str) -> float:
        arrays = careers(vocab_size)
        result = next(fit(RESEARCH_DEFAULT, arrays, arrays, vocab_size, seed=0))
        save_checkpoint(result.checkpoint(copy=False), Path(folder) / "last.pt")
        return peak_megabytes()

    with tempfile.TemporaryDirectory() as folder:
        small = train(50, folder)
        return train(50_001, folder) - small


def peak_megabytes() -> float:
    """Return the peak resident memory of this program; `getrusage` would include the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def simulated_arrays(num_careers: int, seed: int) -> CareerArrays:
    """Return simulated careers with canonical titles, as arrays for training."""
    careers = simulate(num_careers, seed, PROCESS)
    months = ((careers.ends - careers.starts) / 30.4375).astype(np.float32)
    known = np.where(careers.held, np.nan, months).astype(np.float32)
    hireable = np.where(careers.held, np.nan, months >= 12).astype(np.float32)
    is_last = last_roles(careers.offsets)
    return CareerArrays(careers.titles + 1, careers.offsets, known, months, hireable, careers.starts, is_last)


def result(
    name: str, value: float, unit: str, bar: float | None = None, passed: bool | None = None
) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "bar": bar, "passed": passed}


def _time(steps: Iterator[None], number: int) -> float:
    began = time.process_time()
    for _ in islice(steps, number):
        pass
    return time.process_time() - began


if __name__ == "__main__":
    main()

"""Compare the sampled with the full softmax: the same model on the same careers for the same time.

The frequency of a title is proportional to one over its rank, and each title has four likely successors. For
each vocabulary size, the model is trained with the full softmax and with ``softmax_samples`` sampled titles,
one after the other on one core, for the same processor time. The result is measured with the full softmax.
With ``--optimizers``, AdamW over the whole title table is compared with lazy AdamW, both with sampled titles.
Usage, from the project's root:

    python -m benchmarks.softmax [--quick] [--json FILE] [--seconds S] [--sizes V ...] [--optimizers]
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.rows import result
from trajtune.dataset.arrays import CareerArrays, last_roles
from trajtune.experiment.params import Params
from trajtune.model.batches import create_dataloaders
from trajtune.model.checkpoint import new_model
from trajtune.model.training import titles_in_use
from trajtune.model.training.epoch import evaluate, train_epoch
from trajtune.model.training.optimizer import create_optimizer

SIZES = (20_000, 50_000, 200_000)
SECONDS = 120.0
TRAIN_CAREERS, VAL_CAREERS, ROLES = 200_000, 500, 5
SUCCESSORS = (0.4, 0.2, 0.1, 0.05)
"""Probabilities of the likely successors of a title; otherwise any title follows."""
EPOCHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use a small vocabulary for a few seconds")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="processor time of each training in seconds"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of titles")
    parser.add_argument("--optimizers", action="store_true", help="compare lazy with dense AdamW")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes, seconds = ((2_000,), 2.0) if options.quick else (options.sizes, options.seconds)
    if options.optimizers:
        rows = [row for size in sizes for row in optimizers_compared(size, 500 if options.quick else 5_000)]
    else:
        rows = [row for size in sizes for row in compared(size, seconds)]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def compared(num_titles: int, seconds: float) -> list[dict[str, Any]]:
    """Return the time of a step and the val NLL, with the full softmax and with samples."""
    train, val = careers(TRAIN_CAREERS, 0, num_titles), careers(VAL_CAREERS, 1, num_titles)
    rows: list[dict[str, Any]] = []
    for samples in (0, 2_048, 8_192):
        how = f"{samples:,} sampled" if samples else "all"
        milliseconds, nll = trained(train, val, num_titles, samples, seconds)
        name = f"{num_titles:,} titles, {how}"
        rows.append(result(f"{name}: a step of 256 examples", milliseconds, "ms"))
        rows.append(result(f"{name}: val NLL after {seconds:g} s", nll, "nats"))
        for row in rows[-2:]:
            print(f"{row['name']:66} {row['value']:10.3f} {row['unit']}", file=sys.stderr, flush=True)
    return rows


def trained(
    train: CareerArrays, val: CareerArrays, num_titles: int, samples: int, seconds: float
) -> tuple[float, float]:
    """Return the milliseconds of a step, and the val NLL after the given seconds."""
    # The random titles have no words, and a schedule would need the number of steps in advance.
    params = Params(title_vectors="id", batch_size=256, schedule="constant", softmax_samples=samples)
    torch.manual_seed(0)
    model = new_model(params, num_titles)
    optimizer = create_optimizer(model, params)
    batches, val_batches = create_dataloaders(params, train, val, num_titles, seed=0)
    # Lazy AdamW brings the whole table up to date after each turn, as after an epoch.
    turn_size = 50 if samples else 5
    spent, steps = 0.0, 0
    while spent < seconds:
        turn: list[Any] = []
        for batch in batches:
            turn.append(batch)
            if len(turn) == turn_size:
                began = time.process_time()
                train_epoch(model, turn, optimizer, params)  # type: ignore[arg-type]
                spent, steps, turn = spent + time.process_time() - began, steps + turn_size, []
                if spent >= seconds:
                    break
    nll = evaluate(model, val_batches)["val_next_role_nll"]
    assert nll is not None
    return 1_000 * spent / steps, nll


def optimizers_compared(num_titles: int, num_careers: int) -> list[dict[str, Any]]:
    """Return the val NLL of lazy and of dense AdamW after ten epochs, and of dense AdamW after equal time."""
    train, val = careers(num_careers, 0, num_titles), careers(VAL_CAREERS, 1, num_titles)
    found = {
        name: list(epochs(train, val, num_titles, least)) for name, least in (("lazy", 0), ("dense", 10**9))
    }
    (lazy_s, lazy_nll), (dense_s, dense_nll) = found["lazy"][-1], found["dense"][-1]
    in_time = [nll for seconds, nll in found["dense"] if seconds <= lazy_s]
    name = f"{num_titles:,} titles, {num_careers:,} careers"
    rows = [
        result(f"{name}: {EPOCHS} epochs, lazy AdamW", lazy_s, "s"),
        result(f"{name}: {EPOCHS} epochs, dense AdamW", dense_s, "s"),
        result(f"{name}: dense / lazy", dense_s / lazy_s, "times"),
        result(f"{name}: val NLL after {EPOCHS} epochs, lazy", lazy_nll, "nats"),
        result(f"{name}: val NLL after {EPOCHS} epochs, dense", dense_nll, "nats"),
        result(
            f"{name}: best val NLL in the time of lazy, lazy", min(nll for _, nll in found["lazy"]), "nats"
        ),
        result(f"{name}: best val NLL in the time of lazy, dense", min(in_time, default=math.nan), "nats"),
    ]
    for row in rows:
        print(f"{row['name']:66} {row['value']:10.3f} {row['unit']}", file=sys.stderr, flush=True)
    return rows


def epochs(
    train: CareerArrays, val: CareerArrays, num_titles: int, min_titles: int
) -> Iterator[tuple[float, float]]:
    """Yield the processor time so far and the val NLL after each epoch.

    Args:
        train, val: Careers.
        num_titles: Size of the vocabulary.
        min_titles: Size of the vocabulary from which AdamW is lazy.
    """
    # Without dropout, both optimizers see the same random numbers.
    params = Params(
        title_vectors="id",
        dropout=0.0,
        schedule="constant",
        max_epochs=EPOCHS,
        batch_size=256,
        softmax_samples=2_048,
    )
    torch.manual_seed(0)
    model = new_model(params, num_titles)
    optimizer = create_optimizer(model, params)
    batches, val_batches = create_dataloaders(params, train, val, num_titles, seed=0)
    spent, before = 0.0, titles_in_use.MIN_TITLES
    for epoch in range(1, EPOCHS + 1):
        titles_in_use.MIN_TITLES = min_titles  # type: ignore[misc]
        began = time.process_time()
        train_epoch(model, batches, optimizer, params, epoch=epoch)
        spent += time.process_time() - began
        titles_in_use.MIN_TITLES = before  # type: ignore[misc]
        nll = evaluate(model, val_batches)["val_next_role_nll"]
        assert nll is not None
        yield spent, nll


def careers(number: int, seed: int, num_titles: int) -> CareerArrays:
    """Return careers with `ROLES` roles; the successors are the same for every seed."""
    random = np.random.default_rng(seed)
    likely = _drawn(np.random.default_rng(7), num_titles * len(SUCCESSORS), num_titles).reshape(
        num_titles, -1
    )
    titles = np.empty((number, ROLES), np.int64)
    titles[:, 0] = _drawn(random, number, num_titles)
    for role in range(1, ROLES):
        which = np.searchsorted(np.cumsum(SUCCESSORS), random.random(number), side="right")
        is_likely = which < len(SUCCESSORS)
        follows = likely[titles[:, role - 1], np.where(is_likely, which, 0)]
        titles[:, role] = np.where(is_likely, follows, _drawn(random, number, num_titles))
    months = random.lognormal(2.5, 0.4, titles.size).astype(np.float32)
    offsets = np.arange(0, titles.size + 1, ROLES)
    return CareerArrays(
        titles.ravel().astype(np.int32),
        offsets,
        months,
        months,
        (months > 12).astype(np.float32),
        np.zeros(titles.size, np.int32),
        last_roles(offsets),
    )


def _drawn(random: np.random.Generator, number: int, num_titles: int) -> NDArray[np.int64]:
    """Draw titles from 1, each with a frequency of about one over its rank."""
    return np.clip(np.exp(random.random(number) * math.log(num_titles)).astype(np.int64), 1, num_titles - 1)


if __name__ == "__main__":
    main()

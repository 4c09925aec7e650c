"""Measure whether early stopping keeps the best trial: part (c) (i) of `benchmarks.search`.

Random points of a space are trained fully. The epochs at which early stopping would have ended each of them
are then replayed from the recorded values, one trial after another, with the experiment's pruner. A stopped
trial has the values of the same epochs as the full one, so nothing is trained twice. The winner is the trial
with the best value of any epoch, as in a search.
Usage, from the project's root:

    python -m benchmarks.early_stopping [--quick] [--careers N] [--seeds N] [--json FILE]
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import optuna
import ray
import torch
from optuna.samplers import RandomSampler

from benchmarks.rows import result
from trajtune.cluster import ray_session
from trajtune.dataset.prepare import prepare
from trajtune.experiment.load import validate
from trajtune.experiment.params import Params
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space, load_space
from trajtune.model.network.title_words import words_of
from trajtune.model.training.fit import fit
from trajtune.searching.study.pruner import make_pruner
from trajtune.searching.study.suggestion import suggest

CONCURRENT = 2
SPACES = ("around_default", "wide")
MAX_LOSS = 0.005
MAX_SHARE_OF_EPOCHS = 0.75
NOISE_SEEDS = 3
METRIC = "val_next_role_nll"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="use few points and careers, and one seed")
    parser.add_argument("--careers", type=int, default=2_000, help="number of simulated careers")
    parser.add_argument("--seeds", type=int, default=5, help="number of sets of random points")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    sizes = (500, 6, 1) if options.quick else (options.careers, 30, options.seeds)
    with tempfile.TemporaryDirectory() as folder, ray_session(num_cpus=CONCURRENT):
        rows = [row for space in SPACES for row in keeps_the_best(Path(folder), space, *sizes)]
    for row in rows:
        bar = "" if row["bar"] is None else f"  bar {row['bar']:g}  {'passed' if row['passed'] else 'MISSED'}"
        print(f"{row['name']:78} {row['value']:8.4f} {row['unit']}{bar}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


@dataclass(frozen=True)
class Replay:
    """What early stopping does to trials that were trained fully.

    Attributes:
        loss: Best value of the winner of the stopped trials, when it is trained fully, minus the best value.
        epochs: Epochs of the stopped trials, as a share of those of the full ones.
        stopped: Trials that were stopped.
    """

    loss: float
    epochs: float
    stopped: int


def replayed(curves: Sequence[Sequence[float]], experiment: Experiment) -> Replay:
    """Return what the experiment's pruner does to trials with these values by epoch, in this order."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = make_pruner(experiment.search.pruner, experiment.training.max_epochs)
    study = optuna.create_study(pruner=pruner)
    seen: list[list[float]] = []
    for curve in curves:
        trial = study.ask()
        own: list[float] = []
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
            own.append(value)
            # As in a search, a trial is not stopped after its last epoch.
            if epoch < experiment.training.max_epochs and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, min(own))
        seen.append(own)
    winner = min(range(len(seen)), key=lambda number: min(seen[number]))
    best = min(min(curve) for curve in curves)
    return Replay(
        loss=min(curves[winner]) - best,
        epochs=sum(map(len, seen)) / sum(map(len, curves)),
        stopped=sum(len(own) < len(curve) for own, curve in zip(seen, curves, strict=True)),
    )


def random_points(space: Space, base: Params, number: int, seed: int) -> list[Params]:
    """Return random points of a space, as `sampler: random` draws them."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=RandomSampler(seed=seed))
    return [space.resolve(base, suggest(study.ask(), space)) for _ in range(number)]


def keeps_the_best(
    directory: Path, space: str, careers: int, points: int, seeds: int
) -> list[dict[str, Any]]:
    """Return the loss by early stopping and its share of the epochs, for each seed of the points."""
    content = {
        "source": {"kind": "simulated", "careers": careers},
        "storage": {"snapshots": str(directory / "snapshots")},
    }
    experiment = validate(Experiment, content, "benchmark")
    snapshot, loaded = prepare(experiment), load_space(space)
    train, val = (ray.put(snapshot.read(split).arrays) for split in ("train", "val"))
    encoder = snapshot.encoder()
    words = ray.put(words_of(encoder))

    @ray.remote(num_cpus=1)
    def curve(params: Params, train: Any, val: Any, words: Any, seed: int) -> list[float]:
        torch.set_num_threads(1)
        epochs = fit(params, train, val, encoder.vocab_size, seed=seed, title_words=words)
        return [float(epoch.metrics[METRIC] or "nan") for epoch in epochs]

    noise = stdev(
        min(values)
        for values in ray.get(
            [curve.remote(experiment.training, train, val, words, 100 + seed) for seed in range(NOISE_SEEDS)]
        )
    )
    name = f"{space}, {careers:,} careers, {points} points"
    rows, found = [result(f"{name}: standard deviation between seeds", noise, "nats")], []
    for seed in range(seeds):
        drawn = random_points(loaded, experiment.training, points, seed)
        curves = ray.get([curve.remote(params, train, val, words, 0) for params in drawn])
        found.append(replay := replayed(curves, experiment))
        kept = max(MAX_LOSS, noise)
        rows += [
            result(f"{name}, seed {seed}: loss of the winner", replay.loss, "nats", most=kept),
            result(f"{name}, seed {seed}: epochs", replay.epochs, "share", most=MAX_SHARE_OF_EPOCHS),
        ]
        print(f"{name}, seed {seed}: {replay}", flush=True)
    return [
        *rows,
        result(f"{name}: loss of the winner, mean of {seeds}", mean(each.loss for each in found), "nats"),
        result(f"{name}: epochs, mean of {seeds}", mean(each.epochs for each in found), "share"),
    ]


if __name__ == "__main__":
    main()

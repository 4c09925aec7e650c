"""The split rules on the same test moves: which rule's training predicts what came next.

The cutoffs are the same for all rules: those before which 70 % and 85 % of all moves began. The test moves
are each person's last move, if it began at or after the val cutoff, with all roles before it as input. For
each rule the default params are trained on its train, the best epoch is chosen on its val, and the test moves
are predicted. The test moves whose target every rule's vocabulary holds are compared.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.real_sets import experiment_of
from benchmarks.rows import result
from trajtune.careers.read import load_career_sequences
from trajtune.careers.schema import LoadedCareers
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.encode import encode_split
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.split import last_days, split_dates
from trajtune.experiment.params import Params
from trajtune.experiment.settings import DataSettings, Experiment
from trajtune.finalize.evaluate.bootstrap import gain
from trajtune.model.checkpoint import build_model
from trajtune.model.metrics import next_role
from trajtune.model.network.title_vectors import words_of
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions
from trajtune.model.training.fit import fit

SHARES: Final = (0.70, 0.85)
"""Shares of all moves that began before each cutoff."""

Row = dict[str, Any]


def compare_rules(name: str, rules: Sequence[str], directory: Path, num_seeds: int) -> Iterator[Row]:
    """Log-loss and top-1 of each rule on the same moves, mean over seeds."""
    experiment = experiment_of(name, directory)
    with ray_session():
        loaded = load_career_sequences(experiment.source, experiment.data)
    cutoffs = move_cutoffs(loaded.careers)
    began = split_dates(loaded.careers, "transition")
    moves = loaded.careers.filter(pa.array(began >= np.datetime64(cutoffs[1])))
    found = {}
    for rule in rules:
        split = {"by": rule, "train_cutoff": cutoffs[0], "val_cutoff": cutoffs[1]}
        snapshot = snapshot_of(loaded, experiment_of(name, directory, split=split))
        found[rule] = [predicted(snapshot, moves, loaded, experiment, seed) for seed in range(num_seeds)]
    known = np.all([seeds[0].target != 0 for seeds in found.values()], axis=0)
    for text, value, unit in (("test moves", len(moves), "moves"), ("compared", known.sum(), "moves")):
        yield {**result(f"{text} from {cutoffs[1]}", int(value), unit), "metric": "moves", "row": text}
    for rule, seeds in found.items():
        compared = [next_role(predictions.take(known)) for predictions in seeds]
        for metric, unit in (("nll", "nats"), ("top1", "share")):
            value = float(np.mean([scores[metric] or 0.0 for scores in compared]))
            yield {**result(f"{metric}: split.by {rule}", value, unit), "metric": metric, "row": rule}
        unseen = float((seeds[0].target == 0).mean())
        yield {**result(f"unseen: split.by {rule}", unseen, "share"), "metric": "unseen", "row": rule}
    yield from gains(found, known)


def gains(found: dict[str, list[Predictions]], known: NDArray[np.bool_]) -> Iterator[Row]:
    """What the last rule gains over each other one, with the first seed and 95 % intervals."""
    *others, last = found
    for rule in others:
        over = gain(found[last][0].take(known), found[rule][0].take(known))["nll"]
        if over:
            row = result(f"nll gain of {last} over {rule}", over["gain"], "nats")
            yield {**row, "metric": "nll gain", "row": f"{last} over {rule}", **over}


def predicted(
    snapshot: Snapshot, moves: pa.Table, loaded: LoadedCareers, experiment: Experiment, seed: int
) -> Predictions:
    """Train the default params on a snapshot and predict the moves with its vocabulary."""
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    encoder = snapshot.encoder()
    best: dict[str, Any] = {}
    for epoch in fit(Params(), train, val, encoder.vocab_size, seed=seed, title_words=words_of(encoder)):
        if epoch.best_epoch == epoch.epoch:
            best = epoch.checkpoint()
    settings: DataSettings = experiment.data
    asked = encode_split(moves, encoder, settings, observed=loaded.as_of, as_of=loaded.as_of).arrays
    return predict(build_model(best), asked, examples_of(asked, "last"))


def move_cutoffs(careers: pa.Table) -> tuple[date, date]:
    """Dates before which `SHARES` of all moves began; a coarse date counts as its last day."""
    starts, precisions = (careers[name].combine_chunks() for name in ("starts", "precisions"))
    days = np.asarray(starts.flatten().to_numpy(zero_copy_only=False)).astype("datetime64[D]")
    days = last_days(days, precisions.flatten().to_numpy(zero_copy_only=False))
    is_first = np.zeros(len(days), np.bool_)
    offsets = np.asarray(starts.offsets)
    is_first[offsets[:-1] - offsets[0]] = True
    ordered = np.sort(days[~is_first])
    train, val = (ordered[int(share * len(ordered))] for share in SHARES)
    if val <= train:  # many moves on one day
        val = ordered[ordered > train][0]
    return train.astype(date), val.astype(date)

"""Compare the split rules on the same test moves.

All rules have the same cutoffs, which are those of ``auto`` for ``move``. The test moves are the test split
of ``move``: each person's last move, if it began at or after the val cutoff, with all earlier roles. For each
rule, the default params are trained on its train, the best epoch is chosen on its val, and the test moves are
predicted. Only test moves whose target is in the vocabulary of every rule are compared.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_sets import experiment_of
from benchmarks.rows import result
from trajtune.careers.read import load_career_sequences
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.encode import SplitData
from trajtune.dataset.prepare import snapshot_of
from trajtune.dataset.snapshot import Snapshot
from trajtune.dataset.test_split import open_test_split
from trajtune.errors import SplitError
from trajtune.experiment.params import Params
from trajtune.finalizing.evaluate.bootstrap import gain
from trajtune.model.checkpoint import build_model
from trajtune.model.metrics import next_role
from trajtune.model.network.title_words import words_of
from trajtune.model.predict import predict
from trajtune.model.predictions import Predictions
from trajtune.model.training.fit import fit

Row = dict[str, Any]


def compare_rules(name: str, rules: Sequence[str], directory: Path, num_seeds: int) -> Iterator[Row]:
    """Yield log-loss and top-1 of each rule on the same moves, as means over seeds.

    Rules that cannot split the careers are skipped.
    """
    experiment = experiment_of(name, directory, split={"by": "move"})
    with ray_session():
        loaded = load_career_sequences(experiment.source, experiment.data)
    by_move = snapshot_of(loaded, experiment)
    cutoffs = {f"{split}_cutoff": day for split, day in by_move.manifest["cutoffs"].items()}
    moves = open_test_split(by_move, run=name, purpose="benchmark of split rules")
    found = {}
    for rule in rules:
        try:
            snapshot = snapshot_of(loaded, experiment_of(name, directory, split={"by": rule, **cutoffs}))
        except SplitError as error:
            print(f"{name} cannot be split by {rule}: {error}", file=sys.stderr, flush=True)
            continue
        found[rule] = [predicted(snapshot, moves, seed) for seed in range(num_seeds)]
    known = np.all([seeds[0].target != 0 for seeds in found.values()], axis=0)
    for text, value, unit in (("test moves", len(known), "moves"), ("compared", known.sum(), "moves")):
        yield {**result(text, int(value), unit), "metric": "moves", "row": text, **cutoffs}
    for rule, seeds in found.items():
        compared = [next_role(predictions.take(known)) for predictions in seeds]
        for metric, unit in (("nll", "nats"), ("top1", "share")):
            value = float(np.mean([scores[metric] or 0.0 for scores in compared]))
            yield {**result(f"{metric}: split.by {rule}", value, unit), "metric": metric, "row": rule}
        unseen = float((seeds[0].target == 0).mean())
        yield {**result(f"unseen: split.by {rule}", unseen, "share"), "metric": "unseen", "row": rule}
    yield from gains(found, known)


def gains(found: dict[str, list[Predictions]], known: NDArray[np.bool_]) -> Iterator[Row]:
    """Yield the gains of the last rule over each other rule, with the first seed and 95 % intervals."""
    *others, last = found
    for rule in others:
        over = gain(found[last][0].take(known), found[rule][0].take(known))["nll"]
        if over:
            row = result(f"nll gain of {last} over {rule}", over["gain"], "nats")
            yield {**row, "metric": "nll gain", "row": f"{last} over {rule}", **over}


def predicted(snapshot: Snapshot, moves: SplitData, seed: int) -> Predictions:
    """Train the default params on a snapshot and predict the moves with its vocabulary."""
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    encoder = snapshot.encoder()
    best: dict[str, Any] = {}
    for epoch in fit(Params(), train, val, encoder.vocab_size, seed=seed, title_words=words_of(encoder)):
        if epoch.best_epoch == epoch.epoch:
            best = epoch.checkpoint()
    ids = [encoder.encode(title) for title in moves.titles.flatten().to_pylist()]
    asked = replace(moves.arrays, title_ids=np.array(ids, np.int32))
    return predict(build_model(best), asked, examples_of(asked, "last"))

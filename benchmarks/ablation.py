"""Measure the effect of each option of the model and its training, on real and on simulated careers.

For each set, these variants are measured: the product's defaults, the defaults with one option changed, and
the research default. Each variant is trained on train and measured on val at its best epoch, as the mean of
two seeds. Simulated careers also have their Bayes limit. ``--steps`` adds the steps from the research default
to the defaults, one option at a time. ``--compare-splits`` compares the split rules instead, on the same test
moves; see `benchmarks.split_rules`. Rows that are already in the JSON file are not measured again, so an
interrupted run can be continued. Snapshots are written to ``real/``. Usage, from the project's root:

    python -m benchmarks.ablation [--quick] [--sets NAME ...] [--split RULE] [--steps] [--compare-splits]
        [--json FILE] [--markdown FILE]
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import torch

from benchmarks.real_sets import QUICK_SETS, SETS, WORK, skip_without_data, snapshot_by
from benchmarks.rows import result
from benchmarks.split_rules import compare_rules
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import TrajtuneError
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.settings import SplitSettings
from trajtune.model.baselines.bayes import bayes_predictions, has_bayes_optimum
from trajtune.model.metrics import Metrics, next_role
from trajtune.model.network.title_words import words_of
from trajtune.model.training.fit import fit
from trajtune.storage.atomic import write_atomically

SEEDS: Final = 2
RULES: Final[tuple[str, ...]] = get_args(SplitSettings.model_fields["by"].annotation)

OTHER_VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "examples": ("every_transition", "last"),
    "recency_half_life": (RESEARCH_DEFAULT.model_dump().get("recency_half_life"), 5.0, 20.0),
    "copy_head": (True, False),
    "career_start": (True, False),
    "tie_weights": (True, False),
    "skip_last_title": (True, False),
    "title_changes": (True, False),
    "repeat_gate": (True, False),
    "title_vectors": ("id", "id_and_words"),
    "weight_decay": (0.0, 0.3, 1.0),
    "decay_embeddings": (True, False),
    "embedding_dropout": (0.0, 0.2),
    "schedule": ("constant", "cosine", "one_cycle"),
    "batch_size": (32, 128),
}
"""Options and their values. The value of the defaults is skipped, and so are options that no longer exist."""

Row = dict[str, Any]
Measure = Callable[[], Iterator[Row]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only two small sets, one seed and few variants")
    parser.add_argument("--sets", nargs="+", choices=SETS, help="sets to measure; default: all")
    parser.add_argument("--split", choices=RULES, default=SplitSettings().by, help="split rule")
    parser.add_argument(
        "--steps", action="store_true", help="also measure the steps from the research default"
    )
    parser.add_argument("--compare-splits", action="store_true", help="compare the split rules instead")
    parser.add_argument(
        "--json", type=Path, default=Path("ablation.json"), help="file of the results; its rows are kept"
    )
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    skip_without_data()
    torch.set_num_threads(1)
    seeds = 1 if options.quick else SEEDS
    rows: list[Row] = json.loads(options.json.read_text()) if options.json.is_file() else []
    shown: list[Row] = []
    for name in options.sets or (QUICK_SETS if options.quick else SETS):
        split = "compared" if options.compare_splits else options.split
        try:
            for variant, measure in measures_of(name, seeds, options).items():
                own = {"set": name, "split": split, "seeds": seeds, "variant": variant}
                if not any(own.items() <= row.items() for row in rows):
                    rows += [{**own, **row} for row in measure()]
                    write_atomically(options.json, f"{json.dumps(rows, indent=2)}\n".encode())
                found = [row for row in rows if own.items() <= row.items()]
                show(found)
                shown += found
        except TrajtuneError as error:
            print(f"No result for {name}: {error}", file=sys.stderr, flush=True)
    if options.markdown:
        options.markdown.write_text(markdown(shown), encoding="utf-8")


def measures_of(name: str, seeds: int, options: argparse.Namespace) -> dict[str, Measure]:
    """Return the measurements on a set, by name."""
    if options.compare_splits:
        return {"split rules": partial(compare_rules, name, RULES, WORK, seeds)}
    snapshot = snapshot_by(name, options.split, WORK)
    measures: dict[str, Measure] = {}
    if has_bayes_optimum(snapshot.manifest):
        measures["Bayes limit"] = partial(limit, snapshot)
    for variant, params in variants(quick=options.quick, steps=options.steps):
        measures[variant] = partial(trained, variant, params, snapshot, seeds)
    return measures


def variants(*, quick: bool = False, steps: bool = False) -> Iterator[tuple[str, Params]]:
    """Yield the research default, optionally the steps from it, the defaults and single changes of them."""
    defaults = Params()
    yield "research default", RESEARCH_DEFAULT
    if steps:
        yield from way_to(defaults)
    yield "defaults", defaults
    for option, values in list(OTHER_VALUES.items())[: 2 if quick else None]:
        if option not in Params.model_fields:
            continue
        for value in values:
            if value != getattr(defaults, option):
                yield described(option, value), defaults.model_copy(update={option: value})


def way_to(defaults: Params) -> Iterator[tuple[str, Params]]:
    """Yield the params from the research default to the defaults, one option at a time."""
    params = RESEARCH_DEFAULT
    for option in Params.model_fields:
        value = getattr(defaults, option)
        if value != getattr(params, option):
            params = params.model_copy(update={option: value})
            yield f"+ {described(option, value)}", params


def described(option: str, value: object) -> str:
    """Return an option and its value as a text."""
    if isinstance(value, bool):
        return f"{'with' if value else 'without'} {option}"
    return f"{option}: {value}"


def trained(name: str, params: Params, snapshot: Snapshot, seeds: int) -> Iterator[Row]:
    """Yield log-loss and top-1 accuracy on val at the best epoch, as means over seeds."""
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    encoder = snapshot.encoder()
    best: list[tuple[float, float]] = []
    for seed in range(seeds):
        epochs = fit(params, train, val, encoder.vocab_size, seed=seed, title_words=words_of(encoder))
        scores = [next_role_on_val(epoch.metrics) for epoch in epochs]
        best.append(min(scores))
    yield from of_variant(name, *np.mean(best, 0).tolist())


def next_role_on_val(metrics: Metrics) -> tuple[float, float]:
    """Return the log-loss and top-1 accuracy of an epoch."""
    nll, top1 = metrics["val_next_role_nll"], metrics["val_top1"]
    assert nll is not None
    assert top1 is not None
    return nll, top1


def limit(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the metrics of the Bayes optimum on val of simulated careers."""
    best = bayes_predictions(snapshot.manifest, snapshot.read("val"), "val", snapshot.encoder(), coverage=0.8)
    found = next_role(best.predictions)
    yield from of_variant("Bayes limit", found["nll"] or 0.0, found["top1"] or 0.0)


def of_variant(name: str, nll: float, top1: float) -> Iterator[Row]:
    yield {**result(f"nll: {name}", nll, "nats"), "metric": "nll", "row": name}
    yield {**result(f"top1: {name}", top1, "share"), "metric": "top1", "row": name}


def show(rows: list[Row]) -> None:
    for row in rows:
        print(f"{row['set']:20} {row['name']:50} {row['value']:8.3f} {row['unit']}", flush=True)


def markdown(rows: list[Row]) -> str:
    """Return a table with a row for each variant and two columns for each set."""
    columns = list(dict.fromkeys((row["set"], row["metric"]) for row in rows))
    values = {(row["row"], row["set"], row["metric"]): row["value"] for row in rows}
    lines = [
        "| | " + " | ".join(f"{name}: {metric}" for name, metric in columns) + " |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for name in dict.fromkeys(row["row"] for row in rows):
        cells = [f"{values[name, *column]:.3f}" if (name, *column) in values else "" for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

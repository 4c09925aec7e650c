"""Measure the processor time of the counting baselines on simulated careers, on one thread.

Usage, from the project's root:

    python -m benchmarks.baselines [--quick] [--json FILE] [--careers N]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from benchmarks.rows import result
from benchmarks.training import VOCAB_SIZE, simulated_arrays
from trajtune.dataset.arrays import examples_of
from trajtune.model.baselines.baselines import markov
from trajtune.model.baselines.ngram import MAX_VAL_CAREERS, choose_ngram, ngram

T = TypeVar("T")
CAREERS, QUICK_CAREERS = 1_000_000, 20_000
MAX_SECONDS = 20.0
"""Bar for choosing and fitting `ngram` on a million careers, in seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CAREERS:,} careers")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--careers", type=int, default=CAREERS, help="number of train careers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = measured(QUICK_CAREERS if options.quick else options.careers)
    for row in rows:
        print(f"{row['name']:60} {row['value']:10.2f} {row['unit']}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def measured(num_careers: int) -> list[dict[str, Any]]:
    """Return the seconds of each step."""
    train, val = simulated_arrays(num_careers, 0), simulated_arrays(MAX_VAL_CAREERS, 1)
    examples = examples_of(val, "last")
    choosing, choice = seconds(lambda: choose_ngram(train, val, VOCAB_SIZE))
    print(choice.in_words(), file=sys.stderr)
    fitting, fitted = seconds(lambda: ngram(train, VOCAB_SIZE, choice))
    predicting, _ = seconds(lambda: fitted.predict(val, examples))
    first_order, _ = seconds(lambda: markov(train, VOCAB_SIZE))
    size = f"{num_careers:,} careers"
    together = f"ngram, choosing and fitting: {size}"
    return [
        result(f"ngram, choosing: {size}", choosing, "s"),
        result(f"ngram, fitting: {size}", fitting, "s"),
        result(together, choosing + fitting, "s", most=MAX_SECONDS),
        result(f"ngram, predicting: {MAX_VAL_CAREERS:,} careers", predicting, "s"),
        result(f"markov, fitting: {size}", first_order, "s"),
    ]


def seconds(work: Callable[[], T]) -> tuple[float, T]:
    """Return the processor time of a function call and its result."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


if __name__ == "__main__":
    main()

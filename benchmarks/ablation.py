"""What each option of the model and its training is worth, on simulated careers with a known limit.

Every option alone and all of the architecture together, trained on the same careers and compared on
the last transitions of others, beside the Markov baselines and the Bayes limit. Usage:

    python benchmarks/ablation.py [--quick] [--json FILE]
"""

import argparse
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trajtune.careers.limit import limit
from trajtune.careers.process import NUM_LEVELS, num_titles
from trajtune.careers.selection import Window
from trajtune.careers.simulate import SimulatedCareers, simulate
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment import RESEARCH_DEFAULT, Params, ProcessSettings
from trajtune.model.baselines import markov, markov2
from trajtune.model.fit import fit
from trajtune.model.metrics import next_role_metrics
from trajtune.model.title_vectors import TitleWords, number_words

PROCESS = ProcessSettings(foreign_share=0.0)
VOCAB_SIZE = num_titles(PROCESS) + 1
# Every option is off in the research default; all variants learn from every transition, with our own loss.
BASE = RESEARCH_DEFAULT.model_copy(
    update={
        "batch_size": 128,
        "max_epochs": 30,
        "patience": 3,
        "examples": "every_transition",
        "tenure_loss": "pinball",
    }
)
PATHS = {"tie_weights": True, "skip_last_title": True}
WORDS = {**PATHS, "title_vectors": "id_and_words"}
VARIANTS: dict[str, dict[str, Any]] = {
    "last transitions alone": {"examples": "last"},
    "every transition": {},
    "tie_weights": {"tie_weights": True},
    "skip_last_title": {"skip_last_title": True},
    "markov_prior": {"markov_prior": True},
    "title_vectors": {"title_vectors": "id_and_words"},
    "tied, skip": PATHS,
    "tied, skip, prior": {**PATHS, "markov_prior": True},
    "tied, skip, words": WORDS,
    "tied, skip, words, prior": {**WORDS, "markov_prior": True},
    "tied, skip, words, embedding_dropout 0.3": {**WORDS, "embedding_dropout": 0.3},
    "tied, skip, words, dropout 0.3": {**WORDS, "dropout": 0.3},
    "tied, skip, words, weight_decay 0.1": {**WORDS, "weight_decay": 0.1},
    "tied, skip, words, label_smoothing 0.1": {**WORDS, "label_smoothing": 0.1},
    "tied, skip, words, one_cycle of 10 epochs": {**WORDS, "schedule": "one_cycle", "max_epochs": 10},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3,000 careers and one seed")
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = []
    for row in compare(*((3_000, 1) if options.quick else (20_000, 3))):
        print(f"{row['name']:58} {row['value']:8.3f} {row['unit']}", flush=True)
        results.append(row)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def compare(num_careers: int, num_seeds: int) -> Iterator[dict[str, Any]]:
    """Log-loss of the limit, the baselines and each variant, its best epoch, mean over seeds."""
    num_val = max(1_000, num_careers // 5)
    careers = simulate(num_careers + num_val, 0, PROCESS)
    train, val = arrays_of(careers, 0, num_careers), arrays_of(careers, num_careers, len(careers))
    words = words_of_process()
    everything = Window(date(1900, 1, 1), None, PROCESS.as_of)
    best = limit(PROCESS, val.title_ids.astype(np.int64) - 1, val.offsets, everything)
    yield result(f"{num_careers:,} careers: Bayes limit", float(best.nll.mean()))
    for baseline in (markov(train, VOCAB_SIZE), markov2(train, VOCAB_SIZE)):
        nll = next_role_metrics(baseline.predict(val, examples_of(val, "last")))["next_role_nll"]
        assert nll is not None
        yield result(f"{num_careers:,} careers: {baseline.name}", nll)
    for name, options in VARIANTS.items():
        params = BASE.model_copy(update=options)
        found = [best_nll(params, train, val, words, seed) for seed in range(num_seeds)]
        yield result(f"{num_careers:,} careers: {name}", float(np.mean(found)))


def best_nll(params: Params, train: CareerArrays, val: CareerArrays, words: TitleWords, seed: int) -> float:
    epochs = fit(params, train, val, VOCAB_SIZE, seed=seed, title_words=words)
    return min(epoch.metrics["val_next_role_nll"] for epoch in epochs)


def arrays_of(careers: SimulatedCareers, first: int, end: int) -> CareerArrays:
    """Some of the careers as training reads them, with their canonical titles."""
    offsets = careers.offsets[first : end + 1]
    roles = slice(offsets[0], offsets[-1])
    months = ((careers.ends - careers.starts)[roles] / 30.4375).astype(np.float32)
    held = careers.held[roles]
    return CareerArrays(
        title_ids=careers.titles[roles] + 1,
        offsets=offsets - offsets[0],
        tenure_months=np.where(held, np.nan, months).astype(np.float32),
        tenure_at_least=months,
        hireable=np.where(held, np.nan, months >= 12).astype(np.float32),
    )


def words_of_process() -> TitleWords:
    """Each title's family, specialisation and level, as if they were its words."""
    size = PROCESS.num_specialisations * NUM_LEVELS
    return number_words(
        [
            [
                f"family {title // size}",
                f"specialisation {title // NUM_LEVELS}",
                f"level {title % NUM_LEVELS}",
            ]
            for title in range(VOCAB_SIZE - 1)
        ]
    )


def result(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "nats", "bar": None, "passed": None}


if __name__ == "__main__":
    main()

"""What each option of the model and its training is worth, on simulated careers with a known limit.

From the research default by one step at a time to our defaults, then our defaults without each option and
with each that they leave off: trained on the same careers and compared on the last transitions of others,
beside the Markov baselines and the Bayes limit. Usage:

    python benchmarks/ablation.py [--quick] [--json FILE] [--markdown FILE] [--sizes N ...]
"""

import argparse
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.sources import ProcessSettings
from trajtune.model.baselines.baselines import markov, markov2
from trajtune.model.metrics import next_role_metrics
from trajtune.model.network.title_vectors import TitleWords, number_words
from trajtune.model.training.fit import fit
from trajtune.simulation.bayes_optimum import bayes_optimum
from trajtune.simulation.generator import NUM_LEVELS, num_titles
from trajtune.simulation.simulate import SimulatedCareers, simulate
from trajtune.simulation.split_probability import Window

PROCESS = ProcessSettings(foreign_share=0.0)
VOCAB_SIZE = num_titles(PROCESS) + 1
SIZES = (5_000, 20_000)
SEEDS = 2

# All but the research default itself train at batch 128, where an epoch is cheap, and the rate that suits it.
BATCHES = {"batch_size": 128, "learning_rate": 3e-3}
OURS = Params(**BATCHES)
STEPS: dict[str, dict[str, Any]] = {
    "every transition as an example": {**BATCHES, "examples": "every_transition", "tenure_loss": "pinball"},
    "one_cycle of 10 epochs": {"schedule": "one_cycle", "max_epochs": 10},
    "tie_weights": {"tie_weights": True},
    "skip_last_title": {"skip_last_title": True},
    "title_vectors: id_and_words": {"title_vectors": "id_and_words"},
    "title_changes": {"title_changes": True},
    "repeat_gate": {"repeat_gate": True},
    "weight_decay 0.3, on the titles' vectors too": {"weight_decay": 0.3, "decay_embeddings": True},
}
ALTERED: dict[str, dict[str, Any]] = {
    "examples: last": {"examples": "last"},
    "schedule: constant": {"schedule": "constant"},
    "schedule: cosine, warmup_epochs 1": {"schedule": "cosine", "warmup_epochs": 1.0},
    "without tie_weights": {"tie_weights": False},
    "without skip_last_title": {"skip_last_title": False},
    "title_vectors: id": {"title_vectors": "id"},
    "without title_changes": {"title_changes": False},
    "without repeat_gate": {"repeat_gate": False},
    "without weight_decay": {"weight_decay": 0.0},
    "without decay_embeddings": {"decay_embeddings": False},
    "with markov_prior": {"markov_prior": True},
    "with embedding_dropout 0.2": {"embedding_dropout": 0.2},
    "with label_smoothing 0.05": {"label_smoothing": 0.05},
    "with markov_prior, without weight_decay": {"markov_prior": True, "weight_decay": 0.0},
    "with markov_prior, title_vectors: id": {"markov_prior": True, "title_vectors": "id"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 careers and one seed")
    parser.add_argument("--json", type=Path, help="write the results here too")
    parser.add_argument("--markdown", type=Path, help="write the table here too")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of train careers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for size in (2_000,) if options.quick else options.sizes:
        for row in compare(size, 1 if options.quick else SEEDS):
            print(
                f"{row['careers']:7,} {row['metric']:4} {row['name']:60} {row['value']:8.3f} {row['unit']}",
                flush=True,
            )
            rows.append(row)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(rows), encoding="utf-8")


def variants() -> Iterator[tuple[str, Params]]:
    """The research default, the way from it to our defaults, and each single change of those."""
    params = RESEARCH_DEFAULT
    yield "research default", params
    for name, options in STEPS.items():
        params = params.model_copy(update=options)
        yield f"+ {name}", params
    assert params == OURS, "the steps must lead to the defaults"
    for name, options in ALTERED.items():
        yield f"our defaults, {name}", OURS.model_copy(update=options)


def compare(num_careers: int, num_seeds: int) -> Iterator[dict[str, Any]]:
    """Log-loss and top-1 of the limit, the baselines and each variant at its best epoch, mean over seeds."""
    num_val = max(1_000, num_careers // 5)
    careers = simulate(num_careers + num_val, 0, PROCESS)
    train, val = arrays_of(careers, 0, num_careers), arrays_of(careers, num_careers, len(careers))
    words = words_of_process()
    everything = Window(date(1900, 1, 1), None, PROCESS.as_of)
    best = bayes_optimum(PROCESS, val.title_ids.astype(np.int64) - 1, val.offsets, everything)
    yield from results(num_careers, "Bayes limit", float(best.nll.mean()), float((best.rank == 1).mean()))
    for baseline in (markov(train, VOCAB_SIZE), markov2(train, VOCAB_SIZE)):
        found = next_role_metrics(baseline.predict(val, examples_of(val, "last")))
        nll, top1 = found["next_role_nll"], found["next_role_top1"]
        assert nll is not None
        assert top1 is not None
        yield from results(num_careers, baseline.name, nll, top1)
    for name, params in variants():
        seeds = [at_best_epoch(params, train, val, words, seed) for seed in range(num_seeds)]
        yield from results(num_careers, name, *np.mean(seeds, 0).tolist())


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table, a row a variant and two columns a size."""
    columns = sorted({(row["careers"], row["metric"]) for row in rows})
    values = {(row["name"], row["careers"], row["metric"]): row["value"] for row in rows}
    lines = [
        "| | " + " | ".join(f"{size:,}: {metric}" for size, metric in columns) + " |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for name in dict.fromkeys(row["name"] for row in rows):
        cells = [f"{values[name, size, metric]:.3f}" for size, metric in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def at_best_epoch(
    params: Params, train: CareerArrays, val: CareerArrays, words: TitleWords, seed: int
) -> tuple[float, float]:
    """Log-loss and top-1 on val."""
    epochs = fit(params, train, val, VOCAB_SIZE, seed=seed, title_words=words)
    return min((epoch.metrics["val_next_role_nll"], epoch.metrics["val_top1"]) for epoch in epochs)


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
        start_days=careers.starts[roles].astype(np.int32),
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


def results(careers: int, name: str, nll: float, top1: float) -> Iterator[dict[str, Any]]:
    for metric, value, unit in (("nll", nll, "nats"), ("top1", top1, "share")):
        row = {"careers": careers, "metric": metric, "name": name, "value": value, "unit": unit}
        yield {**row, "bar": None, "passed": None}


if __name__ == "__main__":
    main()

"""Measures the baselines on val; a search is useful only if it beats them."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from trajtune.dataset.arrays import CareerArrays
from trajtune.experiment.objective import cost
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.searching.runs.directory import Run

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

Baselines = Mapping[str, Mapping[str, float | None]]
"""Val metrics by name of the baseline; the metrics have the same names as those of a trial."""


def measure_baselines(
    train: CareerArrays, val: CareerArrays, vocab_size: int
) -> tuple[Baselines, dict[str, Any]]:
    """Fit every baseline on train, measure it on val, and return what `Run.write_baselines` writes.

    The second value contains the settings that the baseline `ngram` chose on val.
    """
    from trajtune.model.baselines.baselines import fit_baselines
    from trajtune.model.baselines.ngram import choose_ngram
    from trajtune.model.metrics import val_metrics
    from trajtune.model.predict import predict_split

    choice = choose_ngram(train, val, vocab_size)
    fitted = fit_baselines(train, vocab_size, choice)
    metrics = {
        name: val_metrics(predict_split(partial(baseline.predict, val), val))
        for name, baseline in fitted.items()
    }
    return metrics, choice.to_dict()


def stored_choice(run: Run, snapshot: "Snapshot") -> NGramChoice:
    """Return what `ngram` chose in the run's search; for older runs, choose from the snapshot."""
    from trajtune.model.baselines.ngram import choose_ngram

    kept = run.ngram_choice()
    if kept is not None:
        return NGramChoice.from_dict(kept)
    return choose_ngram(snapshot.arrays("train"), snapshot.arrays("val"), snapshot.encoder().vocab_size)


def best_baseline(baselines: Baselines, metric: str) -> tuple[str, float] | None:
    """Return name and value of the baseline with the best ``metric``, or None if none has a value."""
    values = [
        (value, name) for name, metrics in baselines.items() if (value := metrics.get(metric)) is not None
    ]
    if not values:
        return None
    value, name = min(values, key=lambda entry: (cost(metric, entry[0]), entry[1]))
    return name, value

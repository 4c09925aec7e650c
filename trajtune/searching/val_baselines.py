"""The baselines on val: a search that does not beat them has found nothing."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from trajtune.dataset.arrays import CareerArrays
from trajtune.experiment.objective import cost
from trajtune.model.baselines.ngram_choice import NGramChoice
from trajtune.searching.runs.directory import Run

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

Baselines = Mapping[str, Mapping[str, float | None]]
"""Val metrics by the baseline's name; the metrics are named as a trial's."""


def keep_baselines(run: Run, train: CareerArrays, val: CareerArrays, vocab_size: int) -> None:
    """Fit every baseline on train, measure it on val and write that into the run, unless it is there.

    What `ngram` chooses on val is written too. A run of an earlier version has no choice, so it is measured
    again.
    """
    from trajtune.model.baselines.baselines import fit_baselines
    from trajtune.model.baselines.ngram import choose_ngram
    from trajtune.model.metrics import val_metrics
    from trajtune.model.predict import predict_split

    if run.ngram_choice() is not None:
        return
    choice = choose_ngram(train, val, vocab_size)
    fitted = fit_baselines(train, vocab_size, choice)
    metrics = {
        name: val_metrics(predict_split(partial(baseline.predict, val), val))
        for name, baseline in fitted.items()
    }
    run.write_baselines(metrics, choice.to_dict())


def kept_choice(run: Run, snapshot: "Snapshot") -> NGramChoice:
    """What `ngram` chose in the run's search; chosen from the snapshot if an earlier version searched."""
    from trajtune.model.baselines.ngram import choose_ngram

    kept = run.ngram_choice()
    if kept is not None:
        return NGramChoice.from_dict(kept)
    train, val = (snapshot.read(split).arrays for split in ("train", "val"))
    return choose_ngram(train, val, snapshot.encoder().vocab_size)


def best_baseline(baselines: Baselines, metric: str) -> tuple[str, float] | None:
    """Name and value of the baseline with the best ``metric``; None if none has a value."""
    values = [
        (value, name) for name, metrics in baselines.items() if (value := metrics.get(metric)) is not None
    ]
    if not values:
        return None
    value, name = min(values, key=lambda entry: (cost(metric, entry[0]), entry[1]))
    return name, value

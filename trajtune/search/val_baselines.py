"""What counting alone reaches on val: a search that does not beat it has found nothing."""

from collections.abc import Mapping

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.objective import cost
from trajtune.search.runs.directory import Run

Baselines = Mapping[str, Mapping[str, float | None]]
"""Val metrics by the baseline's name; the metrics are named as a trial's."""


def keep_baselines(run: Run, train: CareerArrays, val: CareerArrays, vocab_size: int) -> Baselines:
    """Fit every baseline on train, measure it on val, and keep that in the run; once is enough."""
    from trajtune.model.baselines.baselines import BASELINES
    from trajtune.model.metrics import val_metrics

    kept = run.baselines()
    if kept:
        return kept
    examples = examples_of(val, "last")
    found = {
        name: val_metrics(fitted(train, vocab_size).predict(val, examples))
        for name, fitted in BASELINES.items()
    }
    run.write_baselines(found)
    return found


def best_baseline(baselines: Baselines, metric: str) -> tuple[str, float] | None:
    """Name and value of the one with the best ``metric``; None if none has a value."""
    values = [(value, name) for name, found in baselines.items() if (value := found.get(metric)) is not None]
    if not values:
        return None
    value, name = min(values, key=lambda entry: (cost(metric, entry[0]), entry[1]))
    return name, value

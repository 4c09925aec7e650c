"""The baselines on val: a search that does not beat them has found nothing."""

from collections.abc import Mapping

from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.objective import cost
from trajtune.search.runs.directory import Run

Baselines = Mapping[str, Mapping[str, float | None]]
"""Val metrics by the baseline's name; the metrics are named as a trial's."""


def keep_baselines(run: Run, train: CareerArrays, val: CareerArrays, vocab_size: int) -> None:
    """Fit every baseline on train, measure it on val and write that into the run, unless it is there."""
    from trajtune.model.baselines.baselines import BASELINES
    from trajtune.model.metrics import val_metrics

    if run.baselines():
        return
    examples = examples_of(val, "last")
    run.write_baselines(
        {name: val_metrics(fit(train, vocab_size).predict(val, examples)) for name, fit in BASELINES.items()}
    )


def best_baseline(baselines: Baselines, metric: str) -> tuple[str, float] | None:
    """Name and value of the baseline with the best ``metric``; None if none has a value."""
    values = [
        (value, name) for name, metrics in baselines.items() if (value := metrics.get(metric)) is not None
    ]
    if not values:
        return None
    value, name = min(values, key=lambda entry: (cost(metric, entry[0]), entry[1]))
    return name, value

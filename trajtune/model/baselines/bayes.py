"""The Bayes optimum on a snapshot of simulated careers, as `Predictions`.

It is computed from the generator that the careers were drawn from, which no model can know. It predicts only
titles that the vocabulary contains, so it is the optimum for every model trained on that snapshot.
"""

# N careers, R roles of all careers, V canonical titles of one language

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trajtune.careers.parse.tenure import tenure_months
from trajtune.careers.schema import Precision
from trajtune.dataset.arrays import examples_of
from trajtune.dataset.encode import SplitData
from trajtune.dataset.identity.unicode_key import identity
from trajtune.dataset.titles import UNKNOWN, TitleEncoder
from trajtune.errors import SnapshotError
from trajtune.experiment.settings import AUTO
from trajtune.experiment.sources import ProcessSettings
from trajtune.model.metrics import Metrics, hireability_metrics, next_role, tenure_metrics
from trajtune.model.predictions import Predictions
from trajtune.simulation.bayes_optimum import BayesOptimum, bayes_optimum, narrowest_intervals
from trajtune.simulation.generator import num_titles
from trajtune.simulation.simulate import simulate
from trajtune.simulation.spellings import canonical_table
from trajtune.simulation.split_probability import Window

LABEL_COLUMN: Final = "hireable"
"""Name of the column of simulated candidates that contains the hireability label."""

MAX_MEASURED: Final = 20_000
"""Most careers that a population is measured on: enough for accuracies within one per cent."""


@dataclass(frozen=True)
class BayesPredictions:
    """The best possible predictions of one split.

    Attributes:
        predictions: One entry per career, for its last transition. A title that is not in the vocabulary has
            an id in ``top_ids`` that is above all ids of the vocabulary.
        tenure_median: int64 ``[N]``: the tenure in months that has the smallest mean absolute error.
    """

    predictions: Predictions
    tenure_median: NDArray[np.int64]


def has_bayes_optimum(manifest: Mapping[str, Any], split: Literal["val", "test"] = "test") -> bool:
    """Return whether the optimum of a split is known: its careers are simulated and without faults.

    With `source.process.returns`, the val split of `split.by: move` has none. Whether somebody moved again
    before the val cutoff then depends on all earlier titles; see `move_probability`.
    """
    source, data = manifest["source"], manifest["settings"]["data"]
    if source["kind"] != "simulated" or source["process"]["broken"] > 0 or data["merge_repeats"]:
        return False
    if split == "val" and manifest["settings"]["split"]["by"] == "move" and source["process"].get("returns"):
        return False
    return data["as_of"] in (AUTO, source["process"]["as_of"])


def population_optimum(
    num_careers: int, seed: int, settings: ProcessSettings, *, coverage: float = 0.8
) -> Metrics:
    """Return the metrics of the optimum on the last transitions of simulated careers, before any split.

    See `optimum_metrics` for the metrics. At most the first `MAX_MEASURED` careers are measured, since all
    come from one distribution. Hireability is measured on the simulated label. Careers with a single role are
    left out.
    """
    careers = simulate(min(num_careers, MAX_MEASURED), seed, settings.model_copy(update={"min_roles": 2}))
    last = careers.offsets[1:] - 1
    everybody = Window(date.min, None, settings.as_of)
    optimum = bayes_optimum(settings, careers.titles.astype(np.int64), careers.offsets, everybody)
    starts, ends = (
        pa.array(days[last], pa.int32()).cast(pa.date32()) for days in (careers.starts, careers.ends)
    )
    months = tenure_months(starts, ends, pa.array(np.full(len(last), Precision.DAY, np.int8)))
    nothing = np.full(len(last), np.nan, np.float32)
    predictions = Predictions(
        target=careers.titles[last] + 1,
        rank=optimum.rank,
        nll=optimum.nll,
        stay_nll=optimum.stay_nll,
        top_ids=optimum.top + 1,
        confidence=optimum.confidence.astype(np.float32),
        tenure=narrowest_intervals(optimum, coverage).astype(np.float32),
        hireability=optimum.hireable.astype(np.float32),
        tenure_months=np.where(careers.held[last], nothing, months),
        tenure_at_least=nothing,
        hireable=careers.hireable.astype(np.float32),
    )
    return optimum_metrics(BayesPredictions(predictions, optimum.tenure_median))


def optimum_metrics(best: BayesPredictions) -> Metrics:
    """Return the metrics of the best predictions.

    Returns:
        ``top1``, ``top5``, ``mrr`` and ``nll`` as for a baseline, and the tenure and hireability
        metrics. ``tenure_mae_months`` is the error of the median, which has the smallest error.
    """
    p = best.predictions
    has_tenure = ~np.isnan(p.tenure_months)
    error = np.abs(best.tenure_median - p.tenure_months)[has_tenure]
    return {
        **next_role(p),
        **tenure_metrics(p),
        "tenure_mae_months": float(error.mean(dtype=np.float64)) if len(error) else None,
        **hireability_metrics(p),
    }


def bayes_predictions(
    manifest: Mapping[str, Any],
    data: SplitData,
    split: Literal["val", "test"],
    encoder: TitleEncoder,
    *,
    coverage: float = 0.8,
) -> BayesPredictions:
    """Return the best predictions of the split's last transitions.

    Args:
        manifest: Manifest of a snapshot for which `has_bayes_optimum` is true for this split.
        data: Careers of the split.
        split: Name of the split.
        encoder: Vocabulary of the snapshot.
        coverage: Nominal coverage of the tenure interval. Its mean width is the smallest possible.

    Raises:
        SnapshotError: If the titles are not those of the generator.
    """
    settings = ProcessSettings.model_validate(manifest["source"]["process"])
    hireable_months = manifest["settings"]["data"]["hireable_months"]
    numbers = title_numbers(data, settings)
    offsets = data.arrays.offsets
    language = numbers[offsets[1:] - 1] // num_titles(settings)
    ids = _vocabulary_ids(settings, encoder)
    optimum = bayes_optimum(
        settings,
        numbers % num_titles(settings),
        offsets,
        window_of(manifest, split),
        hireable_months=hireable_months,
        allowed=(ids < encoder.vocab_size)[language],
    )
    examples = examples_of(data.arrays, "last")
    label = manifest["settings"]["data"]["hireable_key"]
    predictions = Predictions(
        target=data.arrays.title_ids[examples.target],
        rank=optimum.rank,
        nll=optimum.nll,
        stay_nll=optimum.stay_nll,
        top_ids=ids[language[:, None], optimum.top].astype(np.int32),
        confidence=optimum.confidence.astype(np.float32),
        tenure=narrowest_intervals(optimum, coverage).astype(np.float32),
        hireability=_hireability(optimum, label).astype(np.float32),
        tenure_months=data.arrays.tenure_months[examples.target],
        tenure_at_least=data.arrays.tenure_at_least[examples.target],
        hireable=data.arrays.hireable[examples.target],
    )
    return BayesPredictions(predictions, optimum.tenure_median)


def window_of(manifest: Mapping[str, Any], split: Literal["val", "test"]) -> Window:
    """Return which careers a split contains and when they were observed; see `dataset.prepare`."""
    train, val = (date.fromisoformat(manifest["cutoffs"][name]) for name in ("train", "val"))
    by = manifest["settings"]["split"]["by"]
    if split == "val":
        return Window(train, val, val - timedelta(days=1), by)
    return Window(val, None, date.fromisoformat(manifest["as_of"]), by)


def title_numbers(data: SplitData, settings: ProcessSettings) -> NDArray[np.int64]:
    """Return the index of each role's title in `spellings.canonical_table`, ``[R]``, for any spelling.

    Raises:
        SnapshotError: If the generator has no such title.
    """
    number_of = {identity(title): number for number, title in enumerate(canonical_table(settings))}
    coded = data.titles.flatten().dictionary_encode()
    titles = coded.dictionary.to_pylist()
    unknown = [title for title in titles if identity(title) not in number_of]
    if unknown:
        raise SnapshotError(
            f"The snapshot's manifest names a simulated population that has no title {unknown[0]!r}. "
            "Prepare the snapshot again."
        )
    numbers = np.array([number_of[identity(title)] for title in titles], np.int64)
    return np.asarray(numbers[coded.indices.to_numpy()], np.int64)


def _vocabulary_ids(settings: ProcessSettings, encoder: TitleEncoder) -> NDArray[np.int64]:
    """Return the id of every canonical title, ``[languages, V]``; ``vocab_size`` or more without one."""
    ids = np.array([encoder.encode(title) for title in canonical_table(settings)], np.int64)
    missing = ids == UNKNOWN
    ids[missing] = encoder.vocab_size + np.flatnonzero(missing)
    return ids.reshape(-1, num_titles(settings))


def _hireability(optimum: BayesOptimum, label: str | None) -> NDArray[np.float64]:
    """Return the probability of the label in use: the simulated one or the proxy."""
    if label is not None and label != LABEL_COLUMN:
        raise SnapshotError(
            f"Simulated careers have the label `{LABEL_COLUMN}`, but the snapshot used `{label}`. "
            f"Set `data.hireable_key` to {LABEL_COLUMN} or null."
        )
    return optimum.stayed if label is None else optimum.hireable

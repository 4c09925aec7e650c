"""Selects the finalist that wins on val, and records how it was chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, Literal

from trajtune.errors import TrainingError
from trajtune.experiment.objective import cost
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.storage.path import StoredPath

METRIC: Final = "val_next_role_nll"


@dataclass(frozen=True)
class Finalist:
    """A configuration that is refitted.

    Attributes:
        name: ``trial 3`` or ``research default``.
        params: The configuration.
        search_value: Objective in the search; None without a result.
        metric: The search's first objective, by which finalists are compared.
        may_win: Whether it meets the search's constraints; the research default is refitted in any case.
        searched: Checkpoint of the training in the search, which is used for the first seed; None: every
            seed is refitted. Set only for the research default, which was not selected for its result.
    """

    name: str
    params: Params
    search_value: float | None
    searched: StoredPath | None = None
    metric: str = METRIC
    may_win: bool = True


@dataclass(frozen=True)
class Refit:
    """One training of a finalist.

    Attributes:
        finalist: The configuration.
        seed: Seed of weights, shuffling and dropout.
        checkpoint: Weights of the best epoch; None if training failed.
        epoch: The best epoch, from 1; 0 if training failed.
        metrics: Metrics on val at the best epoch.
        error: One-line reason if training failed; else None.
    """

    finalist: Finalist
    seed: int
    checkpoint: StoredPath | None
    epoch: int
    metrics: Mapping[str, float | None]
    error: str | None

    @property
    def cost(self) -> float:
        """The selection metric as a cost to minimise; infinite if training failed."""
        value = self.metrics.get(self.finalist.metric)
        return float("inf") if value is None else cost(self.finalist.metric, value)


def winner(refits: Sequence[Refit], as_exported: Mapping[str, float] | None = None) -> Finalist:
    """Return the finalist that is best on val; ties go to the first one.

    A finalist that violates the search's constraints, or failed with a seed, cannot win.

    Args:
        refits: The refits of all finalists.
        as_exported: NLL on val of the model that would be exported, by finalist, which decides; None: the
            mean of the metric over seeds decides.

    Raises:
        TrainingError: If every finalist failed with some seed.
    """
    candidates = [own for own in _by_finalist(refits).values() if own[0].finalist.may_win]

    def order(own: Sequence[Refit]) -> tuple[bool, float]:
        mean = _mean_cost(own)
        return mean == float("inf"), mean if as_exported is None else as_exported.get(_name(own), 0.0)

    best = min(candidates, key=order)
    if _mean_cost(best) == float("inf"):
        reason = next(refit.error for own in candidates for refit in own if refit.error is not None)
        raise TrainingError(f"No configuration could be refitted: {reason}")
    return best[0].finalist


def best_seed(refits: Sequence[Refit], finalist: Finalist) -> Refit:
    """Return the finalist's refit with the best metric; ties go to the lower seed."""
    return min(_by_finalist(refits)[finalist.name], key=lambda refit: (refit.cost, refit.seed))


def exported_refits(
    refits: Sequence[Refit], finalist: Finalist, export: Literal["average", "best_seed"]
) -> list[Refit]:
    """Return the finalist's refits in the exported model: all of them, or only the best seed."""
    return [best_seed(refits, finalist)] if export == "best_seed" else _by_finalist(refits)[finalist.name]


def trained_with_every_seed(refits: Sequence[Refit]) -> dict[str, list[Refit]]:
    """Return the refits of each finalist without a failed seed, by name of the finalist."""
    return {name: own for name, own in _by_finalist(refits).items() if _mean_cost(own) < float("inf")}


def selection(
    refits: Sequence[Refit], as_exported: Mapping[str, float] | None = None
) -> dict[str, dict[str, float | None]]:
    """Return the numbers that decided the selection, by finalist; None if training failed or not searched.

    Returns:
        ``mean`` and ``spread`` (largest minus smallest) of the metric over seeds, ``search_value``, and
        ``as_exported``, the NLL on val of the model that would be exported, if that decided. The mean minus
        the search's value is the winner's curse: how much of that value was luck.
    """
    decided = as_exported or {}
    return {
        name: {**_summary(own), "as_exported": decided.get(name)}
        for name, own in _by_finalist(refits).items()
    }


def selection_record(
    chosen: Finalist,
    exported: Sequence[Refit],
    refits: Sequence[Refit],
    as_exported: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the keys of ``metrics.json`` about the selection."""
    return {
        "params": chosen.params.model_dump(mode="json"),
        "research_default_params": RESEARCH_DEFAULT.model_dump(mode="json"),
        "winner": {
            "name": chosen.name,
            "networks": [
                {"name": refit.finalist.name, "seed": refit.seed, "epoch": refit.epoch} for refit in exported
            ],
        },
        "refits": [
            {
                "name": refit.finalist.name,
                "seed": refit.seed,
                "epoch": refit.epoch,
                "search_value": refit.finalist.search_value,
                METRIC: refit.metrics.get(METRIC),
                refit.finalist.metric: refit.metrics.get(refit.finalist.metric),
                "error": refit.error,
            }
            for refit in refits
        ],
        "selection": selection(refits, as_exported),
        "selection_metric": chosen.metric,
    }


def _by_finalist(refits: Sequence[Refit]) -> dict[str, list[Refit]]:
    by_name: dict[str, list[Refit]] = {}
    for refit in refits:
        by_name.setdefault(refit.finalist.name, []).append(refit)
    return by_name


def _name(own: Sequence[Refit]) -> str:
    return own[0].finalist.name


def _mean_cost(own: Sequence[Refit]) -> float:
    """Return the mean cost over the seeds of one finalist; infinite if training failed with one of them."""
    return fmean(refit.cost for refit in own)


def _summary(own: Sequence[Refit]) -> dict[str, float | None]:
    costs, mean = [refit.cost for refit in own], _mean_cost(own)
    failed = mean == float("inf")
    return {
        "mean": None if failed else cost(own[0].finalist.metric, mean),  # cost is its own inverse
        "spread": None if failed else max(costs) - min(costs),
        "search_value": own[0].finalist.search_value,
    }

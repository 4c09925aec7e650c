"""Train the finalists and the research default again, from scratch, over several seeds, and choose.

A search's best score is partly luck: the best of many noisy numbers. The refits are what counts.
Each has its checkpoints in the run directory, and is kept there when it is finished, so an interrupted
finalize goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from trajtune.cluster import ray_session
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.objective import cost
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.finalize.refit_tasks import Job, train_refits
from trajtune.search.trial import DAMAGE, predicting
from trajtune.storage.path import StoredPath, remove_tree

METRIC: Final = "val_next_role_nll"
RESEARCH_DEFAULT_NAME: Final = "research default"
FOLDER: Final = "refits"


@dataclass(frozen=True)
class Finalist:
    """A configuration that is refitted.

    Attributes:
        name: ``trial 3`` or ``research default``.
        params: What is trained.
        search_value: Its objective in the search; None if it was not searched to a result.
        metric: The search's deciding objective, by which finalists are compared.
        may_win: Whether it kept the search's constraints; the research default is refitted even if not.
        searched: The search's own training of it, which stands for the first seed; None: all are refitted.
            For the research default alone: it was not chosen for its result, so that one is no luckier.
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
        finalist: Which.
        seed: Of weights, shuffling and dropout.
        checkpoint: Where the weights of its best epoch lie; None if training broke.
        epoch: That epoch, from 1; 0 if training broke.
        metrics: Of val at that epoch.
        error: One line if training broke.
    """

    finalist: Finalist
    seed: int
    checkpoint: StoredPath | None
    epoch: int
    metrics: Mapping[str, float | None]
    error: str | None

    @property
    def cost(self) -> float:
        """The metric that selects, as something to be minimised; infinite if training broke."""
        value = self.metrics.get(self.finalist.metric)
        return float("inf") if value is None else cost(self.finalist.metric, value)


def finalists(
    best: Sequence[tuple[int, Mapping[str, Any], float | None]],
    research: float | None,
    searched: StoredPath | None = None,
    *,
    metric: str = METRIC,
    research_may_win: bool = True,
) -> list[Finalist]:
    """The best trials and the research default, each configuration once.

    Args:
        best: Number, params and objective of the best trials, best first.
        research: The research default's objective in the search, if it has one.
        searched: Its checkpoint, if the search trained it to its end.
        metric: The search's deciding objective.
        research_may_win: Whether the research default keeps the search's constraints.
    """
    found = [Finalist(RESEARCH_DEFAULT_NAME, RESEARCH_DEFAULT, research, searched, metric, research_may_win)]
    for number, content, value in best:
        params = validate(Params, dict(content), f"trial {number}")
        if all(params != other.params for other in found):
            found.append(Finalist(f"trial {number}", params, value, metric=metric))
    return found


def refit_all(
    chosen: Sequence[Finalist],
    seeds: Sequence[int],
    snapshot: Snapshot,
    folder: StoredPath,
    *,
    workers: int = 1,
    verbose: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Refit]:
    """Train every finalist with every seed, as many at a time as Ray has CPUs for.

    Args:
        chosen: What to train.
        seeds: How often, and from what.
        snapshot: On whose train and val; refits of another are not found again.
        folder: Where finished refits are kept and found again.
        workers: CPUs that train each; refits of another number are not found again.
        verbose: Let Ray speak.
        progress: Told about each refit that is done.

    Returns:
        Finalist by finalist, seed by seed, in the order given.

    Raises:
        TrainingError: If a refit cannot be written, or there cannot be so many workers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(finalist, seed) for finalist in chosen for seed in seeds]
    paths = [
        finalist.searched
        if finalist.searched and seed == seeds[0]
        else folder / f"{_key(finalist, seed, snapshot.id, workers)}.pt"
        for finalist, seed in jobs
    ]
    done: dict[int, Refit] = {
        i: _kept(jobs[i][0], jobs[i][1], path) for i, path in enumerate(paths) if path.exists()
    }
    missing = [i for i in range(len(jobs)) if i not in done]
    if missing:
        with ray_session(verbose=verbose):
            wanted = [_job(*jobs[i], paths[i]) for i in missing]
            for place, outcome in train_refits(wanted, snapshot, workers):
                i = missing[place]
                finalist, seed = jobs[i]
                if DAMAGE in outcome:
                    progress(f"{finalist.name}, seed {seed}: {outcome[DAMAGE]}")
                done[i] = _keep(finalist, seed, paths[i], outcome)
                if _in_progress(paths[i]).exists():
                    remove_tree(_in_progress(paths[i]))
                progress(f"refitted {finalist.name}, seed {seed} ({len(done)} of {len(jobs)})")
    return [done[i] for i in range(len(jobs))]


def winner(refits: Sequence[Refit]) -> Finalist:
    """The finalist with the best mean metric over its seeds; ties go to the research default, then in order.

    One that broke the search's constraints is none.

    Raises:
        TrainingError: If every finalist broke with some seed.
    """
    candidates = [refit for refit in refits if refit.finalist.may_win]
    means = mean_costs(candidates)
    best = min(means, key=lambda name: means[name])
    if means[best] == float("inf"):
        reason = next(refit.error for refit in candidates if refit.error is not None)
        raise TrainingError(f"No configuration could be refitted: {reason}")
    return next(refit.finalist for refit in refits if refit.finalist.name == best)


def selection(refits: Sequence[Refit]) -> dict[str, dict[str, float | None]]:
    """What the choice was made on, by finalist; None where it broke or was not searched.

    Returns:
        ``mean`` and ``spread`` (largest less smallest) of the metric over seeds, and ``search_value``.
        The mean less the search's value is the winner's curse: how much of that value was luck.
    """
    found: dict[str, dict[str, float | None]] = {}
    for name, mean in mean_costs(refits).items():
        own = [refit for refit in refits if refit.finalist.name == name]
        values = [refit.cost for refit in own]
        broke = mean == float("inf")
        found[name] = {
            "mean": None if broke else cost(own[0].finalist.metric, mean),  # its own inverse
            "spread": None if broke else max(values) - min(values),
            "search_value": own[0].finalist.search_value,
        }
    return found


def mean_costs(refits: Sequence[Refit]) -> dict[str, float]:
    """The selecting metric's cost by finalist, averaged over seeds; infinite where a seed broke."""
    by_name: dict[str, list[float]] = {}
    for refit in refits:
        by_name.setdefault(refit.finalist.name, []).append(refit.cost)
    return {name: fmean(values) for name, values in by_name.items()}


def best_seed(refits: Sequence[Refit], finalist: Finalist) -> Refit:
    """The finalist's refit with the best metric; ties go to the lower seed."""
    own = [refit for refit in refits if refit.finalist.name == finalist.name]
    return min(own, key=lambda refit: (refit.cost, refit.seed))


def _keep(finalist: Finalist, seed: int, path: StoredPath, outcome: Mapping[str, Any]) -> Refit:
    from trajtune.model.checkpoint import save_checkpoint

    if "lost" in outcome:
        raise TrainingError(f"{outcome['lost']} Finalize again; what is refitted is kept.")
    if "error" in outcome:
        return Refit(finalist, seed, None, 0, {}, outcome["error"])
    try:
        save_checkpoint(outcome["state"], path)
    except OSError as error:
        raise TrainingError(
            f"Cannot write {path}: {error.strerror}. Make room and finalize again; what is refitted is kept."
        ) from error
    return _kept(finalist, seed, path)


def _kept(finalist: Finalist, seed: int, path: StoredPath) -> Refit:
    from trajtune.model.checkpoint import load_checkpoint

    state = load_checkpoint(path)
    if path == finalist.searched:
        state = predicting(state)
    own = int(state.get("seed", seed))
    return Refit(finalist, own, path, int(state["best_epoch"]), dict(state["best_metrics"]), None)


def _job(finalist: Finalist, seed: int, path: StoredPath) -> Job:
    return Job(finalist.params, seed, finalist.metric, _in_progress(path).absolute())


def _in_progress(path: StoredPath) -> StoredPath:
    """The folder with the checkpoints of a refit that is not finished."""
    return path.parent / path.name.removesuffix(".pt")


def _key(finalist: Finalist, seed: int, snapshot_id: str, workers: int) -> str:
    """Names a refit by all that decides its result."""
    decides = [finalist.params.model_dump(mode="json"), finalist.metric, seed, snapshot_id]
    if workers > 1:
        decides.append(workers)
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]

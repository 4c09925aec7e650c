"""Train the finalists and the research default again, from scratch, over several seeds, in parallel on Ray.

A search's best score is partly luck: the best of many noisy numbers. The refits are what counts.
Each is trained as a trial is, with checkpoints in the run directory, and kept there when it is finished, so
an interrupted finalize goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from trajtune.cluster import ray_session
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.titles import TitleEncoder
from trajtune.errors import StorageError, TrainingError
from trajtune.experiment import RESEARCH_DEFAULT, Params, validate
from trajtune.objective import cost
from trajtune.search.trial import BEST, DAMAGE, predicting, train_trial
from trajtune.storage.path import StoredPath, remove_tree, stored_path

if TYPE_CHECKING:
    from trajtune.model.title_vectors import TitleWords

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
    train: CareerArrays,
    val: CareerArrays,
    encoder: TitleEncoder,
    folder: StoredPath,
    *,
    snapshot_id: str,
    verbose: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Refit]:
    """Train every finalist with every seed, one CPU each, as many at a time as Ray has CPUs.

    Args:
        chosen: What to train.
        seeds: How often, and from what.
        train: Training careers.
        val: Careers that stop training and select.
        encoder: The vocabulary.
        folder: Where finished refits are kept and found again.
        snapshot_id: Refits of another snapshot are not found again.
        verbose: Let Ray speak.
        progress: Told about each refit that is done.

    Returns:
        Finalist by finalist, seed by seed, in the order given.

    Raises:
        TrainingError: If a refit cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(finalist, seed) for finalist in chosen for seed in seeds]
    paths = [
        finalist.searched
        if finalist.searched and seed == seeds[0]
        else folder / f"{_key(finalist, seed, snapshot_id)}.pt"
        for finalist, seed in jobs
    ]
    done: dict[int, Refit] = {
        i: _kept(jobs[i][0], jobs[i][1], path) for i, path in enumerate(paths) if path.exists()
    }
    missing = [i for i in range(len(jobs)) if i not in done]
    if missing:
        with ray_session(verbose=verbose):
            wanted = [(*jobs[i], _in_progress(paths[i])) for i in missing]
            for i, outcome in _train(wanted, missing, train, val, encoder):
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


def refit_one(
    content: dict[str, Any],
    train: dict[str, Any],
    val: dict[str, Any],
    vocab_size: int,
    words: "TitleWords",
    seed: int,
    metric: str,
    directory: str,
) -> dict[str, Any]:
    """Train one configuration, in a Ray worker, from where the last attempt in ``directory`` got to.

    Returns:
        ``state``, of its epoch with the best ``metric``; or ``error``, why no such training can end; or
        ``lost``, why this one has to be done again. And ``damage``, if a checkpoint was not whole.
    """
    import torch

    from trajtune.model.checkpoint import load_checkpoint

    torch.set_num_threads(1)  # one CPU a refit; more threads would fight over it
    arrays = CareerArrays.from_dict(train), CareerArrays.from_dict(val)
    params, place = validate(Params, content, "refit"), stored_path(directory)
    said: dict[str, Any] = {}
    try:
        for report in train_trial(
            params, *arrays, vocab_size, place, title_words=words, metric=metric, seed=seed
        ):
            said |= {key: report[key] for key in (DAMAGE,) if key in report}
    except TrainingError as error:
        return {**said, "error": str(error)}
    except StorageError as error:
        return {**said, "lost": str(error)}
    except OSError as error:
        return {**said, "lost": f"Cannot write {place}: {error.strerror}. Make room."}
    try:
        return {**said, "state": predicting(load_checkpoint(place / BEST))}
    except TrainingError as error:
        remove_tree(place)
        return {**said, "lost": f"{error} It is deleted."}


def _train(
    jobs: Sequence[tuple[Finalist, int, StoredPath]],
    places: Sequence[int],
    train: CareerArrays,
    val: CareerArrays,
    encoder: TitleEncoder,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each one's place and outcome as refits end."""
    import ray

    from trajtune.model.title_vectors import words_of

    shared = ray.put(train.to_dict()), ray.put(val.to_dict()), encoder.vocab_size, ray.put(words_of(encoder))
    task = ray.remote(num_cpus=1)(refit_one)
    running = {
        task.remote(
            finalist.params.model_dump(mode="json"), *shared, seed, finalist.metric, str(directory.absolute())
        ): place
        for (finalist, seed, directory), place in zip(jobs, places, strict=True)
    }
    while running:
        (ready, *_), _ = ray.wait(list(running), num_returns=1)
        yield running.pop(ready), ray.get(ready)


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


def _in_progress(path: StoredPath) -> StoredPath:
    """The folder with the checkpoints of a refit that is not finished."""
    return path.parent / path.name.removesuffix(".pt")


def _key(finalist: Finalist, seed: int, snapshot_id: str) -> str:
    """Names a refit by all that decides its result."""
    content = json.dumps(
        [finalist.params.model_dump(mode="json"), finalist.metric, seed, snapshot_id], sort_keys=True
    )
    return hashlib.sha256(content.encode()).hexdigest()[:16]

"""Train the finalists and the research default again, from scratch, over several seeds.

A search's best score is partly luck: the best of many noisy numbers, so the refits decide. Checkpoints and
finished refits are kept in the run directory, so an interrupted finalize goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from trajtune.cluster import ray_session
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.finalize.refit_tasks import Job, train_refits
from trajtune.finalize.selection import METRIC, Finalist, Refit
from trajtune.search.trial import DAMAGE, predicting
from trajtune.storage.path import StoredPath, remove_tree

RESEARCH_DEFAULT_NAME: Final = "research default"
FOLDER: Final = "refits"


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
        searched: Its checkpoint, if the search trained it to the end.
        metric: The search's deciding objective.
        research_may_win: Whether the research default keeps the search's constraints.
    """
    chosen = [Finalist(RESEARCH_DEFAULT_NAME, RESEARCH_DEFAULT, research, searched, metric, research_may_win)]
    for number, content, value in best:
        params = validate(Params, dict(content), f"trial {number}")
        if all(params != other.params for other in chosen):
            chosen.append(Finalist(f"trial {number}", params, value, metric=metric))
    return chosen


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
        chosen: The configurations.
        seeds: The seeds of each.
        snapshot: Source of train and val; refits on another snapshot are not reused.
        folder: Directory of finished refits, which are reused.
        workers: CPUs that train each; refits by another number of workers are not reused.
        verbose: Show Ray's logs.
        progress: Called with a line about each finished refit.

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
            to_train = [_job(*jobs[i], paths[i]) for i in missing]
            for number, outcome in train_refits(to_train, snapshot, workers):
                i = missing[number]
                finalist, seed = jobs[i]
                if DAMAGE in outcome:
                    progress(f"{finalist.name}, seed {seed}: {outcome[DAMAGE]}")
                done[i] = _keep(finalist, seed, paths[i], outcome)
                if _in_progress(paths[i]).exists():
                    remove_tree(_in_progress(paths[i]))
                progress(f"refitted {finalist.name}, seed {seed} ({len(done)} of {len(jobs)})")
    return [done[i] for i in range(len(jobs))]


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
    own_seed = int(state.get("seed", seed))
    return Refit(finalist, own_seed, path, int(state["best_epoch"]), dict(state["best_metrics"]), None)


def _job(finalist: Finalist, seed: int, path: StoredPath) -> Job:
    return Job(finalist.params, seed, finalist.metric, _in_progress(path).absolute())


def _in_progress(path: StoredPath) -> StoredPath:
    """The folder with the checkpoints of a refit that is not finished."""
    return path.parent / path.name.removesuffix(".pt")


def _key(finalist: Finalist, seed: int, snapshot_id: str, workers: int) -> str:
    """A name for a refit made of everything that decides its result."""
    inputs = [finalist.params.model_dump(mode="json"), finalist.metric, seed, snapshot_id]
    if workers > 1:
        inputs.append(workers)
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]

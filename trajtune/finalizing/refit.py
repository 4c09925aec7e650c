"""Refits: trains the finalists and the research default again, from scratch, with several seeds.

A search's best score is partly luck, because it is the best of many noisy numbers. So the refits decide. The
winner is then trained once more on everything known before the calibration window (`refit_on_known`).
Checkpoints and finished refits are kept in the run directory, so an interrupted finalize continues where it
stopped.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from trajtune.cluster import ray_session
from trajtune.dataset.snapshot import Snapshot
from trajtune.errors import TrainingError
from trajtune.experiment.load import validate
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.finalizing.console import training_bar
from trajtune.finalizing.refit_tasks import Job, train_refits
from trajtune.finalizing.selection import METRIC, Finalist, Refit
from trajtune.searching.trial import DAMAGE, predicting
from trajtune.storage.path import StoredPath, remove_tree

RESEARCH_DEFAULT_NAME: Final = "research default"


@dataclass(frozen=True)
class _Training:
    """A refit to train, or to load from the run directory.

    Attributes:
        finalist: The configuration.
        seed: Seed of weights, shuffling and dropout.
        path: File of the finished refit.
        stop_after: Exact number of epochs; None: the params decide when training stops.
    """

    finalist: Finalist
    seed: int
    path: StoredPath
    stop_after: int | None = None


def finalists(
    best: Sequence[tuple[int, Mapping[str, Any], float | None]],
    research: float | None,
    searched: StoredPath | None = None,
    *,
    metric: str = METRIC,
    research_may_win: bool = True,
) -> list[Finalist]:
    """Return the best trials and the research default, each configuration once.

    Args:
        best: Number, params and objective of the best trials, best first.
        research: The research default's objective in the search; None without a result.
        searched: The research default's checkpoint, if the search trained it to the end.
        metric: The search's first objective.
        research_may_win: Whether the research default meets the search's constraints.
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
    gpus: float = 0.0,
    verbose: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Refit]:
    """Train every finalist with every seed, as many at once as Ray has CPUs for.

    Args:
        chosen: The configurations.
        seeds: The seeds of each configuration.
        snapshot: Source of train and val; refits on another snapshot are not reused.
        folder: Directory of finished refits, which are reused.
        workers: Number of CPUs that train each refit; refits with another number are not reused.
        gpus: Share of a GPU, or GPUs, that each worker trains on; 0: it trains on its CPU.
        verbose: Whether to show Ray's logs.
        progress: Called with a line about each finished refit.

    Returns:
        The refits, ordered by finalist and then by seed, in the given order.

    Raises:
        TrainingError: If a refit cannot be written, or if ``workers`` is too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainings = [
        _Training(
            finalist,
            seed,
            finalist.searched
            if finalist.searched and seed == seeds[0]
            else folder / f"{_key(finalist, seed, snapshot.id, workers)}.pt",
        )
        for finalist in chosen
        for seed in seeds
    ]
    return _load_or_train(trainings, snapshot, (workers, gpus), "refitted {}", verbose, progress)


def refit_on_known(
    selected: Sequence[Refit],
    division: Snapshot,
    folder: StoredPath,
    *,
    workers: int = 1,
    gpus: float = 0.0,
    verbose: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Refit]:
    """Train the selected refits again, with the same seeds, on everything before the calibration window.

    Each training has as many epochs as were best on val with its seed, at the learning rates of these epochs.
    The calibration window is not used for stopping or for any choice.

    Args:
        selected: The refits on train that are exported.
        division: The snapshot's `Snapshot.refit`.
        folder, workers, gpus: As in `refit_all`.
        verbose: Whether to show Ray's logs.
        progress: Called with a line about each finished refit.

    Returns:
        The refits in the given order.

    Raises:
        TrainingError: If a refit failed or cannot be written, or if ``workers`` is too large.
    """
    trainings = []
    for refit in selected:
        # The metric only determines the best epoch, which is not needed here. The NLL is always defined.
        finalist = replace(refit.finalist, searched=None, metric=METRIC)
        key = _key(finalist, refit.seed, division.id, workers, refit.epoch)
        trainings.append(_Training(finalist, refit.seed, folder / f"{key}.pt", refit.epoch))
    done_line = "trained {} on everything known"
    refits = _load_or_train(trainings, division, (workers, gpus), done_line, verbose, progress)
    for refit in refits:
        if refit.error:
            raise TrainingError(
                f"{refit.finalist.name} could not be trained on everything known: {refit.error} "
                "Set `finalize.refit_on: train`, or search again."
            )
    return refits


def _load_or_train(
    trainings: Sequence[_Training],
    snapshot: Snapshot,
    resources: tuple[int, float],
    done_line: str,
    verbose: bool,
    progress: Callable[[str], None],
) -> list[Refit]:
    """Return the refits of all trainings, in order; those that are not in the run directory are trained."""
    done = {}
    for i, training in enumerate(trainings):
        if (kept := _load_or_delete(training, progress)) is not None:
            done[i] = kept
    missing = [i for i in range(len(trainings)) if i not in done]
    if missing:
        to_train = [_job(trainings[i]) for i in missing]
        with (
            ray_session(verbose=verbose),
            training_bar("training", len(done), len(trainings)) as count_one,
        ):
            for number, outcome in train_refits(to_train, snapshot, *resources):
                i = missing[number]
                training = trainings[i]
                name = training.finalist.name
                if DAMAGE in outcome:
                    progress(f"{name}, seed {training.seed}: {outcome[DAMAGE]}")
                done[i] = _save_refit(training, outcome)
                if _in_progress(training.path).exists():
                    remove_tree(_in_progress(training.path))
                progress(f"{done_line.format(name)}, seed {training.seed} ({len(done)} of {len(trainings)})")
                count_one()
    return [done[i] for i in range(len(trainings))]


def _save_refit(training: _Training, outcome: Mapping[str, Any]) -> Refit:
    from trajtune.model.checkpoint import save_checkpoint

    path = training.path

    if "lost" in outcome:
        raise TrainingError(f"{outcome['lost']} Finalize again; finished refits are kept.")
    if "error" in outcome:
        return Refit(training.finalist, training.seed, None, 0, {}, outcome["error"])
    try:
        save_checkpoint(outcome["state"], path)
    except OSError as error:
        raise TrainingError(
            f"Cannot write {path}: {error.strerror}. Fix this and finalize again; finished refits are kept."
        ) from error
    return _load_refit(training)


def _load_or_delete(training: _Training, progress: Callable[[str], None]) -> Refit | None:
    """Return the refit in the run directory, or None without one. A damaged refit is deleted."""
    if not training.path.exists():
        return None
    try:
        return _load_refit(training)
    except TrainingError as error:
        if isinstance(error.__cause__, OSError):
            raise  # unreadable here, but possibly intact
        progress(f"{training.path.name} is damaged; training {training.finalist.name} again")
        training.path.unlink()
        return None


def _load_refit(training: _Training) -> Refit:
    from trajtune.model.checkpoint import load_checkpoint

    finalist, path = training.finalist, training.path
    state = load_checkpoint(path)
    if path == finalist.searched:
        state = predicting(state)
    own_seed = int(state.get("seed", training.seed))
    return Refit(finalist, own_seed, path, int(state["best_epoch"]), dict(state["best_metrics"]), None)


def _job(training: _Training) -> Job:
    directory = _in_progress(training.path).absolute()
    finalist = training.finalist
    return Job(finalist.params, training.seed, finalist.metric, directory, training.stop_after)


def _in_progress(path: StoredPath) -> StoredPath:
    """Return the folder with the checkpoints of an unfinished refit."""
    return path.parent / path.name.removesuffix(".pt")


def _key(finalist: Finalist, seed: int, snapshot_id: str, workers: int, stop_after: int | None = None) -> str:
    """Return a file name for a refit: a hash of everything that affects its result."""
    inputs = [finalist.params.model_dump(mode="json"), finalist.metric, seed, snapshot_id]
    if workers > 1:
        inputs.append(workers)
    if stop_after is not None:
        inputs.append({"stop_after": stop_after})
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]

"""Trains refits as Ray tasks: each with one worker, or with several workers that share train and val.

A refit is trained like a trial and continues where the last attempt stopped. With several workers, Ray Train
runs them and restarts all of them if one is lost. Ray Data reads each worker's share directly from the
snapshot, so no process needs memory for all training careers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trajtune.cluster import ray_data_for_reading
from trajtune.dataset.arrays import CareerArrays
from trajtune.dataset.encode import PER_ROLE, arrays_of
from trajtune.dataset.snapshot import Snapshot, split_files
from trajtune.errors import StorageError, TrainingError
from trajtune.experiment.params import Params
from trajtune.searching.trial import BEST, DAMAGE, LAST, predicting, train_trial
from trajtune.storage.path import StoredPath, on_filesystem, remove_tree

if TYPE_CHECKING:
    from ray.data import Dataset

    from trajtune.model.data_parallel import Workers
    from trajtune.model.network.title_words import TitleWords

_SPLITS: Final = ("train", "val")
_MAX_FAILURES: Final = 3
"""Maximum number of restarts of workers: enough for lost and preempted nodes, without an endless loop."""

Outcome = dict[str, Any]
"""Result of a training: ``state`` of the kept epoch, ``error`` (why this training always fails), or ``lost``
(why it must be repeated). Also ``damage``, if a checkpoint was damaged."""


@dataclass(frozen=True)
class Job:
    """A refit to train.

    Attributes:
        params: The configuration.
        seed: Seed of weights, shuffling and dropout.
        metric: The metric whose best epoch is kept.
        directory: Directory of its checkpoints, writable from every node.
        stop_after: Exact number of epochs; the last one is kept, whatever its metric. None: the params
            decide when training stops, and the best epoch is kept.
    """

    params: Params
    seed: int
    metric: str
    directory: StoredPath
    stop_after: int | None = None


def train_refits(
    jobs: Sequence[Job], snapshot: Snapshot, workers: int, gpus: float = 0.0
) -> Iterator[tuple[int, Outcome]]:
    """Train the refits in an open Ray session, as many at once as it has room for.

    All refits are submitted at once, so a cluster with an autoscaler grows for them.

    Args:
        jobs: The refits.
        snapshot: Source of train and val.
        workers: Number of workers per refit.
        gpus: Share of a GPU, or GPUs, of each worker; 0: it trains on its CPU.

    Yields:
        The index of a job and its outcome, in the order of completion.

    Raises:
        RunError: If Ray has too few GPUs and the cluster cannot grow.
        TrainingError: If Ray has too few CPUs, or if there are too few examples or careers for the workers.
    """
    import ray

    from trajtune.experiment.search_settings import SearchSettings
    from trajtune.searching.shared_careers import shared_split
    from trajtune.searching.tune.demand import can_grow
    from trajtune.searching.tune.placement import place

    grows = can_grow()
    device = place(SearchSettings(gpus_per_trial=gpus), ray.cluster_resources(), can_grow=grows).device
    from trajtune.model.network.title_words import words_of

    encoder = snapshot.encoder()
    words = ray.put(words_of(encoder))
    if workers == 1:
        data = [shared_split(snapshot, split) for split in _SPLITS]
        task, at_once = ray.remote(num_cpus=1, num_gpus=gpus or None)(_train_alone), len(jobs)
        arguments = (*data, encoder.vocab_size, words, device)
    else:
        cpus = int(ray.cluster_resources().get("CPU", 1))
        _refuse_too_many(workers, None if grows else cpus, jobs, snapshot)
        # The task only waits for the workers.
        task = ray.remote(num_cpus=0)(_train_with_workers)
        at_once = len(jobs) if grows else cpus // workers
        arguments = (_shares(snapshot, workers), workers, encoder.vocab_size, words, gpus)
    waiting = list(enumerate(jobs))
    running: dict[Any, int] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            number, job = waiting.pop(0)
            running[task.remote(job, *arguments)] = number
        (ready, *_), _ = ray.wait(list(running), num_returns=1)
        yield running.pop(ready), ray.get(ready)


def _refuse_too_many(workers: int, cpus: int | None, jobs: Sequence[Job], snapshot: Snapshot) -> None:
    limits = [] if cpus is None else [(cpus, "Ray finds {} CPUs")]
    limits += [(min(job.params.batch_size for job in jobs), "the smallest batch_size is {}")]
    limits += [(snapshot.manifest["splits"][name]["careers"], f"{name} has {{}} careers") for name in _SPLITS]
    for limit, what in limits:
        if workers > limit:
            raise TrainingError(
                f"`finalize.workers` is {workers}, but {what.format(limit)}. Set it to at most {limit}."
            )


def _train_alone(
    job: Job,
    train: Mapping[str, Any],
    val: Mapping[str, Any],
    vocab_size: int,
    words: "TitleWords",
    device: str,
) -> Outcome:
    """Train a refit in this process."""
    arrays = CareerArrays.from_dict(train), CareerArrays.from_dict(val)
    try:
        outcome = _train_to_end(job, *arrays, vocab_size, words, device=device)
    except (StorageError, OSError) as error:
        return {"lost": _why_lost(error, job.directory)}
    return outcome if "error" in outcome else {**outcome, **_result(job)}


def _train_with_workers(
    job: Job,
    shares: Mapping[str, "Dataset"],
    num_workers: int,
    vocab_size: int,
    words: "TitleWords",
    gpus: float,
) -> Outcome:
    """Train a refit with Ray Train's workers and wait for them."""
    from ray.train import DataConfig, FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    from trajtune.finalizing.gloo import GlooConfig

    filesystem, path = on_filesystem(job.directory)
    trainer = TorchTrainer(
        _train_on_share,
        train_loop_config={
            "job": job,
            "vocab_size": vocab_size,
            "words": words,
            "device": "cuda" if gpus else "cpu",
        },
        torch_config=GlooConfig(),
        scaling_config=ScalingConfig(
            num_workers=num_workers,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": 1, "GPU": gpus} if gpus else {"CPU": 1},
        ),
        run_config=RunConfig(
            name="workers",
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=FailureConfig(max_failures=_MAX_FAILURES),
        ),
        datasets=dict(shares),
        dataset_config=DataConfig(datasets_to_split=[]),  # each worker reads only its own share
    )
    try:
        outcome: Outcome = trainer.fit().return_value
    except TrainingFailedError as error:
        failures = getattr(error, "worker_failures", {})
        storage_errors = [e for e in failures.values() if isinstance(e, StorageError | OSError)]
        return {"lost": _why_lost((storage_errors or [error])[0], job.directory)}
    return outcome if "error" in outcome else {**outcome, **_result(job)}


def _train_on_share(config: Mapping[str, Any]) -> Outcome:
    """Train in a worker of Ray Train; the first worker's result is the outcome."""
    import pyarrow as pa
    from ray import train

    from trajtune.model.data_parallel import Workers

    context = train.get_context()
    workers = Workers(context.get_world_rank(), context.get_world_size())

    def own(split: str) -> CareerArrays:
        share = train.get_dataset_shard(_share(split, workers.rank))
        return arrays_of(pa.concat_tables(share.iter_batches(batch_size=None, batch_format="pyarrow")))

    return _train_to_end(
        *(config["job"], own("train"), own("val"), config["vocab_size"], config["words"]),
        workers=workers,
        device=config["device"],
    )


def _train_to_end(
    job: Job,
    train: CareerArrays,
    val: CareerArrays,
    vocab_size: int,
    words: "TitleWords",
    *,
    workers: "Workers | None" = None,
    device: str = "cpu",
) -> Outcome:
    """Train to the end."""
    import torch

    torch.set_num_threads(1)  # each worker has one CPU; more threads would compete for it
    params = job.params
    if job.stop_after is not None:
        params = params.model_copy(update={"patience": params.max_epochs})  # val must not stop training early
    outcome: Outcome = {}
    try:
        for report in train_trial(
            *(params, train, val, vocab_size, job.directory),
            title_words=words,
            metric=job.metric,
            seed=job.seed,
            device=device,
            workers=workers,
        ):
            outcome |= {key: report[key] for key in (DAMAGE,) if key in report}
            if report["epoch"] == job.stop_after:
                break
    except TrainingError as error:
        return {**outcome, "error": str(error)}
    return outcome


def _result(job: Job) -> Outcome:
    """Return the state of the finished training, or why it is lost if the checkpoint is damaged."""
    from trajtune.model.checkpoint import load_checkpoint, without_optimizer

    kept = BEST if job.stop_after is None else LAST
    try:
        state = without_optimizer(predicting(load_checkpoint(job.directory / kept)))
    except TrainingError as error:
        remove_tree(job.directory)
        return {"lost": f"{error} The checkpoint was deleted."}
    return {"state": {**state, "params": job.params.model_dump(mode="json")}}


def _why_lost(error: Exception, directory: StoredPath) -> str:
    if isinstance(error, OSError):
        return f"Cannot write {directory}: {error.strerror}. Fix this."
    return str(error) if isinstance(error, StorageError) else f"The workers were lost: {_one_line(error)}."


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__


def _shares(snapshot: Snapshot, workers: int) -> dict[str, "Dataset"]:
    """Return each worker's share of train and of val, in the snapshot's order, in Ray's object store."""
    import ray

    shares = {}
    with ray_data_for_reading(in_order=True):
        for split in _SPLITS:
            places = [on_filesystem(path) for path in split_files(snapshot, split)]
            careers = ray.data.read_parquet(
                [path for _, path in places], filesystem=places[0][0], columns=list(PER_ROLE)
            )
            num = snapshot.manifest["splits"][split]["careers"]
            parts = careers.split_at_indices([num * rank // workers for rank in range(1, workers)])
            shares.update({_share(split, rank): part for rank, part in enumerate(parts)})
    return shares


def _share(split: str, rank: int) -> str:
    return f"{split} {rank}"

"""Estimates what a search will cost: times the research default on a sample of careers and scales up."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trajtune.careers.exchange.partitions import fetched
from trajtune.cluster import ray_session
from trajtune.dataset.arrays import CareerArrays, examples_of
from trajtune.experiment.params import RESEARCH_DEFAULT, Params
from trajtune.experiment.search_settings import PrunerSettings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space
from trajtune.page.format import duration
from trajtune.searching.repeats import num_repeats
from trajtune.searching.start_points import start_points
from trajtune.searching.study.origins import TRAINING_ORIGIN, TRAINING_REPEAT_ORIGIN
from trajtune.searching.tune.demand import can_grow
from trajtune.searching.tune.placement import place

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

TIMED_CAREERS: Final = 2_000
"""Number of careers that the timed trial trains on; enough for a few dozen steps."""


@dataclass(frozen=True)
class Estimate:
    """The expected cost of a search. With a constant learning rate, patience can only lower it.

    Attributes:
        seconds_per_epoch: Duration of an epoch of the research default on all train careers, in seconds.
        megabytes_per_trial: Resident memory of a training process, in megabytes.
        concurrent: Trials that run at once.
        epochs: Epochs of all trials, if the pruner stops as many trials as expected.
        wall_s: Duration of the search, in seconds.
        disk_megabytes: Largest size of the run directory, in megabytes.
    """

    seconds_per_epoch: float
    megabytes_per_trial: float
    concurrent: int
    epochs: float
    wall_s: float
    disk_megabytes: float

    def describe(self) -> str:
        """Return a readable summary, one fact on each line; the duration of the search is first."""
        return (
            f"search  at most about {duration(max(self.wall_s, 1))}, about {self.epochs:.0f} epochs\n"
            f"epoch   about {self.seconds_per_epoch:.1f} s for the research default\n"
            f"memory  about {self.megabytes_per_trial:.0f} MB for each trial, {self.concurrent} at once\n"
            f"disk    about {self.disk_megabytes:.0f} MB"
        )


def estimate(
    experiment: Experiment, space: Space, snapshot: "Snapshot", *, address: str | None = None
) -> Estimate:
    """Time one epoch of the research default on a sample of careers, in a process like that of a trial.

    Args:
        experiment: The search whose cost is estimated.
        space: The experiment's search space.
        snapshot: Source of the train and val careers.
        address: A Ray cluster to join; None: a local Ray is started, or an open session is used.
    """
    settings = experiment.search
    with ray_session(address):
        import ray

        from trajtune.searching.shared_careers import shared_split, shared_train

        concurrent = max(1, place(settings, ray.cluster_resources(), can_grow=can_grow()).concurrent)
        shared = shared_train(snapshot, settings), shared_split(snapshot, "val")
        train, val = (CareerArrays.from_dict(fetched(careers)) for careers in shared)
        timed = ray.remote(num_cpus=1, max_calls=1)(_timed_epoch)
        seconds, megabytes, checkpoint_bytes = ray.get(
            timed.remote(_first(train).to_dict(), _first(val).to_dict(), snapshot.encoder().vocab_size)
        )
    per_example = seconds / len(examples_of(_first(train), RESEARCH_DEFAULT.examples))
    default_s = per_example * train.num_careers
    other_s = per_example * len(examples_of(train, experiment.training.examples))
    others = epochs_of_others(experiment, space)
    # Models of different shapes are not stacked, so what stacking gains is not counted.
    processes = max(1, concurrent // settings.models_per_process)
    wall_s = (RESEARCH_DEFAULT.max_epochs * default_s + others * other_s) / processes
    # A running trial has its best epoch's weights (1) and two full checkpoints (3 each, with Adam's state).
    files = settings.keep_checkpoints + 1 + 7 * concurrent
    return Estimate(
        seconds_per_epoch=default_s,
        megabytes_per_trial=megabytes,
        concurrent=concurrent,
        epochs=RESEARCH_DEFAULT.max_epochs + others,
        wall_s=wall_s,
        disk_megabytes=files * checkpoint_bytes / 1e6,
    )


def epochs_of_others(experiment: Experiment, space: Space) -> float:
    """Return the epochs of all trials but the research default; repeats and `training` are never pruned."""
    settings, training = experiment.search, experiment.training
    points = start_points(settings, space, training, settings.trials)
    not_pruned = [
        point.params.max_epochs
        for point in points
        if point.origin in (TRAINING_ORIGIN, TRAINING_REPEAT_ORIGIN)
    ]
    not_pruned += [training.max_epochs] * num_repeats(settings, settings.trials)[1]
    num_pruned = settings.trials - 1 - len(not_pruned)
    return sum(not_pruned) + num_pruned * expected_epochs(settings.pruner, training)


def expected_epochs(pruner: PrunerSettings, params: Params) -> float:
    """Return the expected epochs of a trial if one trial in ``reduction_factor`` passes each rung.

    The Hyperband and median pruners are assumed to stop as many trials as successive halving.
    """
    if pruner.name == "none":
        return float(params.max_epochs)
    epochs, reached, share = 0.0, 0, 1.0
    rung = pruner.first_rung(params.max_epochs)
    while rung < params.max_epochs:
        epochs += share * (rung - reached)
        reached, rung, share = rung, rung * pruner.reduction_factor, share / pruner.reduction_factor
    return epochs + share * (params.max_epochs - reached)


def _timed_epoch(
    train: Mapping[str, Any], val: Mapping[str, Any], vocab_size: int
) -> tuple[float, float, int]:
    """Return seconds per epoch, resident megabytes, and checkpoint bytes without the optimizer's state."""
    import resource

    import torch

    from trajtune.model.checkpoint import without_optimizer
    from trajtune.model.training.fit import fit

    torch.set_num_threads(1)
    params = RESEARCH_DEFAULT.model_copy(update={"max_epochs": 2})
    arrays = (CareerArrays.from_dict(train), CareerArrays.from_dict(val))
    # The second epoch is timed, because the first one includes torch's one-time setup.
    for result in fit(params, *arrays, vocab_size, seed=0):
        seconds, checkpoint = result.seconds, result.checkpoint()
    buffer = io.BytesIO()
    torch.save(without_optimizer(checkpoint), buffer)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, len(buffer.getvalue())


def _first(arrays: CareerArrays) -> CareerArrays:
    """Return the first `TIMED_CAREERS` careers, with every column cut to their roles."""
    offsets = arrays.offsets[: TIMED_CAREERS + 1]
    columns = {name: column[: offsets[-1]] for name, column in arrays.to_dict().items() if name != "offsets"}
    return CareerArrays.from_dict({**columns, "offsets": np.asarray(offsets)})

"""Places trials: how many run at once on Ray's CPUs and GPUs, and on which device each trains."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from trajtune.errors import RunError
from trajtune.experiment.search_settings import SearchSettings


@dataclass(frozen=True)
class Placement:
    """How Ray places trials.

    Attributes:
        concurrent: Number of trials that run at once.
        resources: Resources of each trial, with Ray's names.
        device: Torch device.
    """

    concurrent: int
    resources: Mapping[str, float]
    device: str


def place(settings: SearchSettings, available: Mapping[str, float], *, can_grow: bool = False) -> Placement:
    """Give each process a CPU, and each trial the share of a GPU that the experiment asks for.

    Args:
        settings: ``max_concurrent``, ``gpus_per_trial`` and ``models_per_process`` are used.
        available: Ray's resources, for example from `ray.cluster_resources`.
        can_grow: Whether the cluster may add nodes, so that no trial needs to fit yet.

    Raises:
        RunError: If no trial fits and the cluster cannot grow. Trials never fall back to the CPU.
    """
    share, concurrent = settings.gpus_per_trial, num_concurrent(settings, available)
    if not share:
        if not concurrent and not can_grow:
            raise RunError(
                "A trial needs a CPU, but Ray finds none. Start a node that has some, or use an autoscaler."
            )
        return Placement(concurrent, {"cpu": cpus_per_trial(settings)}, "cpu")
    if not concurrent and not can_grow:
        raise RunError(
            f"`search.gpus_per_trial` is {share:g}, but Ray finds {available.get('GPU', 0.0):g} GPUs. "
            "Set it to 0 to train on the CPU, or resume where there is one."
        )
    return Placement(concurrent, {"cpu": cpus_per_trial(settings), "gpu": share}, "cuda")


def cpus_per_trial(settings: SearchSettings) -> float:
    """Return a trial's share of the CPU of its process, which Ray rounds to 1/10,000."""
    return math.floor(10_000 / settings.models_per_process) / 10_000


def num_concurrent(settings: SearchSettings, available: Mapping[str, float]) -> int:
    """Return how many trials run at once on Ray's present resources; nodes may join and leave."""
    fits = num_slots(settings, available)
    return min(settings.max_concurrent or fits, fits)


def num_slots(settings: SearchSettings, available: Mapping[str, float]) -> int:
    """Return how many trials fit, regardless of ``max_concurrent``."""
    fits, share = int(available.get("CPU", 0) / cpus_per_trial(settings)), settings.gpus_per_trial
    if share:
        gpus = available.get("GPU", 0.0)
        # A share is of a single GPU: 0.4 fits twice on each GPU, so four times on two GPUs, not five times.
        fits = min(fits, int(gpus) * int(1 / share) if share <= 1 else int(gpus / share))
    return fits

"""Where trials run: how many at once on the CPUs and GPUs that Ray finds, and on which device each trains."""

from collections.abc import Mapping
from dataclasses import dataclass

from trajtune.errors import RunError
from trajtune.experiment.settings import SearchSettings


@dataclass(frozen=True)
class Placement:
    """How Ray places trials.

    Attributes:
        concurrent: Trials at once.
        resources: Of each trial, as Ray names them.
        device: Where torch trains.
    """

    concurrent: int
    resources: Mapping[str, float]
    device: str


def place(settings: SearchSettings, found: Mapping[str, float]) -> Placement:
    """A CPU a trial, and the share of a GPU that the experiment asks for.

    Args:
        settings: Gives ``max_concurrent`` and ``gpus_per_trial``.
        found: What Ray has, as `ray.cluster_resources` says.

    Raises:
        RunError: If there are too few GPUs for one trial; nothing falls back to the CPU.
    """
    share, at_once = settings.gpus_per_trial, num_concurrent(settings, found)
    if not share:
        return Placement(at_once, {"cpu": 1}, "cpu")
    if not at_once:
        raise RunError(
            f"`search.gpus_per_trial` is {share:g}, but Ray finds {found.get('GPU', 0.0):g} GPUs. "
            "Set it to 0 to train on the CPU, or resume where there is one."
        )
    return Placement(at_once, {"cpu": 1, "gpu": share}, "cuda")


def num_concurrent(settings: SearchSettings, found: Mapping[str, float]) -> int:
    """How many trials fit at once on what Ray has now; nodes may join and leave."""
    fits, share = int(found.get("CPU", 1)), settings.gpus_per_trial
    if share:
        gpus = found.get("GPU", 0.0)
        # A trial's share is of one GPU: three of 0.4 do not fit on one, whatever two GPUs add up to.
        fits = min(fits, int(gpus) * int(1 / share) if share <= 1 else int(gpus / share))
    return min(settings.max_concurrent or fits, fits)

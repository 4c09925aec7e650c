"""Selects the trainings that are averaged in the exported graph, from the best configurations.

Networks of different configurations make different errors. So their mean is better than the mean of equally
many seeds of the best configuration, at the same size. It also depends less on a lucky choice.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np

from trajtune.finalizing.mixture import Losses, ValLosses
from trajtune.finalizing.selection import Refit


def averaged_refits(refits: Mapping[str, Sequence[Refit]], losses: ValLosses) -> list[Refit]:
    """Return the refits whose mean is exported.

    The means of the best configuration, of the best two, and so on are compared on val, each mixed with the
    n-gram. The result has the largest number of configurations whose loss exceeds the smallest loss by at
    most the standard error of that difference.

    Args:
        refits: Refits of each eligible configuration, ordered by seed; the best configuration is first.
        losses: Losses of all these refits on val.
    """
    names = list(refits)
    size = max(len(own) for own in refits.values())
    means = [_take_by_seed(refits, names[:number], max(size, number)) for number in range(1, len(names) + 1)]
    found = [losses.mixed(mean)[1] for mean in means]
    smallest = min(found, key=_mean)
    return next(
        mean for mean, own in zip(reversed(means), reversed(found), strict=True) if _is_as_good(own, smallest)
    )


def _take_by_seed(refits: Mapping[str, Sequence[Refit]], names: Sequence[str], size: int) -> list[Refit]:
    """Return ``size`` refits: the first seed of each configuration, then the second of each, and so on."""
    rounds = zip_longest(*(refits[name] for name in names))
    return [refit for seed in rounds for refit in seed if refit is not None][:size]


def _is_as_good(losses: Losses, smallest: Losses) -> bool:
    difference = (losses - smallest)[~np.isnan(smallest)]
    if not len(difference):
        return True
    return bool(difference.mean() <= difference.std() / np.sqrt(len(difference)))


def _mean(losses: Losses) -> float:
    return float(np.nanmean(losses)) if not np.isnan(losses).all() else 0.0

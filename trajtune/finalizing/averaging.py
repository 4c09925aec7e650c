"""Which trainings are averaged in the exported graph: some of each of the best configurations.

Networks of different configurations err in different places, so their mean is better than that of as many
seeds of the best one, at the same size. It also rests less on the luck of choosing one.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np

from trajtune.finalizing.mixture import Losses, ValLosses
from trajtune.finalizing.selection import Refit


def averaged_refits(refits: Mapping[str, Sequence[Refit]], losses: ValLosses) -> list[Refit]:
    """The refits whose mean is exported.

    The mean of the best configuration alone, of the best two, and so on, are compared on val, each mixed with
    the n-gram. The largest number of configurations is taken whose loss is above the least by no more than
    the standard error of that difference.

    Args:
        refits: Of each configuration that may win, seed by seed, the best configuration first.
        losses: On val, of all of them.
    """
    names = list(refits)
    size = max(len(own) for own in refits.values())
    means = [_spread(refits, names[:number], max(size, number)) for number in range(1, len(names) + 1)]
    found = [losses.mixed(mean)[1] for mean in means]
    least = min(found, key=_mean)
    return next(
        mean for mean, own in zip(reversed(means), reversed(found), strict=True) if _as_good(own, least)
    )


def _spread(refits: Mapping[str, Sequence[Refit]], names: Sequence[str], size: int) -> list[Refit]:
    """So many refits: the first seed of each configuration, then the second of each, and so on."""
    rounds = zip_longest(*(refits[name] for name in names))
    return [refit for seed in rounds for refit in seed if refit is not None][:size]


def _as_good(losses: Losses, least: Losses) -> bool:
    difference = (losses - least)[~np.isnan(least)]
    if not len(difference):
        return True
    return bool(difference.mean() <= difference.std() / np.sqrt(len(difference)))


def _mean(losses: Losses) -> float:
    return float(np.nanmean(losses)) if not np.isnan(losses).all() else 0.0

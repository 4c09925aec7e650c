"""Pruners, which stop trials early: asynchronous successive halving, or another of Optuna's pruners.

Optuna's SuccessiveHalvingPruner makes the same decisions. But it records in the study that a trial has
passed a rung *before* the search acts on the decision. If the search is killed in between, the decision is
lost and the trial continues. Here a rung is defined only by the values that trials reported at its epoch.
"""

import math
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

from trajtune.experiment.search_settings import PrunerSettings

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


class AshaPruner(BasePruner):
    """Asynchronous successive halving (Li et al., MLSys 2020).

    Rungs are the epochs ``grace_period * reduction_factor**k``. At a rung, a trial continues if its value
    is among the best ``1 / reduction_factor`` of the values reported there so far. While there are fewer
    than ``reduction_factor`` values, only the best one continues. A trial with NaN never continues. The
    decision depends only on the study, so it can be repeated.
    """

    def __init__(self, grace_period: int, reduction_factor: int) -> None:
        self._grace_period, self._reduction_factor = grace_period, reduction_factor

    def prune(self, study: "optuna.Study", trial: "FrozenTrial") -> bool:
        """Return whether ``trial`` should stop after the last epoch that it reported."""
        epoch = trial.last_step
        if epoch is None or not self._is_rung(epoch):
            return False
        value = trial.intermediate_values[epoch]
        if math.isnan(value):
            return True
        sign = -1 if study.direction.name == "MAXIMIZE" else 1
        reported = sorted(
            sign * other.intermediate_values[epoch]
            for other in study.get_trials(deepcopy=False)
            if not math.isnan(other.intermediate_values.get(epoch, math.nan))
        )
        promoted = max(1, len(reported) // self._reduction_factor)
        return sign * value > reported[promoted - 1]

    def _is_rung(self, epoch: int) -> bool:
        rung = self._grace_period
        while rung < epoch:
            rung *= self._reduction_factor
        return rung == epoch


def make_pruner(settings: PrunerSettings, max_epochs: int) -> BasePruner:
    """Create the experiment's pruner for trials of at most ``max_epochs`` epochs."""
    grace_period, reduction_factor = settings.first_rung(max_epochs), settings.reduction_factor
    if settings.name == "none":
        return NopPruner()
    if settings.name == "median":
        return MedianPruner(n_warmup_steps=grace_period)
    if settings.name == "hyperband":
        return HyperbandPruner(grace_period, max(max_epochs, grace_period), reduction_factor)
    return AshaPruner(grace_period, reduction_factor)

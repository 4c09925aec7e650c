"""Which of Optuna's samplers suggests a trial, and with which random state."""

import warnings
from typing import TYPE_CHECKING

from trajtune.experiment.settings import SearchSettings
from trajtune.experiment.space import Space

if TYPE_CHECKING:
    import optuna


def make_sampler(settings: SearchSettings, number: int, space: Space) -> "optuna.samplers.BaseSampler":
    """The sampler for trial ``number``.

    Its random state depends on the seed and the number alone, so that a resumed search suggests
    what an uninterrupted one would have.
    """
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0])
    if settings.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if settings.sampler == "gp":
        return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)
    if settings.sampler == "cmaes":
        from trajtune.search.study.cma import CmaSampler

        return CmaSampler(space, study_seed=settings.seed, trial_seed=seed)
    if settings.sampler == "qmc":
        # One sequence for the whole study; its position stands in the study.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.QMCSampler(
                scramble=True, seed=settings.seed, warn_independent_sampling=False
            )
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=space.has_conditions)

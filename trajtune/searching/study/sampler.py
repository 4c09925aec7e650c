"""Creates the sampler that suggests the params of a trial, with its random state.

`search.sampler` names one of four Optuna samplers, or any sampler class by its import path. A new sampler is
created for each trial, so that a resumed search suggests the same params as an uninterrupted one. Its random
state depends only on the seed and the trial's number; everything else must come from the study.
"""

import importlib
import inspect
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from trajtune.errors import ExperimentError
from trajtune.experiment.load import did_you_mean
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import Choice, Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_CLASSES: Final = {"tpe": "TPESampler", "random": "RandomSampler", "gp": "GPSampler", "qmc": "QMCSampler"}
"""Names of samplers in an experiment, and their classes in `optuna.samplers`."""

_REFUSALS: Final = (ImportError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""Exceptions of a sampler that does not support its arguments, the space or the number of objectives."""


def sampler_for_trial(settings: SearchSettings, number: int, space: Space, base: Params) -> "BaseSampler":
    """Create the sampler for trial ``number``, which sees the trials that `SampledStudy` lists.

    Optuna's GPSampler learns only from complete trials, so it sees stopped trials as complete.

    Raises:
        ExperimentError: See `make_sampler`.
    """
    from optuna.samplers import GPSampler

    from trajtune.searching.study.sampled_study import SampledTrialsSampler, known_trial

    sampler = make_sampler(settings, number, space, base)
    known = []
    for trial in settings.known_trials:
        params = Params.model_validate({**space.resolve(base, {}).model_dump(), **trial.params})
        # After a change of the space, some known trials may lie outside.
        if not space.outside(params) and not space.differences(params, base):
            values = space.searched_values(params)
            known.append(known_trial(values, space.distributions(values), trial.value))
    return SampledTrialsSampler(sampler, known, count_stopped=isinstance(sampler, GPSampler))


def make_sampler(settings: SearchSettings, number: int, space: Space, base: Params) -> "BaseSampler":
    """Create the sampler for trial ``number`` of a search around ``base``.

    Raises:
        ExperimentError: If there is no such sampler, or if it does not accept ``search.sampler_kwargs``.
    """
    import numpy as np
    from optuna.exceptions import ExperimentalWarning

    sampler_class = _sampler_class(settings.sampler)
    taken = inspect.signature(sampler_class).parameters
    _check_kwargs(settings, taken)
    seed = int(np.random.SeedSequence([settings.seed, number]).generate_state(1)[0])
    defaults = _defaults(settings, space) | _first_mean(sampler_class, settings, space, base)
    if "seed" in taken:
        defaults = {"seed": seed, **defaults}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "`(x0|sigma0)` has been deprecated", FutureWarning)
        return sampler_class(**{**defaults, **settings.sampler_kwargs})


def check_sampler(settings: SearchSettings, space: Space, base: Params) -> None:
    """Check that the sampler can be created and suggests a first point of the space around ``base``.

    Raises:
        ExperimentError: If it cannot, or if `search.prior` names params that the space does not search.
    """
    import optuna

    from trajtune.experiment.objective import DIRECTIONS
    from trajtune.searching.prior import check_prior
    from trajtune.searching.study.suggestion import suggest

    check_prior(settings.prior, space)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=[DIRECTIONS[metric] for metric in settings.metrics])
    try:
        study.sampler = sampler_for_trial(settings, 0, space, base)
        suggest(study.ask(), space)
    except ExperimentError:
        raise
    except _REFUSALS as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ExperimentError(
            f"The sampler {settings.sampler} with `sampler_kwargs` {settings.sampler_kwargs} must suggest "
            f"params of {settings.space} for {', '.join(settings.metrics)}, but {type(error).__name__}: "
            f"{reason}. Correct its arguments, or choose another sampler."
        ) from error


def _sampler_class(name: str) -> "type[BaseSampler]":
    """Return a built-in sampler's class, or the class at an import path.

    Raises:
        ExperimentError: If the module cannot be imported, or if it has no such sampler.
    """
    from optuna.samplers import BaseSampler

    module_name, _, class_name = (
        name.rpartition(":") if ":" in name else ("optuna.samplers", "", _CLASSES[name])
    )
    rule = f"`search.sampler: {name}` must be the import path of an Optuna sampler"
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ExperimentError(
            f"{rule}, but {module_name} cannot be imported: {error}. Install it, or put its folder on "
            "PYTHONPATH."
        ) from error
    samplers = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseSampler)
    }
    if class_name not in samplers:
        raise ExperimentError(
            f"{rule}, but {module_name} has no sampler {class_name}. {did_you_mean(class_name, samplers)}"
            "Name a subclass of optuna.samplers.BaseSampler."
        )
    return samplers[class_name]


def _check_kwargs(settings: SearchSettings, taken: Mapping[str, inspect.Parameter]) -> None:
    """Refuse keyword arguments that the sampler's class does not accept."""
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    unknown = sorted(set(settings.sampler_kwargs) - set(taken))
    if unknown:
        raise ExperimentError(
            f"`search.sampler_kwargs` must be arguments of the sampler {settings.sampler}, but it has no "
            f"{', '.join(unknown)}. {did_you_mean(unknown[0], taken)}It takes {', '.join(taken)}."
        )


def _defaults(settings: SearchSettings, space: Space) -> dict[str, Any]:
    """Return arguments for the built-in samplers that differ from Optuna's defaults."""
    if settings.sampler == "tpe":
        return {"multivariate": True, "group": space.has_conditions}
    if settings.sampler == "gp":
        # Some trials are hidden from the sampler. With 8, the thirteenth trial is no longer random.
        return {"warn_independent_sampling": False, "n_startup_trials": 8}
    if settings.sampler == "qmc":
        # All trials share one sequence; the study records the position in it.
        return {"scramble": True, "seed": settings.seed, "warn_independent_sampling": False}
    return {}


def _first_mean(
    sampler_class: "type[BaseSampler]", settings: SearchSettings, space: Space, base: Params
) -> dict[str, Any]:
    """Return the start of CMA-ES, the experiment's training; its default is the centre of the space."""
    from optuna.samplers import CmaEsSampler

    if not issubclass(sampler_class, CmaEsSampler) or "source_trials" in settings.sampler_kwargs:
        return {}
    values = base.model_dump()
    return {
        "x0": {
            name: min(max(values[name], entry.low), entry.high)
            for name, entry in space.searched.items()
            if not isinstance(entry, Choice)
        }
    }

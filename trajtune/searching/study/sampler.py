"""Creates the sampler that suggests the params of a trial, with its random state.

`search.sampler` names one of four Optuna samplers, or any sampler class by its import path. A new sampler is
created for each trial, so that a resumed search suggests the same params as an uninterrupted one. Its random
state depends only on the seed and the trial's number; everything else must come from the study.

With `search.prior`, Optuna's GPSampler weighs its acquisition function with the prior, see `PriorGPSampler`.
"""

import importlib
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import GPSampler
from optuna.trial import TrialState

from trajtune.errors import ExperimentError
from trajtune.experiment.load import did_you_mean
from trajtune.experiment.params import Params
from trajtune.experiment.prior import PriorSettings
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import Choice, Space
from trajtune.searching.prior import UnitPrior, center_of, unit_prior

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

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
        arguments = {**defaults, **settings.sampler_kwargs}
        if sampler_class is GPSampler and settings.prior is not None:
            return PriorGPSampler(settings.prior, space, base, **arguments)
        return sampler_class(**arguments)


class PriorGPSampler(GPSampler):
    """Optuna's GPSampler, which weighs its acquisition function with a prior.

    The acquisition of a point is multiplied by ``prior(point) ** (trials / ended)``, with
    `PriorSettings.trials` and the number of ended trials (πBO, Hvarfner et al., ICLR 2022). So suggestions
    are near the centre of the prior at first, and later depend only on what the trials showed.

    Args:
        prior: The prior.
        space: The search space.
        base: The experiment's ``training``.
        arguments: Arguments of `GPSampler`.
    """

    def __init__(self, prior: PriorSettings, space: Space, base: Params, **arguments: Any) -> None:
        if not hasattr(GPSampler, "_optimize_acqf"):
            raise ExperimentError(
                "`search.prior` with `sampler: gp` needs a GPSampler whose acquisition can be weighed, but "
                "this version of Optuna has none. Install optuna 5.0, or use `sampler: tpe`."
            )
        super().__init__(**arguments)
        self._prior, self._space, self._center = prior, space, center_of(prior, base)
        self._ended, self._names = 0, list[str]()

    def models_with_prior(self, study: "Study") -> bool:
        """Return whether enough trials have ended for the model; before that, the sampler draws at random."""
        return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) >= self._n_startup_trials

    def sample_relative(
        self, study: "Study", trial: "FrozenTrial", search_space: "dict[str, BaseDistribution]"
    ) -> dict[str, Any]:
        """Return the suggestion for the jointly suggested params."""
        self._ended = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
        self._names = list(search_space)
        found: dict[str, Any] = super().sample_relative(study, trial, search_space)
        return found

    def _optimize_acqf(self, acqf: Any, best_params: "NDArray[np.float64] | None") -> "NDArray[np.float64]":
        """Maximise the weighted acquisition. Optuna means this method to be overridden."""
        weight = self._prior.trials / max(1, self._ended)
        priors = [
            unit_prior(self._prior, self._center, name, self._space.searched[name]) for name in self._names
        ]
        weighed: Any = _WeighedAcquisition(acqf, priors, weight)
        found: NDArray[np.float64] = super()._optimize_acqf(weighed, best_params)
        return found


class _WeighedAcquisition:
    """An acquisition function of Optuna, a logarithm, plus the weighed logarithm of a prior."""

    def __init__(self, acqf: Any, priors: Sequence[UnitPrior], weight: float) -> None:
        self._acqf, self._priors, self._weight = acqf, priors, weight
        self.length_scales, self.search_space = acqf.length_scales, acqf.search_space

    def eval_acqf(self, x: "torch.Tensor") -> "torch.Tensor":
        """Return the values at points of the unit cube ``[..., params]``; a choice is its index."""
        import torch

        log_prior = torch.zeros(x.shape[:-1], dtype=torch.float64)
        for at, prior in enumerate(self._priors):
            if isinstance(prior, tuple):
                log_prior = log_prior + torch.tensor(prior, dtype=torch.float64)[x[..., at].long()]
            else:
                log_prior = log_prior - ((x[..., at] - prior.mean) / prior.stdev) ** 2 / 2
        values: torch.Tensor = self._acqf.eval_acqf(x) + self._weight * log_prior
        return values

    def eval_acqf_no_grad(self, x: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the values at some points."""
        import torch

        with torch.no_grad():
            values: NDArray[np.float64] = self.eval_acqf(torch.from_numpy(x)).numpy()
        return values

    def eval_acqf_with_grad(self, x: "NDArray[np.float64]") -> "tuple[float, NDArray[np.float64]]":
        """Return the value at a point, and its gradient."""
        import torch

        point = torch.from_numpy(x).requires_grad_(True)
        value = self.eval_acqf(point)
        value.backward()  # type: ignore[no-untyped-call]
        assert point.grad is not None
        return value.item(), point.grad.numpy()


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

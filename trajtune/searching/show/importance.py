"""How much each searched param decides whether a trial is among the best tenth.

All trials that the sampler sees count, also those that were stopped early; see
`searching.study.sampled_study`.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from trajtune.experiment.objective import cost
from trajtune.searching.study.retries import retried
from trajtune.searching.study.sampled_study import SampledStudy

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna
    from optuna.trial import FrozenTrial

ENOUGH_FOR_IMPORTANCE: Final = 10
"""Fewest trials for importances: with ten, the best tenth is one trial."""


@retried
def param_importances(study: "optuna.Study", metrics: Sequence[str]) -> dict[str, dict[str, float]] | str:
    """The importance of each param for each metric, the largest first; or why there are none."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    view = SampledStudy(study, count_stopped=True)
    trials = view.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(trials) < ENOUGH_FOR_IMPORTANCE:
        return (
            f"Importances need {ENOUGH_FOR_IMPORTANCE} trials with a value, so that the best tenth has one; "
            f"there are {len(trials)}."
        )
    values: dict[str, set[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    names = sorted(name for name, different in values.items() if len(different) > 1)
    if not names:
        return "Every trial has the same parameters, so none can be called important."
    found = {}
    with warnings.catch_warnings():  # of few trials and of conditional params, which the page mentions itself
        warnings.simplefilter("ignore")
        for index, metric in enumerate(metrics):
            found[metric] = get_param_importances(
                view, evaluator=PedAnovaImportanceEvaluator(), params=names, target=_cost(metric, index)
            )
    return {metric: {name: float(value) for name, value in each.items()} for metric, each in found.items()}


def _cost(metric: str, index: int) -> "Callable[[FrozenTrial], float]":
    """An objective to be minimised, as PED-ANOVA expects it."""
    return lambda trial: cost(metric, trial.values[index])

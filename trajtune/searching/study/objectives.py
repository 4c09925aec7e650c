"""What a study searches for: its objectives, and the constraints that a winner must keep."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from trajtune.experiment.objective import parse_constraint
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.study.retries import retried

if TYPE_CHECKING:
    import optuna
    from optuna.trial import Trial

_METRICS_ATTRIBUTE: Final = "metrics"
_CONSTRAINTS_ATTRIBUTE: Final = "constraints"


@retried
def record_objectives(study: "optuna.Study", settings: SearchSettings) -> None:
    """Write what a new study searches for; a study that holds it already is left as it is."""
    if _METRICS_ATTRIBUTE not in study.user_attrs:
        study.set_user_attr(_METRICS_ATTRIBUTE, list(settings.metrics))
        study.set_user_attr(_CONSTRAINTS_ATTRIBUTE, settings.constraints)


@retried
def objectives(study: "optuna.Study") -> tuple[str, ...]:
    """The metrics that a study searches for, the deciding one first."""
    # A study from before there was a choice has no such attribute, nor has one that is being made.
    return tuple(study.user_attrs.get(_METRICS_ATTRIBUTE, ["val_next_role_nll"]))


@retried
def has_several_objectives(study: "optuna.Study") -> bool:
    """Whether the study has a Pareto front and no pruning."""
    return len(study.directions) > 1


@retried
def record_violations(study: "optuna.Study", trial: "Trial", report: Mapping[str, Any]) -> None:
    """Tell Optuna how far ``trial`` is from keeping each constraint; what it was told once stays."""
    for text in study.user_attrs.get(_CONSTRAINTS_ATTRIBUTE, []):
        if text not in trial.constraints:
            trial.set_constraint(text, parse_constraint(text).violation(report))

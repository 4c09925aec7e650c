"""The objectives of a study, and the constraints that the winning trial must meet."""

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
    """Write objectives and constraints to a new study; a study that already has them is not changed."""
    if _METRICS_ATTRIBUTE not in study.user_attrs:
        study.set_user_attr(_METRICS_ATTRIBUTE, list(settings.metrics))
        study.set_user_attr(_CONSTRAINTS_ATTRIBUTE, settings.constraints)


@retried
def objectives(study: "optuna.Study") -> tuple[str, ...]:
    """Return the metrics that a study optimises, starting with the first objective."""
    # The attribute is missing in studies of earlier versions and in a study that is being created.
    return tuple(study.user_attrs.get(_METRICS_ATTRIBUTE, ["val_next_role_nll"]))


@retried
def has_several_objectives(study: "optuna.Study") -> bool:
    """Return whether the study has several objectives, and so a Pareto front and no pruning."""
    return len(study.directions) > 1


@retried
def record_violations(study: "optuna.Study", trial: "Trial", report: Mapping[str, Any]) -> None:
    """Record in Optuna by how much ``trial`` violates each constraint; values already recorded are kept."""
    for text in study.user_attrs.get(_CONSTRAINTS_ATTRIBUTE, []):
        if text not in trial.constraints:
            trial.set_constraint(text, parse_constraint(text).violation(report))

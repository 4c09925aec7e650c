"""The Optuna study of a run, which records a search: asks for trials, records epochs and tells results.

The functions below write everything that is known about a trial, and `searching.study.trial_records` reads it
back. A trial has these user attributes:

- ``params``: its complete `Params`, which are trained; Optuna's params are only the searched ones;
- ``origin``: where its params come from, see `searching.study.origins`;
- ``differs_in``: for a queued trial, the names of unsearched settings in which it differs from the
  experiment;
- ``repeat_of`` and ``seed``: for a repeat, the number of the trial whose params it trains, and its seed;
- ``epoch_0001``, ``epoch_0002``, ...: the report of each epoch, written before its value;
- ``error``: one line, for a trial that failed;
- ``damage``: one line, for a trial that met damaged checkpoints and continued from earlier ones;
- ``duplicate_of``: for a duplicate, the number of the trial whose results it has.

The study has the attributes ``metrics``, its objectives in order, and ``constraints``. The amounts by which
a trial violates the constraints are in Optuna's constraints of the trial.

Each function is safe to repeat with the same arguments. A resumed search does not know how far the last
writer got, and a database may have executed a statement without answering. Knows nothing of Ray and torch.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from trajtune.experiment.objective import best_epoch
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import Space
from trajtune.searching.prior import draw_from_prior
from trajtune.searching.study.epochs import epoch_attribute, recorded_epochs, reports
from trajtune.searching.study.objectives import has_several_objectives, objectives, record_violations
from trajtune.searching.study.origins import PRIOR_ORIGIN, SAMPLER_ORIGIN
from trajtune.searching.study.retries import retried, with_retries
from trajtune.searching.study.sampled_study import SampledStudy, SampledTrialsSampler, is_sampled
from trajtune.searching.study.sampler import sampler_for_trial

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial, TrialState

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


@retried
def trials_of(study: "optuna.Study", *states: "TrialState") -> "list[FrozenTrial]":
    """Return the trials of a study, ordered by number; all of them, or those in one of ``states``."""
    return study.get_trials(deepcopy=False, states=states or None)


def ask(study: "optuna.Study", space: Space, settings: SearchSettings, base: Params) -> "Trial":
    """Return a new trial with its params, from the queue of start points or suggested by the sampler."""
    from optuna.trial import TrialState

    trials = trials_of(study)
    waiting = (trial.number for trial in trials if trial.state == TrialState.WAITING)
    return ask_again(study, next(waiting, len(trials)), space, settings, base)


@retried
def ask_again(
    study: "optuna.Study", number: int, space: Space, settings: SearchSettings, base: Params
) -> "Trial":
    """Return trial ``number`` with its params, and start it unless it is RUNNING already.

    If an earlier process asked for the trial but wrote no params, it gets the params that it would have got.
    """
    from optuna.trial import Trial, TrialState

    # A new sampler is created in each attempt, because a failed attempt has consumed random numbers.
    study.sampler = sampler_for_trial(settings, number, space, base)
    frozen = study.get_trials(deepcopy=False)[number : number + 1]
    is_started = bool(frozen) and frozen[0].state != TrialState.WAITING
    trial = Trial(study, frozen[0]._trial_id) if is_started else study.ask()
    return _with_params(trial, space, settings, base)


def enqueue(
    study: "optuna.Study", space: Space, params: Params, origin: str, attributes: Mapping[str, Any] = EMPTY
) -> None:
    """Queue a point to train exactly as given, with additional ``attributes``."""
    number = len(trials_of(study))

    def add() -> None:
        if len(study.get_trials(deepcopy=False)) == number:
            study.enqueue_trial(
                space.searched_values(params),
                user_attrs={**attributes, "origin": origin, "params": params.model_dump(mode="json")},
            )

    with_retries(study, add)


@retried
def record_epoch(study: "optuna.Study", trial: "Trial", metric: str, report: Mapping[str, Any]) -> None:
    """Write the report of an epoch; an epoch that the study already has is not changed.

    Args:
        study: The study.
        trial: The trial.
        metric: Name of the trial's objective in ``report``.
        report: ``epoch`` and the metrics of that epoch; undefined metrics are None.
    """
    epoch, several = int(report["epoch"]), has_several_objectives(study)
    if epoch in recorded_epochs(_frozen(study, trial), several=several):
        return
    trial.set_user_attr(epoch_attribute(epoch), dict(report))
    if not several:  # Optuna accepts no intermediate values with several objectives
        trial.report(float(report[metric]), epoch)


@retried
def record_damage(study: "optuna.Study", trial: "Trial", damage: str) -> None:
    """Write a one-line description of a trial's damaged checkpoints."""
    trial.set_user_attr("damage", damage)


def num_recorded(study: "optuna.Study", trial: "Trial") -> int:
    """Return the number of recorded epochs of a trial."""
    return len(recorded_epochs(_frozen(study, trial), several=has_several_objectives(study)))


def num_epochs(study: "optuna.Study") -> int:
    """Return the number of recorded epochs of all trials."""
    several = has_several_objectives(study)
    return sum(len(recorded_epochs(frozen, several=several)) for frozen in trials_of(study))


def should_prune(study: "optuna.Study", trial: "Trial") -> bool:
    """Return whether the study's pruner stops a trial after its last epoch; never with several objectives.

    The pruner compares the trial with those that `SampledStudy` lists.
    """
    if has_several_objectives(study):
        return False
    return with_retries(study, lambda: study.pruner.prune(SampledStudy(study), _frozen(study, trial)))


def tell_complete(study: "optuna.Study", trial: "Trial") -> None:
    """Record that a trial ran to its end; its values are those of its best epoch by the first objective."""
    from optuna.trial import TrialState

    report = _best_report(study, trial)
    if report is None:
        tell_failed(study, trial, "The trial has no epoch with a finite objective.")
        return
    values: list[float] = []
    for metric in objectives(study):
        if report.get(metric) is None:
            tell_failed(study, trial, f"`{metric}` must be a number, but is undefined on these val careers.")
            return
        values.append(report[metric])
    record_violations(study, trial, report)
    _tell(study, trial, TrialState.COMPLETE, values)


def tell_pruned(study: "optuna.Study", trial: "Trial") -> None:
    """Record that a trial was stopped early; with one objective, Optuna keeps its last value."""
    from optuna.trial import TrialState

    report = _best_report(study, trial)
    if report is not None:
        record_violations(study, trial, report)
    _tell(study, trial, TrialState.PRUNED)


def tell_failed(study: "optuna.Study", trial: "Trial", error: str) -> None:
    """Record that a trial failed, with a one-line reason."""
    from optuna.trial import TrialState

    with_retries(study, lambda: trial.set_user_attr("error", error))
    _tell(study, trial, TrialState.FAIL)


def find_original(study: "optuna.Study", trial: "Trial") -> "FrozenTrial | None":
    """Return the first earlier trial with the same params and seed, or None if ``trial`` must be trained.

    Failed trials are ignored, because the same params may succeed on another node or at another time.
    """
    from optuna.trial import TrialState

    attributes = trial.user_attrs
    params, seed = attributes["params"], attributes.get("seed")
    for earlier in trials_of(study)[: trial.number]:
        if (
            earlier.state not in (TrialState.FAIL, TrialState.WAITING)
            and earlier.user_attrs.get("params") == params
            and earlier.user_attrs.get("seed") == seed
        ):
            return earlier
    return None


def tell_duplicate(study: "optuna.Study", trial: "Trial", original: int) -> None:
    """Give ``trial`` the results of the finished trial number ``original``, which has the same params."""
    finished = trials_of(study)[original]
    with_retries(study, lambda: trial.set_user_attr("duplicate_of", original))
    for report in reports(finished, several=has_several_objectives(study)):
        record_epoch(study, trial, objectives(study)[0], report)
    if finished.state.name == "COMPLETE":
        tell_complete(study, trial)
    else:
        tell_pruned(study, trial)


def _with_params(trial: "Trial", space: Space, settings: SearchSettings, base: Params) -> "Trial":
    from trajtune.searching.study.suggestion import set_params, suggest

    if "params" not in trial.user_attrs:
        sampler = trial.study.sampler
        weighs_prior = isinstance(sampler, SampledTrialsSampler) and sampler.weighs_prior(trial.study)
        drawn = draw_from_prior(
            None if weighs_prior else settings.prior,
            space,
            base,
            seed=settings.seed,
            number=trial.number,
            ended=_num_ended(trial.study),
        )
        trial.set_user_attr("origin", SAMPLER_ORIGIN if drawn is None else PRIOR_ORIGIN)
        params = space.resolve(base, suggest(trial, space) if drawn is None else drawn)
        trial.set_user_attr("params", params.model_dump(mode="json"))
    set_params(trial, space, space.searched_values(Params.model_validate(trial.user_attrs["params"])))
    return trial


def _num_ended(study: "optuna.Study") -> int:
    """Return the number of trials that the sampler may learn from."""
    return sum(
        frozen.state.name in ("COMPLETE", "PRUNED") and is_sampled(frozen) for frozen in trials_of(study)
    )


def _frozen(study: "optuna.Study", trial: "Trial") -> "FrozenTrial":
    return trials_of(study)[trial.number]


def _best_report(study: "optuna.Study", trial: "Trial") -> dict[str, Any] | None:
    """Return the report of the best epoch by the first objective, or None if no epoch has a finite one."""
    found = reports(_frozen(study, trial), several=has_several_objectives(study))
    return best_epoch(found, objectives(study)[0])


@retried
def _tell(
    study: "optuna.Study", trial: "Trial", state: "TrialState", values: Sequence[float] | None = None
) -> None:
    """Write how a trial ended; on a retry, an earlier attempt may already have written it."""
    told = study.tell(trial, values, state=state, skip_if_finished=True)
    assert told.state == state, f"trial {trial.number} is {told.state.name} and cannot become {state.name}"

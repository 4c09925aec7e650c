"""Another search space for a study that has trials: which are accepted, and how samplers see earlier trials.

Optuna stores a distribution with each param. Trials of an earlier space have other distributions, or lack a
param. So the study records the present space, and `in_present_space` returns each trial with the params and
distributions that it would have there. Its complete `Params` are recorded in any case.

Optuna accepts other bounds for a recorded param, but no other choices, kind or scale. Such a param is no
longer written to Optuna's own record (`unwritable`), only to the trial's complete params.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from trajtune.experiment.params import Params
from trajtune.experiment.space import Space
from trajtune.searching.study.origins import RESEARCH_DEFAULT_ORIGIN
from trajtune.searching.study.retries import retried

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

SPACE: Final = "space"
"""Attribute of a study whose space was changed: ``space`` and ``since``, the first trial asked for in it."""

_KEPT: Final = "constraints"
"""Prefix of the attributes of a trial that do not belong to a sampler."""


def outside(trials: "Sequence[FrozenTrial]", space: Space, training: Params) -> str | None:
    """Return why ``space`` cannot replace the space of some trials, as a clause, or None if it can.

    Every trial with params must lie in the space. Trials that the sampler sees must also equal ``training``
    in all settings that are not searched. Failed trials may lie outside, because nothing learns from them.
    """
    for trial in trials:
        if "params" not in trial.user_attrs or trial.state.name == "FAIL":
            continue
        params = Params.model_validate(trial.user_attrs["params"])
        if faults := space.outside(params):
            return f"of trial {trial.number} {faults[0]}"
        # A trial that differs in unsearched settings is hidden from the sampler, and may go on differing.
        attributes = trial.user_attrs
        if attributes.get("differs_in") or attributes.get("origin") == RESEARCH_DEFAULT_ORIGIN:
            continue
        if differing := space.differences(params, training):
            name = differing[0]
            expected = getattr(space.resolve(training, space.searched_values(params)), name)
            return (
                f"of trial {trial.number} `{name}` is {getattr(params, name)!r}, but would be {expected!r}, "
                "because the space does not search it"
            )
    return None


@retried
def record_space(study: "optuna.Study", space: Space, since: int) -> None:
    """Record the present space of a study, in which trials are asked for from number ``since`` on."""
    content = {"since": since, "space": space.model_dump(mode="json", exclude_defaults=True)}
    if study.user_attrs.get(SPACE) != content:
        study.set_user_attr(SPACE, content)


class PresentSpace:
    """Shows the trials of a study in its present space; those of an unchanged study stay as they are."""

    def __init__(self, study: "optuna.Study") -> None:
        content = study.user_attrs.get(SPACE)
        self._space = None if content is None else Space.model_validate(content["space"])
        self._since = 0 if content is None else int(content["since"])

    def of(self, trials: "list[FrozenTrial]") -> "list[FrozenTrial]":
        """Return the trials with the params and distributions of the present space.

        Trials of an earlier space lose the attributes of their sampler, for example the state of CMA-ES,
        which depends on the space.
        """
        space = self._space
        return trials if space is None else [self._shown(trial, space) for trial in trials]

    def _shown(self, trial: "FrozenTrial", space: Space) -> "FrozenTrial":
        if "params" not in trial.user_attrs or trial.state.name == "WAITING":
            return trial
        params = Params.model_validate(trial.user_attrs["params"])
        if space.outside(params):
            return trial  # a failed trial
        values = space.searched_values(params)
        shown = copy.copy(trial)
        shown.params, shown.distributions = dict(values), space.distributions(values)
        if trial.number < self._since:
            attributes = trial.system_attrs
            shown.system_attrs = {name: attributes[name] for name in attributes if name.startswith(_KEPT)}
        return shown


def unwritable(study: "optuna.Study", space: Space) -> set[str]:
    """Return the searched params whose distributions are incompatible with those that Optuna recorded."""
    from optuna.distributions import check_distribution_compatibility

    if SPACE not in study.user_attrs:
        return set()
    found: set[str] = set()
    for trial in study.get_trials(deepcopy=False):
        for name, distribution in trial.distributions.items():
            if name in space.searched and name not in found:
                try:
                    check_distribution_compatibility(distribution, space.searched[name].distribution())
                except ValueError:
                    found.add(name)
    return found

"""Budgets that stop a search session before all requested trials have run."""

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.study.study import num_epochs

if TYPE_CHECKING:
    from optuna import Study


@dataclass(frozen=True)
class SessionLimits:
    """Limits for one session only; later sessions do not have them.

    Attributes:
        max_concurrent: Trials that may run at once; None: the experiment's number.
        time_budget_s: Seconds from now; None: the experiment's.
        max_epochs_total: Epochs of all trials, earlier sessions included; None: the experiment's.
    """

    max_concurrent: int | None = None
    time_budget_s: float | None = None
    max_epochs_total: int | None = None

    def on(self, settings: SearchSettings) -> SearchSettings:
        """Return the settings with these limits."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return settings.model_copy(update=given)


@dataclass(frozen=True)
class Budget:
    """The budgets of one session.

    Attributes:
        time_s: Seconds from now; None: no limit.
        max_epochs_total: Epochs of all trials of the study, earlier sessions included; None: no limit.
        at_budget: Whether running trials are pruned at their next epoch or finish.
    """

    time_s: float | None
    max_epochs_total: int | None
    at_budget: Literal["prune", "finish"]
    _started: float = field(default_factory=time.monotonic)

    def spent(self, study: "Study") -> str | None:
        """Return which budget is spent, as a clause for a message, or None while none is."""
        if self.time_s is not None and time.monotonic() - self._started >= self.time_s:
            return f"the time budget of {self.time_s:g} s is spent"
        if self.max_epochs_total is None:
            return None
        if num_epochs(study) >= self.max_epochs_total:
            return f"the budget of {self.max_epochs_total} epochs is spent"
        return None

    @classmethod
    def of(cls, settings: SearchSettings) -> "Budget":
        """Return the budgets in ``settings``; the time counts from now."""
        return cls(settings.time_budget_s, settings.max_epochs_total, settings.at_budget)

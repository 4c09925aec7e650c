"""Between Ray Tune and the study: whatever Tune asks is asked of the study, what it hears is written there.

Neither class holds anything that the study does not, so there is nothing to lose with the process.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from trajtune.experiment.params import Params
from trajtune.experiment.settings import SearchSettings
from trajtune.experiment.space import Space
from trajtune.search.runs.lock import StillHeld
from trajtune.search.study import study as record
from trajtune.search.study.origins import REFERENCE_ORIGINS
from trajtune.search.trial import DAMAGE
from trajtune.search.tune.budget import Budget

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

Listener = Callable[[str, int], None]
"""Called with what happened (``start``, ``damage``, ``epoch``, ``end``) and the trial's number."""

_COUNTED_EVERY_S: Final = 1.0
_LOST_WORKER: Final = "The worker process of the trial died"


class StudySearcher(Searcher):  # type: ignore[misc]
    """Asks the study for trials until it holds as many as requested, and tells it how each ended.

    A point that was trained already is not trained again: it gets the results of the first, as soon
    as that one has ended.
    """

    def __init__(
        self,
        study: "Study",
        space: Space,
        settings: SearchSettings,
        base: Params,
        *,
        requested: int,
        max_concurrent: Callable[[], int],
        listener: Listener,
        still_held: StillHeld,
    ) -> None:
        super().__init__()
        self.study, self.settings, self.listener = study, settings, listener
        self.still_held = still_held
        self.budget = Budget.of(settings)
        self.running: dict[str, Trial] = {}
        self.last_error: dict[str, str] = {}
        self._space, self._base = space, base
        self._requested, self._max_concurrent = requested, max_concurrent
        self._counted, self._counted_at = 0, -math.inf
        self._waiting_for: defaultdict[int, list[Trial]] = defaultdict(list)

    def suggest(self, trial_id: str) -> Any:
        """The next trial's config; None while there is to wait; FINISHED when there is nothing to ask."""
        self.still_held()
        if len(self.running) >= self._slots():
            return None
        while self.budget.spent(self.study) is None:
            trial = self._next()
            if trial is None:
                # Should the first of two equal points fail, the second is still to be trained.
                return None if self._waiting_for else Searcher.FINISHED
            first = record.find_original(self.study, trial)
            if first is None:
                self.running[trial_id] = trial
                self.listener("start", trial.number)
                return {
                    "number": trial.number,
                    "params": trial.user_attrs["params"],
                    "recorded": record.num_recorded(self.study, trial),
                }
            if first.state.is_finished():
                record.tell_duplicate(self.study, trial, first.number)
                self.listener("end", trial.number)
            else:
                self._waiting_for[first.number].append(trial)
        return Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Write how a trial ended, unless the scheduler has stopped it and done so."""
        trial = self.running.get(trial_id)
        if trial is None:
            return
        if error:
            record.tell_failed(self.study, trial, self.last_error.pop(trial_id, _LOST_WORKER))
        elif result and result.get("error"):
            record.tell_failed(self.study, trial, result["error"])
        else:
            record.tell_complete(self.study, trial)
        self.ended(trial_id)

    def ended(self, trial_id: str) -> None:
        """A trial's end stands in the study: give its results to its equals."""
        trial = self.running.pop(trial_id)
        self.listener("end", trial.number)
        for equal in self._waiting_for.pop(trial.number, []):
            # Without a result to give, the equal is nobody's, and the next to be asked.
            if record.find_original(self.study, equal) is not None:
                record.tell_duplicate(self.study, equal, trial.number)
                self.listener("end", equal.number)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: a search resumes from the study."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its searcher beside its own state, which no resume of ours reads.
        return (object, ())

    def _next(self) -> "Trial | None":
        number = self._nobodys()
        if number is not None:
            return record.ask_again(self.study, number, self._space, self.settings, self._base)
        if self._all_asked():
            return None
        return record.ask(self.study, self._space, self.settings, self._base)

    def _slots(self) -> int:
        """How many trials may run, asked anew now and then: nodes join and leave."""
        if time.monotonic() - self._counted_at > _COUNTED_EVERY_S:
            self._counted, self._counted_at = self._max_concurrent(), time.monotonic()
        return self._counted

    def _nobodys(self) -> int | None:
        """The first trial that is RUNNING in the study, but neither here nor waiting for its equal."""
        from optuna.trial import TrialState

        held = {trial.number for trial in self.running.values()}
        held |= {trial.number for waiting in self._waiting_for.values() for trial in waiting}
        running = record.trials_of(self.study, TrialState.RUNNING)
        return next((trial.number for trial in running if trial.number not in held), None)

    def _all_asked(self) -> bool:
        from optuna.trial import TrialState

        trials = record.trials_of(self.study)
        return sum(trial.state != TrialState.WAITING for trial in trials) >= self._requested


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Writes each epoch into the study and stops a trial when the study's pruner or a budget says so."""

    def __init__(self, searcher: StudySearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Write an epoch and decide whether there is to be another."""
        searcher = self._searcher
        searcher.still_held()
        optuna_trial = searcher.running.get(trial.trial_id)
        if optuna_trial is None:
            # Its end stands in the study: the process broke while it was being stopped, and was restarted.
            return str(TrialScheduler.STOP)
        report = {key.removeprefix("report/"): value for key, value in result.items() if "report/" in key}
        report["node"] = result["hostname"]
        if damage := report.pop(DAMAGE, None):
            record.record_damage(searcher.study, optuna_trial, damage)
            searcher.listener("damage", optuna_trial.number)
        if report["epoch"] < record.num_recorded(searcher.study, optuna_trial):
            return str(TrialScheduler.CONTINUE)  # said again by a process that was restarted: long decided
        record.record_epoch(searcher.study, optuna_trial, searcher.settings.metric, report)
        searcher.listener("epoch", optuna_trial.number)
        if not self._stops(optuna_trial, report["epoch"]):
            return str(TrialScheduler.CONTINUE)
        record.tell_pruned(searcher.study, optuna_trial)
        searcher.ended(trial.trial_id)
        return str(TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Keep what Ray wrote of the error, should this have been the last attempt."""
        if trial.error_file:
            self._searcher.last_error[trial.trial_id] = _reason(Path(trial.error_file).read_text("utf-8"))

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())

    def _stops(self, trial: "Trial", epoch: int) -> bool:
        """The pruner never stops what others are held against: the research default, and the user's own."""
        attrs, budget = trial.user_attrs, self._searcher.budget
        if epoch >= attrs["params"]["max_epochs"]:
            return False
        if budget.at_budget == "prune" and budget.spent(self._searcher.study) is not None:
            return True
        if attrs["origin"] in REFERENCE_ORIGINS:
            return False
        return record.should_prune(self._searcher.study, trial)


def _reason(text: str) -> str:
    """The line that says why, of what Ray has written about all failures of a trial."""
    lines = [line.strip() for line in text.rpartition("Failure #")[2].splitlines()[1:] if line.strip()]
    # A traceback ends with its error; a death certificate begins with the cause.
    is_traceback = any(line.startswith(("Traceback", 'File "')) for line in lines)
    return lines[-1] if is_traceback else lines[0]

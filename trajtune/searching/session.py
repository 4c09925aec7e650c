"""One search session: decides what is trained next, records results and decides when to stop.

All state of a session is also in the study, so nothing is lost if the process dies. Knows nothing of Ray.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trajtune.errors import RunError
from trajtune.experiment.params import Params
from trajtune.experiment.search_settings import SearchSettings
from trajtune.experiment.space import Space
from trajtune.searching.budget import Budget
from trajtune.searching.repeats import next_repeat, num_repeats, num_repeats_of, plateau, repeat
from trajtune.searching.runs.directory import TUNE_PREFIX, Run
from trajtune.searching.runs.lock import StillHeld
from trajtune.searching.runs.place_faults import LOST_WORKER, LostTrials, place_fault_in, stopped
from trajtune.searching.runs.retention import retain_best
from trajtune.searching.show.events import Event, Listener
from trajtune.searching.start_points import start_points
from trajtune.searching.study.open import create_study
from trajtune.searching.study.origins import REPEAT_ORIGIN
from trajtune.searching.study.sampled_study import is_never_pruned
from trajtune.searching.study.space_change import outside, record_space
from trajtune.searching.study.study import (
    ask,
    ask_again,
    enqueue,
    find_original,
    num_recorded,
    record_damage,
    record_epoch,
    should_prune,
    tell_complete,
    tell_duplicate,
    tell_failed,
    tell_pruned,
    trials_of,
)
from trajtune.searching.study.trial_records import read_trials
from trajtune.searching.trial import DAMAGE
from trajtune.storage.path import children, remove_tree

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

    from trajtune.dataset.snapshot import Snapshot


class SearchSession:
    """A process that searches in a run until the study has the requested trials or a budget is spent.

    The same params are not trained twice with the same seed. A duplicate trial gets the results of the
    first one as soon as that has ended.

    Args:
        run: The run, locked by this process.
        study: The run's study, open for writing.
        snapshot: The run's careers.
        settings: The run's search settings, with the budgets and the concurrency of this session.
        still_held: Raises `RunError` once another process has taken over the run.
    """

    def __init__(
        self, run: Run, study: "Study", snapshot: "Snapshot", settings: SearchSettings, still_held: StillHeld
    ) -> None:
        self.run, self.study, self.snapshot, self.settings = run, study, snapshot, settings
        self.still_held = still_held
        self.budget = Budget.of(settings)
        self._listener: Listener = lambda event, number: None
        # Keys are the trial ids of the executor; Ray Tune makes its own.
        self._running: dict[str, Trial] = {}
        self._last_failure: dict[str, tuple[str, bool]] = {}
        self._recorded_before: dict[str, int] = {}
        self._lost = LostTrials()
        self._plateau: str | None = None
        self._waiting_for: defaultdict[int, list[Trial]] = defaultdict(list)

    def start(self, listener: Listener) -> None:
        """Start the clock of the time budget, and call ``listener`` with each event from now on."""
        self.budget, self._listener = Budget.of(self.settings), listener

    @property
    def num_missing(self) -> int:
        """Number of requested trials that have not ended or have not started."""
        return self.run.requested - sum(trial.state.is_finished() for trial in trials_of(self.study))

    @property
    def num_running(self) -> int:
        """Number of trials that are being trained."""
        return len(self._running)

    @property
    def has_waiting_duplicates(self) -> bool:
        """Whether a trial waits for another with equal params. It is trained itself if that one fails."""
        return bool(self._waiting_for) and self.budget.spent(self.study) is None

    @property
    def lost(self) -> LostTrials:
        """Trials that are left for a later session, because their processes died."""
        return self._lost

    def stopped_by(self) -> str | None:
        """Return why no further trial is suggested, as a clause for a message, or None if one may follow."""
        return self.budget.spent(self.study) or self._plateau

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Return the next trial to train, or None if there is none now.

        Returns:
            ``number``, ``params``, ``seed`` and ``recorded``, the number of epochs already recorded.
        """
        self.still_held()
        while self.budget.spent(self.study) is None and (trial := self._next_trial()) is not None:
            first = find_original(self.study, trial)
            if first is None:
                self._running[trial_id] = trial
                self._tell("start", trial.number)
                recorded = self._recorded_before[trial_id] = num_recorded(self.study, trial)
                attributes = trial.user_attrs
                return {
                    "number": trial.number,
                    "params": attributes["params"],
                    "seed": attributes.get("seed", self.settings.seed),
                    "recorded": recorded,
                }
            if first.state.is_finished():
                self._end_duplicate(trial, first.number)
            elif first.number in self._lost.numbers:
                self._lost.numbers.add(trial.number)
            else:
                self._waiting_for[first.number].append(trial)
        return None

    def record_epoch(self, trial_id: str, report: Mapping[str, Any]) -> bool:
        """Record the report of an epoch, as `train_trial` yields it, and return whether the trial continues.

        If a budget is spent, the trial ends as pruned. A reference trial stays unfinished instead.
        """
        self.still_held()
        trial = self._running.get(trial_id)
        if trial is None:
            # The trial's end is already recorded: its process died while it was stopped, and was restarted.
            return False
        if damage := report.get(DAMAGE):
            record_damage(self.study, trial, damage)
            self._tell("damage", trial.number)
        if report["epoch"] < num_recorded(self.study, trial):
            return True  # a restarted process reports an epoch again after the decision about it
        report = {key: value for key, value in report.items() if key != DAMAGE}
        record_epoch(self.study, trial, self.settings.metric, report)
        self._lost.in_a_row = 0
        self._tell("epoch", trial.number)
        if report["epoch"] >= trial.user_attrs["params"]["max_epochs"]:
            return True
        is_stopped = self.budget.at_budget == "prune" and self.budget.spent(self.study) is not None
        if is_never_pruned(trial.user_attrs):
            if is_stopped:
                self._leave_unfinished(trial_id)
            return not is_stopped
        if not is_stopped and not should_prune(self.study, trial):
            return True
        tell_pruned(self.study, trial)
        self._ended(trial_id)
        return False

    def note_failure(self, trial_id: str, reason: str, *, is_lost: bool = False) -> None:
        """Remember why an attempt failed; the reason is recorded if that was the last attempt.

        Args:
            trial_id: The trial.
            reason: The reason, in one line.
            is_lost: Whether the process of the trial died, so that no exception of the trial is known.
        """
        self._last_failure[trial_id] = (reason, is_lost)

    def end_failed(self, trial_id: str) -> None:
        """Record that the last attempt at a trial failed, unless its environment caused the failure.

        A lost process is no verdict about params: the trial stays unfinished. It is suggested again if an
        epoch was recorded since it was suggested, and otherwise left for a later session.

        Raises:
            StorageError: If the environment caused the failure, or if trials are lost one after another and
                none records an epoch. The trials stay unfinished.
        """
        failure, is_lost = self._last_failure.pop(trial_id, (LOST_WORKER, True))
        trial = self._running.get(trial_id)
        if trial is None:
            return
        if (reason := place_fault_in(failure)) is not None:
            raise stopped(self.run.reference, reason)
        if not is_lost:
            self.end(trial_id, error=failure)
            return
        self._leave_unfinished(trial_id)
        if num_recorded(self.study, trial) == self._recorded_before[trial_id]:
            duplicates = self._waiting_for.pop(trial.number, [])
            self._lost.add(trial.number, [each.number for each in duplicates], failure)
            self._lost.stop_if_all_are_lost(self.run.reference)

    def end(self, trial_id: str, *, error: str | None = None) -> None:
        """Record that a trial completed, or failed with ``error``, unless `record_epoch` has stopped it."""
        trial = self._running.get(trial_id)
        if trial is None:
            return
        if error is not None:
            tell_failed(self.study, trial, error)
        else:
            tell_complete(self.study, trial)
        self._ended(trial_id)

    def _next_trial(self) -> "Trial | None":
        points = (self.run.space, self.settings, self.run.experiment.training)
        number = self._orphaned()
        if number is not None:
            return ask_again(self.study, number, *points)
        left = self.run.requested - _num_asked(self.study)
        if left <= 0:
            return None
        if (
            self.settings.stop_at_plateau is not None
            or left <= num_repeats(self.settings, self.run.requested)[1]
        ):
            self._queue_repeat_or_note_plateau()
        return None if self._plateau else ask(self.study, *points)

    def _queue_repeat_or_note_plateau(self) -> None:
        """Queue a repeat of one of the best trials if it is due; otherwise note a plateau."""
        trials = read_trials(self.study)
        if any(trial.state == "WAITING" for trial in trials):
            return
        reached = plateau(trials, self.settings)
        original = next_repeat(trials, self.settings, self.run.requested, at_plateau=reached is not None)
        if original is None:
            self._plateau = reached
            return
        params = Params.model_validate(trials[original].params)
        attributes = repeat(self.settings, original, num_repeats_of(trials, original))
        enqueue(self.study, self.run.space, params, REPEAT_ORIGIN, attributes)

    def _orphaned(self) -> int | None:
        """Return the first trial that is RUNNING in the study, but neither trained nor waiting here."""
        from optuna.trial import TrialState

        ours = {trial.number for trial in self._running.values()}
        ours |= {trial.number for waiting in self._waiting_for.values() for trial in waiting}
        ours |= self._lost.numbers
        running = trials_of(self.study, TrialState.RUNNING)
        return next((trial.number for trial in running if trial.number not in ours), None)

    def _leave_unfinished(self, trial_id: str) -> None:
        """Stop a trial without recording an end: the next session continues it from its checkpoint."""
        del self._running[trial_id]

    def _ended(self, trial_id: str) -> None:
        """Give the results of a trial, whose end is recorded, to its duplicates."""
        trial = self._running.pop(trial_id)
        self._tell("end", trial.number)
        for duplicate in self._waiting_for.pop(trial.number, []):
            # If the first trial failed, its duplicate is orphaned and will be suggested next.
            if find_original(self.study, duplicate) is not None:
                self._end_duplicate(duplicate, trial.number)

    def _end_duplicate(self, trial: "Trial", first: int) -> None:
        tell_duplicate(self.study, trial, first)
        self._tell("end", trial.number)

    def _tell(self, event: Event, number: int) -> None:
        if event == "end":
            retain_best(self.run, read_trials(self.study))
        self._listener(event, number)


def open_session(
    run: Run,
    snapshot: "Snapshot",
    settings: SearchSettings,
    still_held: StillHeld,
    *,
    trials: int | None = None,
    space: Space | None = None,
) -> SearchSession:
    """Open the run's study, and queue the start points that it lacks.

    Args:
        run, snapshot, settings, still_held: As in `SearchSession`.
        trials: Trials in total from now on; None keeps the number.
        space: The space from now on, which `check_space` has accepted; None keeps the run's.

    Raises:
        RunError: If more than ``trials`` have already been suggested.
    """
    for leftover in children(run.path, f"{TUNE_PREFIX}*"):
        remove_tree(leftover)
    experiment, study = run.experiment, _study(run, settings)
    if trials is not None:
        asked = _num_asked(study)
        if trials < asked:
            raise RunError(
                f"`trials` must be at least {asked}, the trials that {run.name} already has, "
                f"but is {trials}. Increase it."
            )
        run = run.with_requested(trials)
    if space is not None:
        run = run.with_space(space, since=len(trials_of(study)))
    if (since := run.space_since) is not None:
        run.write_space()  # an earlier process may have died before it did this
        record_space(study, run.space, since)
    points = start_points(settings, run.space, experiment.training, run.requested)
    # Trial i is point i, so a search that was killed while queueing continues where it stopped.
    for point in points[len(trials_of(study)) :]:
        enqueue(study, run.space, point.params, point.origin, point.attributes)
    return SearchSession(run, study, snapshot, settings, still_held)


def check_space(run: Run, space: Space) -> None:
    """Check that ``space`` may replace the space of a run, which is locked by this process.

    Raises:
        RunError: If a trial lies outside, or differs from later trials in settings that are not searched.
    """
    study = _study(run, run.experiment.search)
    if fault := outside(trials_of(study), space, run.experiment.training):
        raise RunError(
            f"A new space must contain every trial of {run.name} except failed ones, but {fault}. Widen the "
            "space, or start a new search with --warm-start."
        )


def _study(run: Run, settings: SearchSettings) -> "Study":
    experiment = run.experiment
    max_epochs, url_variable = experiment.training.max_epochs, experiment.storage.study_url_variable
    return create_study(run.path, settings, max_epochs, url_variable=url_variable)


def _num_asked(study: "Study") -> int:
    """Return the number of trials that have left the queue; they cannot be withdrawn."""
    return sum(trial.state.name != "WAITING" for trial in trials_of(study))

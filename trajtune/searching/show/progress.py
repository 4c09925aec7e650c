"""The state of a running search, and a plain line for each trial that ends.

`show.live` shows the same state on a terminal, and `show.json_log` for programs.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from trajtune.page.format import duration, metric_value
from trajtune.searching.show.events import Event, Listener
from trajtune.searching.study.trial_records import TrialRecord, best_trial, read_trials, research_default

if TYPE_CHECKING:
    from optuna import Study

    from trajtune.searching.runs.log import RunLog

FINISHED = ("COMPLETE", "PRUNED", "FAIL")


class Progress:
    """The state of the search for display, read from the study at each event.

    Args:
        study: The study of the search.
        requested: Number of trials requested.
        metric: The first objective.
        baseline: Name and objective of the best baseline, shown beside the best trial.
        searched: Names of the searched params.
    """

    def __init__(
        self,
        study: "Study",
        requested: int,
        metric: str,
        baseline: tuple[str, float] | None = None,
        searched: Sequence[str] = (),
    ) -> None:
        self.metric, self.requested, self.baseline, self.searched = metric, requested, baseline, searched
        self._study, self._started = study, time.monotonic()
        self.read()
        self._finished_before = self.finished

    def read(self) -> None:
        """Read the study again."""
        self.trials: Sequence[TrialRecord] = read_trials(self._study)
        self.counts = Counter(trial.state for trial in self.trials)

    @property
    def finished(self) -> int:
        """Number of trials that have ended."""
        return sum(self.counts[state] for state in FINISHED)

    def left(self) -> str:
        """Return the time left if trials continue to finish at the rate of this session."""
        finished, missing = self.finished - self._finished_before, self.requested - self.finished
        if not missing:
            return "all done"
        if not finished:
            return "time left unknown"
        seconds = (time.monotonic() - self._started) / finished * missing
        return f"about {duration(max(seconds, 1))} left"

    def elapsed(self) -> str:
        """Time since the session began."""
        return duration(time.monotonic() - self._started)

    def best(self) -> str:
        """Return a line with the best trial so far, the research default and the best baseline."""
        best, default = best_trial(self.trials), research_default(self.trials)
        text = f"best {metric_value(best.mean_value)} (trial {best.number})" if best else "no result yet"
        if default and default.value is not None:
            text += f", research default {metric_value(default.value)}"
            if default.state not in FINISHED:
                text += f" after epoch {len(default.epochs)}"
        if self.baseline:
            text += f", {self.baseline[0]} {metric_value(self.baseline[1])}"
        return text

    def states(self) -> str:
        """Return the number of trials in each state, as text."""
        return (
            f"{self.finished} of {self.requested} trials done: {self.counts['COMPLETE']} complete, "
            f"{self.counts['PRUNED']} pruned, {self.counts['FAIL']} failed; {self.counts['RUNNING']} running"
        )


def lines_to(progress: Progress, log: "RunLog") -> Listener:
    """Return the function to call with each event if only the log shows it."""
    return Lines(progress, log)


class Lines:
    """Prints a plain line for each trial that ends or that found damaged checkpoints."""

    def __init__(self, progress: Progress, *files: "TextIO | RunLog") -> None:
        self._progress, self._files = progress, files

    def __call__(self, event: Event, number: int) -> None:
        """Print the line of an event; most events have none."""
        if event not in ("end", "damage"):
            return
        progress = self._progress
        progress.read()
        trial = progress.trials[number]
        if event == "damage":
            self._print(f"trial {number}: {trial.damage}")
            return
        result = trial.error or f"{progress.metric} {metric_value(trial.value)} at epoch {trial.best_epoch}"
        if not trial.is_feasible:
            result += f", breaks {', '.join(text for text, by in trial.violations.items() if by > 0)}"
        self._print(
            f"trial {number} {trial.state} after {len(trial.epochs)} epochs: {result} | {progress.best()} | "
            f"{progress.states()}, {progress.left()}"
        )

    def _print(self, line: str) -> None:
        for file in self._files:
            print(line, file=file, flush=True)

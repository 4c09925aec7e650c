"""A running search on stderr: a live table on a terminal, otherwise a line for each finished trial.

For programs there is `show.json_log`.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from trajtune.notebook import LiveDisplay, html_bar, is_notebook
from trajtune.page.format import metric_value
from trajtune.searching.show.events import Event, Listener
from trajtune.searching.study.trial_records import TrialRecord, best_trial, read_trials, research_default

if TYPE_CHECKING:
    from optuna import Study
    from rich.table import Table

    from trajtune.searching.runs.log import RunLog

FINISHED = ("COMPLETE", "PRUNED", "FAIL")


class Progress:
    """What is shown, read from the study at each event.

    Args:
        study: The record.
        requested: Trials asked for.
        metric: The objective.
        baseline: Name and objective of the best baseline, to be shown with the best trial.
    """

    def __init__(
        self, study: "Study", requested: int, metric: str, baseline: tuple[str, float] | None = None
    ) -> None:
        self.metric, self.requested, self._baseline = metric, requested, baseline
        self._study, self._started = study, time.monotonic()
        self.read()
        self._finished_before = self.finished

    def read(self) -> None:
        """Read the study again."""
        self.trials: Sequence[TrialRecord] = read_trials(self._study)
        self.counts = Counter(trial.state for trial in self.trials)

    @property
    def finished(self) -> int:
        """Trials that have ended."""
        return sum(self.counts[state] for state in FINISHED)

    def left(self) -> str:
        """Time left, if trials go on finishing at the rate of this session."""
        finished = self.finished - self._finished_before
        if not finished:
            return "time left unknown"
        seconds = (time.monotonic() - self._started) / finished * (self.requested - self.finished)
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"

    def best(self) -> str:
        """The best trial so far, the research default and the best baseline."""
        best, default = best_trial(self.trials), research_default(self.trials)
        text = f"best {metric_value(best.mean_value)} (trial {best.number})" if best else "no result yet"
        if default and default.value is not None:
            text += f", research default {metric_value(default.value)}"
            if default.state not in FINISHED:
                text += f" after epoch {len(default.epochs)}"
        if self._baseline:
            text += f", {self._baseline[0]} {metric_value(self._baseline[1])}"
        return text

    def states(self) -> str:
        """How many trials are in which state."""
        return (
            f"{self.finished} of {self.requested} trials done: {self.counts['COMPLETE']} complete, "
            f"{self.counts['PRUNED']} pruned, {self.counts['FAIL']} failed; {self.counts['RUNNING']} running"
        )

    def table(self) -> "Table":
        """The live table: states, the best trial and each running trial."""
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        table.add_row("search", f"{self.states()}, {self.left()}")
        table.add_row(self.metric, self.best())
        for trial in self.trials:
            if trial.state == "RUNNING":
                last = (
                    f"epoch {trial.epochs[-1]['epoch']}, best {metric_value(trial.value)}"
                    if trial.epochs
                    else "starting"
                )
                table.add_row(f"trial {trial.number}", last)
        return table


@contextmanager
def show_progress(progress: Progress, log: "RunLog | None" = None) -> Iterator[Listener]:
    """Show the study while the block runs; gives the function to call with each event.

    Args:
        progress: What is shown.
        log: Gets a line for each finished trial, whatever stderr is.
    """
    if is_notebook():
        yield _InNotebook(progress, *filter(None, (log,)))
        return
    if not sys.stderr.isatty():
        yield _Lines(progress, *filter(None, (sys.stderr, log)))
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), get_renderable=progress.table, refresh_per_second=2):
        lines = _Lines(progress, *filter(None, (log,)))

        def show(event: Event, number: int) -> None:
            progress.read()
            lines(event, number)

        yield show


class _InNotebook:
    """A bar in the cell that searches, with the states and the best trial."""

    def __init__(self, progress: Progress, *files: "TextIO | RunLog") -> None:
        self._progress, self._lines, self._display = progress, _Lines(progress, *files), LiveDisplay()
        self._show()

    def __call__(self, event: Event, number: int) -> None:
        self._lines(event, number)
        self._progress.read()
        self._show()

    def _show(self) -> None:
        p = self._progress
        self._display.show(html_bar(p.finished, p.requested, f"{p.states()}, {p.left()}", p.best()))


def lines_to(progress: Progress, log: "RunLog") -> Listener:
    """The function to call with each event, where only the log is to show it."""
    return _Lines(progress, log)


class _Lines:
    """One plain line for each trial that ends, or that met damaged checkpoints."""

    def __init__(self, progress: Progress, *files: "TextIO | RunLog") -> None:
        self._progress, self._files = progress, files

    def __call__(self, event: Event, number: int) -> None:
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

"""The search as it goes, on stderr: a live table on a terminal, a line for each finished trial elsewhere.

For programs there is `search.json_log` instead.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from trajtune.page.format import metric_value
from trajtune.search.study.trial_records import TrialRecord, ranked, read_trials, research_default

if TYPE_CHECKING:
    from optuna import Study
    from rich.table import Table

    from trajtune.search.runs.log import RunLog

FINISHED = ("COMPLETE", "PRUNED", "FAIL")


@contextmanager
def show_progress(
    study: "Study",
    requested: int,
    metric: str,
    baseline: tuple[str, float] | None = None,
    log: "RunLog | None" = None,
) -> Iterator[Callable[[str, int], None]]:
    """Show the study while the block runs; gives the function to call with each event.

    Args:
        study: The record.
        requested: Trials asked for.
        metric: The objective.
        baseline: Name and objective of the best one-line rule, to be shown beside the best trial.
        log: Gets a line for each finished trial, whatever stderr is.
    """
    view = _View(study, requested, metric, baseline)
    if not sys.stderr.isatty():
        yield _Lines(view, *filter(None, (sys.stderr, log)))
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), get_renderable=view.table, refresh_per_second=2):
        logged = _Lines(view, *filter(None, (log,)))

        def show(what: str, number: int) -> None:
            view.read()
            logged(what, number)

        yield show


def lines_to(
    log: "RunLog", study: "Study", requested: int, metric: str, baseline: tuple[str, float] | None
) -> Callable[[str, int], None]:
    """The function to call with each event, where the log alone is to say it."""
    return _Lines(_View(study, requested, metric, baseline), log)


class _View:
    """What is shown, read from the study at each event."""

    def __init__(
        self, study: "Study", requested: int, metric: str, baseline: tuple[str, float] | None
    ) -> None:
        self.metric, self.requested, self._baseline = metric, requested, baseline
        self._study, self._began = study, time.monotonic()
        self.read()
        self._finished_before = self.finished

    def read(self) -> None:
        self.trials: Sequence[TrialRecord] = read_trials(self._study)
        self.counts = Counter(trial.state for trial in self.trials)

    @property
    def finished(self) -> int:
        return sum(self.counts[state] for state in FINISHED)

    def left(self) -> str:
        """Time left, from the pace of this session."""
        done = self.finished - self._finished_before
        if not done:
            return "time left unknown"
        seconds = (time.monotonic() - self._began) / done * (self.requested - self.finished)
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"

    def best(self) -> str:
        """The best so far beside the research default and the best baseline."""
        best, default = next(iter(ranked(self.trials)), None), research_default(self.trials)
        text = f"best {metric_value(best.value)} (trial {best.number})" if best else "no result yet"
        if default and default.value is not None:
            text += f", research default {metric_value(default.value)}"
            if default.state not in FINISHED:
                text += f" after epoch {len(default.epochs)}"
        if self._baseline:
            text += f", {self._baseline[0]} {metric_value(self._baseline[1])}"
        return text

    def states(self) -> str:
        return (
            f"{self.finished} of {self.requested} trials done: {self.counts['COMPLETE']} complete, "
            f"{self.counts['PRUNED']} pruned, {self.counts['FAIL']} failed; {self.counts['RUNNING']} running"
        )

    def table(self) -> "Table":
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


class _Lines:
    """One plain line for each trial that ends, or that met damaged checkpoints."""

    def __init__(self, view: _View, *files: "TextIO | RunLog") -> None:
        self._view, self._files = view, files

    def __call__(self, what: str, number: int) -> None:
        if what not in ("end", "damage"):
            return
        view = self._view
        view.read()
        trial = view.trials[number]
        if what == "damage":
            self._say(f"trial {number}: {trial.damage}")
            return
        result = trial.error or f"{view.metric} {metric_value(trial.value)} at epoch {trial.best_epoch}"
        if not trial.is_feasible:
            result += f", breaks {', '.join(text for text, by in trial.violations.items() if by > 0)}"
        self._say(
            f"trial {number} {trial.state} after {len(trial.epochs)} epochs: {result} | {view.best()} | "
            f"{view.states()}, {view.left()}"
        )

    def _say(self, line: str) -> None:
        for file in self._files:
            print(line, file=file, flush=True)

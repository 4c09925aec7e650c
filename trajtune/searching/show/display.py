"""Displays a session while it searches: to people or to programs, and always in the run's log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trajtune.searching.runs.directory import Run
from trajtune.searching.runs.log import RunLog, tee_stderr
from trajtune.searching.show.events import Event, Listener
from trajtune.searching.show.json_log import JsonLog
from trajtune.searching.show.live import show_progress
from trajtune.searching.show.progress import Progress, lines_to
from trajtune.searching.val_baselines import best_baseline

if TYPE_CHECKING:
    from optuna import Study


@contextmanager
def display(run: Run, study: "Study", log: RunLog, *, json_log: bool) -> Iterator[Listener]:
    """Show the study while the block runs, and yield the function to call with each event.

    Args:
        run: The run; its best baseline is shown beside the best trial.
        study: The run's study.
        log: Log that receives a line for each trial that ends, and everything printed to stderr.
        json_log: Whether events are written to stdout as lines of JSON, instead of a display on stderr.
    """
    metric = run.experiment.search.metric
    baseline = best_baseline(run.baselines(), metric)
    progress = Progress(study, run.requested, metric, baseline, tuple(run.space.searched))

    def with_baseline(event: Event) -> None:
        """Read the baselines, which a search measures after its first epoch."""
        if event == "epoch" and progress.baseline is None:
            progress.baseline = best_baseline(run.baselines(), metric)

    if not json_log:
        # The order matters: the live table replaces stderr, and other output to stderr goes to the log too.
        with show_progress(progress, log) as show, tee_stderr(log):

            def shown(event: Event, number: int) -> None:
                with_baseline(event)
                show(event, number)

            yield shown
        return
    events, lines = JsonLog(study, sys.stdout), lines_to(progress, log)
    events.begin(run.name, run.requested, metric)

    def both(event: Event, number: int) -> None:
        with_baseline(event)
        events(event, number)
        lines(event, number)

    try:
        with tee_stderr(log):
            yield both
    finally:
        events.done()

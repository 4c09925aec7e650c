"""The display of a running search on a terminal: progress, the best trials, and the running trials.

Each colour has one meaning: cyan is the best of the search, yellow the research default, green the best
baseline, red a failure.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from trajtune.notebook import LiveDisplay, html_bar, is_notebook
from trajtune.page.format import metric_value, significant
from trajtune.searching.show.events import Event, Listener
from trajtune.searching.show.progress import Lines, Progress
from trajtune.searching.study.origins import REFERENCE_ORIGINS
from trajtune.searching.study.trial_records import TrialRecord, best_trial, ranked, research_default

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from trajtune.searching.runs.log import RunLog

_BEST_SHOWN: Final = 3
_PARAMS_SHOWN: Final = 6
_RUNNING_SHOWN: Final = 8
"""Running trials with a line of their own; the others are counted."""

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_SPARKLINE_LENGTH: Final = 40
_SCALE_LENGTH: Final = 40
_BAR_LENGTH: Final = 30

_BEST, _DEFAULT, _BASELINE, _FAILED = "cyan", "yellow", "green", "red"


@contextmanager
def show_progress(progress: Progress, log: "RunLog | None" = None) -> Iterator[Listener]:
    """Show a search while the block runs: live on a terminal or in a notebook, else a line for each trial.

    Args:
        progress: What is shown.
        log: Receives a line for each finished trial, whatever stderr is.

    Yields:
        The function to call with each event.
    """
    if is_notebook():
        yield _InNotebook(progress, *filter(None, (log,)))
        return
    if not sys.stderr.isatty():
        yield Lines(progress, *filter(None, (sys.stderr, log)))
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, get_renderable=lambda: live_view(progress), refresh_per_second=2):
        lines = Lines(progress, *filter(None, (log,)))

        def show(event: Event, number: int) -> None:
            progress.read()
            lines(event, number)

        yield show


class _InNotebook:
    """A bar in the cell that searches, with the states and the best trial."""

    def __init__(self, progress: Progress, *files: "TextIO | RunLog") -> None:
        self._progress, self._lines, self._display = progress, Lines(progress, *files), LiveDisplay()
        self._show()

    def __call__(self, event: Event, number: int) -> None:
        self._lines(event, number)
        self._progress.read()
        self._show()

    def _show(self) -> None:
        p = self._progress
        self._display.show(html_bar(p.finished, p.requested, f"{p.states()}, {p.left()}", p.best()))


def live_view(progress: Progress) -> "Group":
    """Everything that is shown at this moment."""
    from rich.console import Group

    parts: list[RenderableType] = [_overview(progress)]
    if (scale := _scale(progress)) is not None:
        parts.append(scale)
    parts += [*_best_trials(progress), *_running(progress)]
    return Group(*parts)


def sparkline(values: Sequence[float]) -> str:
    """One block character for each value, scaled between the least and the greatest of them.

    Examples:
        >>> sparkline([3.0, 2.0, 1.0])
        '█▅▁'
    """
    if not values:
        return ""
    least, spread = min(values), max(values) - min(values)
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((value - least) / spread * top) if spread else 0] for value in values)


def best_so_far(trials: Sequence[TrialRecord]) -> list[float]:
    """The best value after each finished trial that may win, in the order in which the trials ended."""
    ended = sorted(ranked(trials), key=lambda trial: (trial.ended is None, trial.ended, trial.number))
    history: list[TrialRecord] = []
    for trial in ended:
        better = not history or trial.mean_costs[0] < history[-1].mean_costs[0]
        history.append(trial if better else history[-1])
    return [trial.mean_value for trial in history if trial.mean_value is not None]


def differing(params: Sequence[Mapping[str, Any]], searched: Sequence[str]) -> list[str]:
    """Names of the searched params that do not have the same value everywhere."""
    return [name for name in searched if len({repr(each.get(name)) for each in params}) > 1]


def _overview(progress: Progress) -> "Table":
    from rich.table import Table
    from rich.text import Text

    counts = progress.counts
    grid = Table.grid(padding=(0, 2))
    bar = _bar(progress.finished, progress.requested)
    epochs = sum(len(trial.epochs) for trial in progress.trials)
    grid.add_row(
        "search",
        bar,
        f"{progress.finished} of {progress.requested} trials, {epochs} epochs, {progress.elapsed()}, "
        f"{progress.left()}",
    )
    states = Text(f"{counts['COMPLETE']} complete, {counts['PRUNED']} pruned, ")
    states.append(f"{counts['FAIL']} failed", style=_FAILED if counts["FAIL"] else "")
    states.append(f", {counts['RUNNING']} running")
    history = best_so_far(progress.trials)[-_SPARKLINE_LENGTH:]
    grid.add_row("", Text(sparkline(history), style=_BEST), states)
    return grid


def _bar(completed: int, total: int) -> "ProgressBar":
    from rich.progress_bar import ProgressBar

    return ProgressBar(
        total, completed, _BAR_LENGTH, style="bright_black", complete_style=_BEST, finished_style=_BEST
    )


def _scale(progress: Progress) -> "Text | None":
    """The best trial, the research default and the best baseline on one scale; None before a result."""
    from rich.text import Text

    best, default = best_trial(progress.trials), research_default(progress.trials)
    marks: list[tuple[str, str, str, float]] = []
    if progress.baseline:
        marks.append(("▲", _BASELINE, *progress.baseline))
    if default and default.value is not None:
        marks.append(("◆", _DEFAULT, "research default", default.value))
    if best and best.mean_value is not None:
        marks.append(("●", _BEST, f"best (trial {best.number})", best.mean_value))
    if not best:
        return None
    least = min(value for *_, value in marks)
    spread = max(value for *_, value in marks) - least
    cells = [("─", "dim")] * _SCALE_LENGTH
    for mark, colour, _, value in marks:
        cells[round((value - least) / spread * (_SCALE_LENGTH - 1)) if spread else 0] = (mark, colour)
    line = Text(f"{progress.metric}  ")
    for character, style in cells:
        line.append(character, style=style)
    for mark, colour, name, value in reversed(marks):
        line.append(f"  {mark} {name} {metric_value(value)}", style=colour)
    return line


def _best_trials(progress: Progress) -> Iterator["Table"]:
    """The best trials with the params in which they differ."""
    from rich.table import Table

    best = ranked(progress.trials)[:_BEST_SHOWN]
    if not best:
        return
    names = differing([trial.params for trial in best], progress.searched)[:_PARAMS_SHOWN]
    table = Table("best trials", progress.metric, *names, box=None, padding=(0, 2, 0, 0), header_style="bold")
    for rank, trial in enumerate(best):
        origin = REFERENCE_ORIGINS.get(trial.origin or "", "")
        name = f"{trial.number}{f' ({origin})' if origin else ''}"
        values = [str(significant(trial.params.get(each), 3)) for each in names]
        style = "" if rank else _BEST
        table.add_row(name, metric_value(trial.mean_value), *values, style=style)
    yield table


def _running(progress: Progress) -> Iterator["Table | Text"]:
    """A bar of epochs for each running trial."""
    from rich.table import Table
    from rich.text import Text

    running = [trial for trial in progress.trials if trial.state == "RUNNING"]
    if not running:
        return
    grid = Table.grid(padding=(0, 2))
    for trial in running[:_RUNNING_SHOWN]:
        most = trial.params.get("max_epochs", 0)
        done = f"epoch {len(trial.epochs)} of {most}, best {metric_value(trial.value)}"
        bar = _bar(len(trial.epochs), most or 1)
        grid.add_row(f"trial {trial.number}", bar, done if trial.epochs else "starting")
    yield grid
    if len(running) > _RUNNING_SHOWN:
        yield Text(f"and {len(running) - _RUNNING_SHOWN} more", style="dim")

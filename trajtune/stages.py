"""What a command is doing, on a terminal: a spinner while a stage runs, and then a line with its time."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LEAST_SHOWN_S: Final = 0.3
"""A stage that took less leaves no line."""


@contextmanager
def stage(name: str, *, shown: bool = True, timed: bool = True) -> Iterator[None]:
    """Show on stderr that a stage runs, if stderr is a terminal; otherwise do nothing.

    Stages must not overlap each other or another live display.

    Args:
        name: What is being done, for example "Starting Ray".
        shown: False if the caller wants no display.
        timed: Whether a line with the time stays on the screen.
    """
    if not shown or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    begun = time.monotonic()
    with Console(stderr=True).status(Text(f"{name} …")):
        yield
    if timed:
        stage_ended(name, time.monotonic() - begun)


@contextmanager
def loading(*, shown: bool = True) -> Iterator[None]:
    """Show that a command imports the modules that it needs, and leave no line; see `stage`."""
    with stage("Loading trajtune", shown=shown, timed=False):
        yield


def stage_ended(name: str, seconds: float) -> None:
    """Print the line of a stage that has ended, if stderr is a terminal and the stage took long enough.

    Args:
        name: What was done.
        seconds: How long it took.
    """
    if seconds < _LEAST_SHOWN_S or not sys.stderr.isatty():
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, highlight=False).print(Text(f"{name}  {seconds:.1f} s", style="dim"))

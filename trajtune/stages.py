"""What a command is doing, on a terminal: a spinner while a stage runs, and then a line with its time."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LEAST_SHOWN_S: Final = 0.3
"""A stage that took less leaves no line."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Show on stderr that a stage runs, if stderr is a terminal; otherwise do nothing.

    Stages must not overlap each other or another live display.

    Args:
        name: What is being done, for example "Starting Ray".
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    console, begun = Console(stderr=True, highlight=False), time.monotonic()
    with console.status(Text(f"{name} …")):
        yield
    took = time.monotonic() - begun
    if took >= _LEAST_SHOWN_S:
        console.print(Text(f"{name}  {took:.1f} s", style="dim"))

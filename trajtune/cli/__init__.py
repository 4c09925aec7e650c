"""The command line: one short function a command, nothing heavy imported before it is needed.

Knows which part does what; holds no rule of its own. Results go to stdout, everything else to
stderr. `commands` lists the commands, `entry` runs them, each other file holds a few.
"""

from trajtune.cli.commands import app
from trajtune.cli.entry import main

__all__ = ["app", "main"]

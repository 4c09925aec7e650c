"""The command line, with one file per command. Heavy modules are imported only when a command needs them.

The commands call other packages and contain no logic of their own. Results go to stdout, everything else to
stderr. `app` lists the commands and runs them. `arguments` defines arguments that several commands share.
"""

from trajtune.cli.app import app, main

__all__ = ["app", "main"]

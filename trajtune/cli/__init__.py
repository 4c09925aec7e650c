"""The command line: a file for each command, named after it; nothing heavy is imported before it is needed.

Knows which part does what; holds no rule of its own. Results go to stdout, everything else to stderr.
`app` lists the commands and runs them; `arguments` holds what several commands take.
"""

from trajtune.cli.app import app, main

__all__ = ["app", "main"]

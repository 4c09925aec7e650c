"""Run the command line: the environment before a command, and what becomes of its errors."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from trajtune.cli.commands import app
from trajtune.errors import GateError, TrajtuneError


def main() -> None:
    """Run the command line; every error that the user can mend is one line."""
    import platformdirs
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env")
    # torch keeps a folder for its compiler, in the temporary directory unless told otherwise.
    home = os.environ.get("TRAJTUNE_HOME") or platformdirs.user_cache_dir("trajtune")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(home, "torchinductor"))
    # A terminated command closes what it opened (the embedded PostgreSQL, Ray), as one interrupted does.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app()
    except TrajtuneError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(3 if isinstance(error, GateError) else 2)


def _terminated(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)

"""The commands in the order of ``trajtune --help``, and what holds for every one of them.

The environment is set before a command; ``--quiet`` may follow it; errors become a line and an exit code.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from trajtune.cli.backtest import backtest
from trajtune.cli.calibrate import calibrate
from trajtune.cli.dashboard import dashboard
from trajtune.cli.demo import demo
from trajtune.cli.doctor import doctor
from trajtune.cli.evaluate import evaluate
from trajtune.cli.export import export
from trajtune.cli.finalize import finalize
from trajtune.cli.init import init
from trajtune.cli.monitor import monitor
from trajtune.cli.predict import predict
from trajtune.cli.prepare import prepare
from trajtune.cli.report import report
from trajtune.cli.search import search
from trajtune.cli.simulate import simulate
from trajtune.cli.status import status
from trajtune.cli.train import train
from trajtune.cli.verify import verify
from trajtune.errors import GateError, TrajtuneError

_QUIET: Final = ("--quiet", "-q")
_COMMANDS: Final[tuple[Callable[..., Any], ...]] = (
    *(demo, init, simulate, prepare, search, status, report, finalize, predict, verify, backtest, monitor),
    *(train, export, calibrate, evaluate, doctor, dashboard),
)


_terminated: list[int] = []
"""SIGTERM, once it has come."""


class Commands(TyperGroup):
    """The group of all commands: takes ``--quiet`` anywhere; exits 130 if interrupted, 143 if terminated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move ``--quiet`` to the front if it follows the command."""
        end = args.index("--") if "--" in args else len(args)
        if any(name in args[:end] for name in _QUIET):
            args = [_QUIET[0], *(each for each in args[:end] if each not in _QUIET), *args[end:]]
        return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with stderr discarded if it is to be quiet."""
        with contextlib.ExitStack() as stack:
            stderr = sys.stderr
            if ctx.params["quiet"]:
                discarded = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(contextlib.redirect_stderr(discarded))
            try:
                return super().invoke(ctx)
            except (KeyboardInterrupt, typer.Abort) as stopped:
                print(str(stopped) or ("Terminated." if _terminated else "Interrupted."), file=stderr)
                raise typer.Exit(143 if _terminated else 130) from stopped


app = typer.Typer(
    name="trajtune",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 a bug in trajtune, with "
        "its traceback; 2 an error that you can fix, in one line; 3 a gate did not pass under "
        "--require-gates, or no longer holds (monitor); 130 interrupted; 143 terminated."
    ),
)
for _command in _COMMANDS:
    app.command(_command.__name__)(_command)


@app.callback()
def trajtune(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only results and errors; before or after a command.")
    ] = False,
) -> None:
    """From work histories in PostgreSQL to a small calibrated model of the next role.

    Example: trajtune demo
    """


def main() -> None:
    """Run the command line; every error that the user can fix is one line."""
    import platformdirs
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env")
    # torch keeps a folder for its compiler, in the temporary directory unless told otherwise.
    home = os.environ.get("TRAJTUNE_HOME") or platformdirs.user_cache_dir("trajtune")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(home, "torchinductor"))
    # A terminated command closes what it opened (the embedded PostgreSQL, Ray), like an interrupted one.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except TrajtuneError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(3 if isinstance(error, GateError) else 2)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does now: a search stops after the running epochs' reports, and says how to resume."""
    _terminated.append(number)
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # in the background, a shell has Ctrl-C ignored
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)

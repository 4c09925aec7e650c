"""The commands in the order of ``trajtune --help``, and the behaviour that they share.

The environment is set before a command runs. ``--quiet`` may follow the command. An error becomes one line
and an exit code.
"""

import contextlib
import os
import re
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
from trajtune.cli.compare import compare
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
from trajtune.cli.register import register
from trajtune.cli.report import report
from trajtune.cli.runs import runs
from trajtune.cli.search import search
from trajtune.cli.serve import serve
from trajtune.cli.simulate import simulate
from trajtune.cli.status import status
from trajtune.cli.train import train
from trajtune.cli.verify import verify
from trajtune.errors import GateError, TrajtuneError

_QUIET: Final = ("--quiet", "-q")
_COMMANDS: Final[tuple[Callable[..., Any], ...]] = (
    *(demo, init, simulate, prepare, search, status, runs, report, finalize, compare, predict, verify),
    *(serve, register, backtest, monitor),
    *(train, export, calibrate, evaluate, doctor, dashboard),
)


_END_OF_RULE: Final = re.compile(r"(?<=[.?])\s+(?=[A-Z`-])")
"""Where the first sentence of an error ends: it names the rule and the values; the remedy follows."""

_terminated: list[int] = []
"""Contains SIGTERM after it was received."""


class Commands(TyperGroup):
    """The group of all commands.

    Accepts ``--quiet`` anywhere. Exits with 130 if interrupted and 143 if terminated.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move ``--quiet`` to the front if it follows the command."""
        end = args.index("--") if "--" in args else len(args)
        if any(name in args[:end] for name in _QUIET):
            args = [_QUIET[0], *(each for each in args[:end] if each not in _QUIET), *args[end:]]
        return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with ``--quiet``, discard stderr."""
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
        "its traceback; 2 an error that you can fix, on one line; 3 a gate did not pass under "
        "--require-gates, or no longer holds (monitor); 130 interrupted; 143 terminated."
    ),
)
for _command in _COMMANDS:
    app.command(_command.__name__)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"trajtune {version('trajtune')}")
        raise typer.Exit


@app.callback()
def trajtune(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only results and errors; before or after a command.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn work histories in PostgreSQL into a small, calibrated model of the next role.

    Example: trajtune demo
    """


def main() -> None:
    """Run the command line. An error that the user can fix is printed as one line."""
    import platformdirs
    from dotenv import load_dotenv

    load_dotenv(Path.cwd() / ".env")
    # torch creates a folder for its compiler, by default in the temporary directory.
    home = os.environ.get("TRAJTUNE_HOME") or platformdirs.user_cache_dir("trajtune")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(home, "torchinductor"))
    # Like an interrupted command, a terminated one closes the embedded PostgreSQL and Ray.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except TrajtuneError as error:
        _print_error(error)
        sys.exit(3 if isinstance(error, GateError) else 2)


def _print_error(error: TrajtuneError) -> None:
    """Print an error: one line, or on a terminal the rule in red and the remedy on a line below it."""
    name, message = type(error).__name__, str(error)
    if not sys.stderr.isatty():
        print(f"{name}: {message}", file=sys.stderr)
        return
    from rich.console import Console
    from rich.text import Text

    rule, *remedy = _END_OF_RULE.split(message, maxsplit=1)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(f"{name}: {rule}", style="red"))
    for line in remedy:
        console.print(Text(line))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Act like Ctrl-C: a search stops after the reports of the current epochs, and prints how to resume."""
    _terminated.append(number)
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # a shell makes background processes ignore Ctrl-C
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)

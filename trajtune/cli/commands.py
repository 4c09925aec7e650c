"""The commands, in the order in which ``trajtune --help`` shows them."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from trajtune.cli.bundles import finalize, predict, verify
from trajtune.cli.data import prepare, simulate
from trajtune.cli.group import Commands
from trajtune.cli.initialize import init
from trajtune.cli.reports import report
from trajtune.cli.runs import dashboard, doctor, status
from trajtune.cli.searches import demo, search
from trajtune.cli.steps import calibrate, evaluate, export, train

app = typer.Typer(
    name="trajtune",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Results go to stdout, everything else to stderr. Exit codes: 0 done; 1 a fault of trajtune, with "
        "its traceback; 2 something you can mend, said in one line; 3 a gate failed under --require-gates; "
        "130 interrupted."
    ),
)

_COMMANDS: Final[tuple[Callable[..., Any], ...]] = (
    *(demo, init, simulate, prepare, search, status, report, finalize, predict, verify),
    *(train, export, calibrate, evaluate, doctor, dashboard),
)
for _command in _COMMANDS:
    app.command(_command.__name__)(_command)


@app.callback()
def trajtune(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors alone; before or after a command.")
    ] = False,
) -> None:
    """From work histories in PostgreSQL to a small calibrated model of the next role.

    Example: trajtune demo
    """

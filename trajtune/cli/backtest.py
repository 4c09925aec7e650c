"""``trajtune backtest``: a run's models, trained as of earlier days and measured on what followed."""

from typing import Annotated

import typer

from trajtune.cli.arguments import Address, AsJson, RunName, SnapshotOfRun, Verbose
from trajtune.cli.output import as_json_text
from trajtune.stages import loading


def backtest(
    run: RunName = None,
    origins: Annotated[int, typer.Option(min=1, help="Earlier days on which models are trained.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each configuration on each day.")] = 1,
    snapshot: SnapshotOfRun = None,
    as_json: AsJson = False,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Train the winner as of earlier days, measure it on later moves, advise when to retrain.

    The test split is not opened. After an interruption, the same command continues.

    Example: trajtune backtest first --origins 4
    """
    with loading(shown=not as_json):
        from trajtune.cluster import ray_session
        from trajtune.monitoring.backtest import PAGE
        from trajtune.monitoring.backtest import backtest as backtest_run
        from trajtune.monitoring.backtest_report import terminal_table
        from trajtune.searching.runs.directory import open_run

    opened = open_run(run)
    with ray_session(address, verbose=verbose):
        result, folder = backtest_run(
            opened, origins=origins, seeds=seeds, snapshot_path=snapshot, verbose=verbose
        )
    print(as_json_text(result) if as_json else f"{terminal_table(result)}\nReport: {folder / PAGE}")

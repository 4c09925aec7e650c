"""``trajtune search``: the hyperparameter search."""

from typing import Annotated

import typer

from trajtune.cli.arguments import (
    Address,
    ExperimentName,
    ResumedRun,
    Set,
    SnapshotPath,
    SpaceName,
    Verbose,
    WarmRun,
    experiment_of,
)
from trajtune.errors import RunError
from trajtune.stages import loading


def search(
    experiment: ExperimentName = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Number of trials in total.")] = None,
    space: SpaceName = None,
    settings: Set = None,
    run: Annotated[str | None, typer.Option(help="Name of the run; generated if left out.")] = None,
    resume: ResumedRun = None,
    snapshot: SnapshotPath = None,
    warm_start: WarmRun = None,
    force: Annotated[
        bool, typer.Option("--force", help="Resume although something harmless has changed.")
    ] = False,
    time_budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop cleanly after this long: 90s, 30m, 2h.")
    ] = None,
    max_epochs_total: Annotated[
        int | None, typer.Option(min=1, help="Stop cleanly after this many epochs in total.")
    ] = None,
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="Trials that may run at once.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the estimated time, memory and disk of the search, and exit."),
    ] = False,
    show_experiment: Annotated[
        bool, typer.Option("--show-experiment", help="With --dry-run: also print the resolved experiment.")
    ] = False,
    json_log: Annotated[
        bool, typer.Option("--json-log", help="Print each event as a line of JSON, and no display.")
    ] = False,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Search the hyperparameters around the research default.

    Example: trajtune search --trials 50
    """
    with loading():
        from trajtune.experiment.load import parse_settings
        from trajtune.searching import search as searching
        from trajtune.searching.run import SessionFlags

    if dry_run and resume is not None:
        raise RunError("--dry-run is for a new search. Leave out --resume or --dry-run.")
    if show_experiment and not dry_run:
        raise RunError("--show-experiment is a part of --dry-run. Add --dry-run or leave it out.")
    if resume is not None:
        asked = experiment_of(experiment, settings, reads_source=False) if experiment else None
    else:
        asked = experiment_of(experiment, settings, reads_source=snapshot is None)
    if dry_run and asked:
        asked = searching.for_search(asked, trials=trials, space=space)
        limits = searching.session_limits(time_budget, max_epochs_total, max_concurrent)
        flags = SessionFlags(address=address, verbose=verbose)
        print(
            searching.plan(
                *(asked, snapshot),
                warm_start=warm_start,
                limits=limits,
                flags=flags,
                show_experiment=show_experiment,
            )
        )
        return
    found = searching.search(
        *(asked, snapshot),
        trials=trials,
        space=space,
        settings=None if asked else parse_settings(settings or ()),
        run=run,
        resume=resume,
        warm_start=warm_start,
        force=force,
        time_budget=time_budget,
        max_epochs_total=max_epochs_total,
        max_concurrent=max_concurrent,
        address=address,
        verbose=verbose,
        json_log=json_log,
    )
    if not json_log:
        print(found.path)

"""``trajtune search``: the hyperparameter search."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from trajtune.cli.arguments import (
    Address,
    ExperimentName,
    ResumedRun,
    SnapshotPath,
    SpaceName,
    Verbose,
    WarmRun,
    experiment_of,
)
from trajtune.errors import RunError

if TYPE_CHECKING:
    from trajtune.experiment.settings import Experiment


def search(
    experiment: ExperimentName = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Number of trials in total.")] = None,
    space: SpaceName = None,
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
        typer.Option("--dry-run", help="Print the resolved experiment and its estimated cost, and exit."),
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
    path = search_in_ray_session(
        experiment,
        trials=trials,
        space=space,
        run=run,
        resume=resume,
        snapshot=snapshot,
        warm_start=warm_start,
        force=force,
        max_concurrent=max_concurrent,
        time_budget_s=_seconds(time_budget),
        max_epochs_total=max_epochs_total,
        dry_run=dry_run,
        json_log=json_log,
        address=address,
        verbose=verbose,
    )
    if path and not json_log:
        print(path)


def search_in_ray_session(
    experiment: str | None,
    *,
    trials: int | None = None,
    space: str | None = None,
    run: str | None = None,
    resume: str | None = None,
    snapshot: str | None = None,
    warm_start: str | None = None,
    force: bool = False,
    max_concurrent: int | None = None,
    time_budget_s: float | None = None,
    max_epochs_total: int | None = None,
    dry_run: bool = False,
    json_log: bool = False,
    address: str | None = None,
    verbose: bool = False,
) -> str | None:
    """Prepare (or open) the snapshot and search on it, in one Ray session.

    Returns:
        The run's path; None after a dry run.
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.snapshot import open_snapshot
    from trajtune.experiment.load import experiment_yaml
    from trajtune.experiment.space import load_space
    from trajtune.search.estimate import estimate
    from trajtune.search.run import open_run, resume_search, start_search
    from trajtune.search.start_points import check_start_points, with_warm_start

    if resume is not None and dry_run:
        raise RunError("--dry-run is for a new search. Leave out --resume or --dry-run.")
    if resume is not None:
        resumed = resume_search(
            resume,
            trials=trials,
            max_concurrent=max_concurrent,
            time_budget_s=time_budget_s,
            max_epochs_total=max_epochs_total,
            force=force,
            json_log=json_log,
            address=address,
            verbose=verbose,
        )
        return str(resumed.path)
    chosen = {
        "trials": trials,
        "space": space,
        "max_concurrent": max_concurrent,
        "time_budget_s": time_budget_s,
        "max_epochs_total": max_epochs_total,
    }
    resolved = _with_search_settings(experiment_of(experiment, reads_source=snapshot is None), chosen)
    # The space is checked before the database is read.
    searched = load_space(resolved.search.space)
    data = open_snapshot(snapshot) if snapshot else None
    with ray_session(address, verbose=verbose):
        data = data or prepare_snapshot(resolved, progress=True)
        if warm_start:
            resolved = with_warm_start(resolved, open_run(warm_start), data)
        if dry_run:
            check_start_points(resolved.search, searched)
            print(experiment_yaml(resolved) + estimate(resolved, searched, data).describe())
            return None
        started = start_search(resolved, data, space=searched, name=run, json_log=json_log, verbose=verbose)
        return str(started.path)


def _with_search_settings(experiment: "Experiment", chosen: Mapping[str, object]) -> "Experiment":
    """The experiment with the flags in place of its own search settings."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return experiment.model_copy(update={"search": experiment.search.model_copy(update=given)})


def _seconds(text: str | None) -> float | None:
    """``90s``, ``30m`` or ``2h`` in seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None or float(match[1]) == 0:
        raise typer.BadParameter(
            f"a time must be a positive number and s, m or h, for example 30m, but got {text!r}"
        )
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]

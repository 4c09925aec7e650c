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
    from trajtune.searching.budget import SessionLimits
    from trajtune.searching.run import SessionFlags
    from trajtune.storage.path import StoredPath


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
    from trajtune.searching.budget import SessionLimits
    from trajtune.searching.run import SessionFlags, resume_search
    from trajtune.searching.runs.resume_check import Expected

    flags = SessionFlags(json_log, address, verbose)
    limits = SessionLimits(max_concurrent, _seconds(time_budget), max_epochs_total)
    if resume is not None:
        if dry_run:
            raise RunError("--dry-run is for a new search. Leave out --resume or --dry-run.")
        expected = Expected(
            experiment_of(experiment, reads_source=False) if experiment else None,
            *(space, run, snapshot),
            warm_start=warm_start,
        )
        path: StoredPath | None = resume_search(
            resume, expected=expected, trials=trials, limits=limits, force=force, flags=flags
        ).path
    else:
        settings = {"trials": trials, "space": space}
        resolved = _with_search_settings(experiment_of(experiment, reads_source=snapshot is None), settings)
        path = prepare_and_search(
            *(resolved, flags, limits), run=run, snapshot=snapshot, warm_start=warm_start, dry_run=dry_run
        )
    if path and not json_log:
        print(path)


def prepare_and_search(
    experiment: "Experiment",
    flags: "SessionFlags",
    limits: "SessionLimits | None" = None,
    *,
    run: str | None = None,
    snapshot: str | None = None,
    warm_start: str | None = None,
    dry_run: bool = False,
) -> "StoredPath | None":
    """Prepare or open the snapshot and search on it, in one Ray session.

    Returns:
        The run's path; None after a dry run.
    """
    from trajtune.cluster import ray_session
    from trajtune.dataset.prepare import prepare as prepare_snapshot
    from trajtune.dataset.snapshot import open_snapshot
    from trajtune.experiment.load import experiment_yaml
    from trajtune.experiment.space import load_space
    from trajtune.searching.budget import SessionLimits
    from trajtune.searching.estimate import estimate
    from trajtune.searching.run import open_run, start_search
    from trajtune.searching.start_points import check_start_points, with_warm_start

    space = load_space(experiment.search.space)  # checked before the database is read
    data = open_snapshot(snapshot) if snapshot else None
    limits = limits or SessionLimits()
    with ray_session(flags.address, verbose=flags.verbose):
        data = data or prepare_snapshot(experiment, progress=True)
        if warm_start:
            experiment = with_warm_start(experiment, space, open_run(warm_start), data)
        if dry_run:
            experiment = experiment.model_copy(update={"search": limits.on(experiment.search)})
            check_start_points(experiment.search, space, experiment.training)
            print(experiment_yaml(experiment) + estimate(experiment, space, data).describe())
            return None
        return start_search(experiment, data, space=space, name=run, limits=limits, flags=flags).path


def _with_search_settings(experiment: "Experiment", settings: Mapping[str, object]) -> "Experiment":
    """The experiment with these search settings in place of its own, except those that are None."""
    given = {name: value for name, value in settings.items() if value is not None}
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

"""A whole search as one function, for Python and the command line: experiment, snapshot, Ray, trials.

`searching.run` starts or resumes a search on a snapshot that is open already.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.cluster import ray_session
from trajtune.errors import RunError
from trajtune.experiment.load import experiment_yaml, resolve, with_settings
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space, load_space
from trajtune.searching.budget import SessionLimits
from trajtune.searching.estimate import estimate
from trajtune.searching.run import SessionFlags, resume_search, start_search
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.resume_check import Expected
from trajtune.searching.start_points import check_start_points, with_warm_start

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot
    from trajtune.storage.path import StoredPath

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


def search(
    experiment: Experiment | str | Path | None = None,
    snapshot: "Snapshot | StoredPath | str | None" = None,
    *,
    trials: int | None = None,
    space: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    run: str | None = None,
    resume: Run | Path | str | None = None,
    warm_start: Run | Path | str | None = None,
    force: bool = False,
    time_budget: float | str | None = None,
    max_epochs_total: int | None = None,
    max_concurrent: int | None = None,
    address: str | None = None,
    verbose: bool = False,
    json_log: bool = False,
) -> Run:
    """Search the hyperparameters of an experiment, or resume a search.

    Without a snapshot, the experiment's source is read and a snapshot is prepared. Every argument is an
    option of ``trajtune search`` too::

        run = search("smoke", trials=8, settings={"training.dropout": 0.2})
        run = search(resume=run, trials=16)

    Args:
        experiment: An experiment, its name in ``experiments/`` or the path of its file. In a resume it is
            compared with the run's own, and may be left out.
        snapshot: A snapshot, its path or its URI; None prepares one. In a resume: where the run's is.
        trials: Trials in total; None: the experiment's number, or that of the resumed run.
        space: A name in ``search_spaces/`` or a path; None: the experiment's. In a resume: the space from now
            on, which must contain every trial that did not fail; None keeps the run's.
        settings: Settings in place of the experiment's, by their path with dots. In a resume without an
            experiment they replace the run's own.
        run: Name of the new run; None makes one from the time. In a resume it is compared with the run's.
        resume: The run to resume, its name or its path.
        warm_start: An earlier run whose best configurations are tried first.
        force: Resume although the versions of trajtune or its libraries differ.
        time_budget: Time after which the search stops cleanly: seconds, or text such as ``30m`` or ``2h``.
        max_epochs_total: Epochs of all trials after which the search stops cleanly.
        max_concurrent: Trials that may run at once.
        address: A Ray cluster to join; None: Ray is started here, or an open session is used.
        verbose: Show Ray's logs.
        json_log: Write each event as a line of JSON on stdout, and show no progress.

    Returns:
        The run, searched to its end or to its budget.

    Raises:
        ExperimentError: If the experiment, a setting or the space breaks a rule.
        RunError: If there is neither an experiment nor a run to resume, the name is taken, the run is not
            what is expected, the place cannot run the search, or every trial failed.
        SourceError: If the source cannot be read.
        SnapshotError: If the snapshot is missing or altered, or nothing can be trained on it.
        StorageError: If the place fails while the search runs; the search can be resumed.
    """
    flags = SessionFlags(json_log, address, verbose)
    limits = session_limits(time_budget, max_epochs_total, max_concurrent)
    earlier = None if warm_start is None else _reference(warm_start)
    if resume is not None:
        asked = None if experiment is None else resolve(experiment, settings)
        if settings and asked is None:
            asked = with_settings(open_run(_reference(resume)).experiment, settings)
        expected = Expected(
            *(asked, None if space is None else str(space), run, _place(snapshot)), warm_start=earlier
        )
        return resume_search(
            _reference(resume), expected=expected, trials=trials, limits=limits, force=force, flags=flags
        )
    if experiment is None:
        raise RunError(
            'A new search needs an experiment. Give one, for example search("default"), or a run to resume.'
        )
    asked = for_search(resolve(experiment, settings), trials=trials, space=space)
    with _prepared(asked, snapshot, earlier, flags) as (asked, loaded_space, data):
        return start_search(asked, data, space=loaded_space, name=run, limits=limits, flags=flags)


def plan(
    experiment: Experiment,
    snapshot: "Snapshot | StoredPath | str | None" = None,
    *,
    warm_start: str | None = None,
    limits: SessionLimits = SessionLimits(),
    flags: SessionFlags = SessionFlags(),
    show_experiment: bool = False,
) -> str:
    """What a search would cost, one fact on each line; nothing is searched.

    Args:
        experiment: The search that is planned.
        snapshot: See `search`.
        warm_start: See `search`.
        limits: The limits of the session.
        flags: How Ray is started.
        show_experiment: Whether the resolved experiment follows as YAML; the facts are then comments.
    """
    with _prepared(experiment, snapshot, warm_start, flags) as (asked, space, data):
        asked = asked.model_copy(update={"search": limits.on(asked.search)})
        check_start_points(asked.search, space, asked.training)
        with ray_session(flags.address, verbose=flags.verbose):
            facts = estimate(asked, space, data).describe()
        if not show_experiment:
            return facts
        return "".join(f"# {line}\n" for line in facts.splitlines()) + experiment_yaml(asked).rstrip("\n")


def for_search(experiment: Experiment, *, trials: int | None, space: str | Path | None) -> Experiment:
    """The experiment with another number of trials and another space, where they are given."""
    given = {"search.trials": trials, "search.space": None if space is None else str(space)}
    return with_settings(experiment, {name: value for name, value in given.items() if value is not None})


def session_limits(
    time_budget: float | str | None = None,
    max_epochs_total: int | None = None,
    max_concurrent: int | None = None,
) -> SessionLimits:
    """The limits of one session, checked; see `search`.

    Raises:
        RunError: If a limit is not positive, or the time cannot be read.
    """
    for name, value in (("max_epochs_total", max_epochs_total), ("max_concurrent", max_concurrent)):
        if value is not None and value < 1:
            raise RunError(f"`{name}` must be at least 1, but is {value}. Give a larger number.")
    seconds = None if time_budget is None else _seconds(time_budget)
    return SessionLimits(max_concurrent, seconds, max_epochs_total)


def _seconds(time: float | str) -> float:
    """Seconds as they are, or ``90s``, ``30m`` and ``2h`` in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", time) if isinstance(time, str) else None
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0 if isinstance(time, str) else float(time)
    if seconds > 0:
        return seconds
    raise RunError(
        f"A time budget must be a positive number and s, m or h, but is {time!r}. Write, for example, 30m."
    )


@contextmanager
def _prepared(
    experiment: Experiment,
    snapshot: "Snapshot | StoredPath | str | None",
    warm_start: str | None,
    flags: SessionFlags,
) -> "Iterator[tuple[Experiment, Space, Snapshot]]":
    """The experiment with its warm start, its space, and the snapshot; Ray stays open if it was needed.

    A snapshot that exists needs no Ray, so that the search can start Ray and read the careers at once.
    """
    from trajtune.dataset.prepare import prepare
    from trajtune.dataset.snapshot import Snapshot, open_snapshot

    space = load_space(experiment.search.space)  # checked before the database is read
    given = snapshot if snapshot is None or isinstance(snapshot, Snapshot) else open_snapshot(snapshot)
    is_open = nullcontext() if given else ray_session(flags.address, verbose=flags.verbose)
    with is_open:
        data = given or prepare(experiment, progress=not flags.json_log)
        if warm_start is not None:
            experiment = with_warm_start(experiment, space, open_run(warm_start), data)
        yield experiment, space, data


def _place(snapshot: "Snapshot | StoredPath | str | None") -> "StoredPath | str | None":
    """Where a snapshot is."""
    from trajtune.dataset.snapshot import Snapshot

    return snapshot.path if isinstance(snapshot, Snapshot) else snapshot


def _reference(run: Run | PathLike[str] | str) -> str:
    """A run's path if it is open, else what names it."""
    return str(run.path) if isinstance(run, Run) else fspath(run)

"""Start a search, or resume one: the entry points. Ray Tune executes the trials; the study remembers them."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trajtune.cluster import ray_session
from trajtune.errors import RunError
from trajtune.experiment.settings import Experiment, SearchSettings
from trajtune.experiment.space import Space, load_space
from trajtune.search.runs.create import create_run
from trajtune.search.runs.directory import Run, open_run
from trajtune.search.runs.log import RunLog, run_log
from trajtune.search.runs.resume_check import check_resumable
from trajtune.search.runs.retention import retain_best
from trajtune.search.session import SearchSession, open_session
from trajtune.search.start_points import check_start_points
from trajtune.search.study.sampler import check_sampler
from trajtune.search.study.trial_records import WITH_RESULT, TrialRecord, ranked, read_trials
from trajtune.search.tune.tracking import check_tracking

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot

__all__ = ["Run", "SessionFlags", "open_run", "resume_search", "search", "start_search"]


@dataclass(frozen=True)
class SessionFlags:
    """How a session is shown, and which Ray runs it; `search` explains each field."""

    json_log: bool = False
    address: str | None = None
    verbose: bool = False


_DEFAULTS: Final = SessionFlags()


def search(
    experiment: Experiment | None = None,
    snapshot: "Snapshot | None" = None,
    *,
    run: str | None = None,
    resume: str | Path | None = None,
    trials: int | None = None,
    json_log: bool = False,
    address: str | None = None,
    verbose: bool = False,
) -> Run:
    """Start a search of ``experiment`` on ``snapshot``, or resume the one that ``resume`` names.

    Args:
        experiment: What to search and where to write it; in a resume it is compared with the run's own.
        snapshot: The careers; a resumed run knows its own.
        run: Name of the new run; None makes one from the time.
        resume: A run's name or path.
        trials: Trials in total; None: the experiment's number, or that of the resumed run.
        json_log: Write each event as a line of JSON on stdout, instead of a display on stderr.
        address: A Ray cluster to join; None: Ray is started here, or an open session is used.
        verbose: Show Ray's logs.

    Returns:
        The run, searched to its end.

    Raises:
        RunError: If neither a run to resume nor both experiment and snapshot are given, or the search
            cannot go on as asked.
    """
    flags = SessionFlags(json_log, address, verbose)
    if resume is not None:
        return resume_search(resume, experiment=experiment, trials=trials, flags=flags)
    if experiment is None or snapshot is None:
        raise RunError("A new search needs an experiment and a snapshot. Give both, or a run to resume.")
    if trials is not None:
        experiment = experiment.model_copy(
            update={"search": experiment.search.model_copy(update={"trials": trials})}
        )
    return start_search(experiment, snapshot, name=run, flags=flags)


def start_search(
    experiment: Experiment,
    snapshot: "Snapshot",
    *,
    space: Space | None = None,
    name: str | None = None,
    flags: SessionFlags = _DEFAULTS,
) -> Run:
    """Search with as many trials as the experiment asks for.

    Args:
        experiment: Resolved.
        snapshot: Train and val are read; test is not.
        space: The experiment's, if it is loaded already; None: it is loaded from ``search.space``.
        name: Name of the run directory; None makes one from the time.
        flags: How the session is shown, and which Ray runs it.

    Returns:
        The run, with as many finished trials as asked for.

    Raises:
        ExperimentError: If the space breaks a rule.
        RunError: If the name is taken, or every trial failed.
        KeyboardInterrupt: If stopped by Ctrl-C; the message says how to resume.
    """
    check_tracking(experiment.tracking, experiment.storage.runs)
    space = space or load_space(experiment.search.space)
    check_start_points(experiment.search, space, experiment.training)
    check_sampler(experiment.search, space, experiment.training)
    run = create_run(experiment, space, name=name, snapshot_path=snapshot.path, snapshot_id=snapshot.id)
    return _search(run, snapshot, experiment.search, flags)


def resume_search(
    name: str | Path | None,
    *,
    experiment: Experiment | None = None,
    trials: int | None = None,
    max_concurrent: int | None = None,
    time_budget_s: float | None = None,
    max_epochs_total: int | None = None,
    force: bool = False,
    flags: SessionFlags = _DEFAULTS,
) -> Run:
    """Resume a run until it holds the trials asked for; with more ``trials``, extend it.

    Finished trials stay, unfinished ones go on from their last checkpoint, and the sampler and the
    pruner see all of them.

    Args:
        name: A run's name or path; None is the latest.
        experiment: What the caller expects to resume; refused where it differs from the run's own.
        trials: Trials in total from now on; None keeps the number.
        max_concurrent: Trials that may run at once; None keeps the experiment's.
        time_budget_s: Seconds from now; None keeps the experiment's.
        max_epochs_total: Epochs of all trials, earlier sessions included; None keeps the experiment's.
        force: Resume although the versions of trajtune or its libraries differ.
        flags: How the session is shown, and which Ray runs it.

    Raises:
        RunError: If there is no such run, another process searches in it, a difference forbids the
            resume, the run holds more trials already, or every trial failed.
        SnapshotError: If the run's snapshot is gone or altered.
        KeyboardInterrupt: If stopped by Ctrl-C; the message says how to resume.
    """
    from trajtune.dataset.snapshot import open_snapshot

    run = open_run(name, experiment.storage if experiment else None)
    check_tracking(run.experiment.tracking, str(run.path))
    check_sampler(run.experiment.search, run.space, run.experiment.training)
    snapshot = open_snapshot(run.snapshot_path)
    space = load_space(experiment.search.space) if experiment else None
    check_resumable(run, snapshot.id, experiment=experiment, space=space, force=force)
    given = {
        "max_concurrent": max_concurrent,
        "time_budget_s": time_budget_s,
        "max_epochs_total": max_epochs_total,
    }
    settings = run.experiment.search.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    return _search(run, snapshot, settings, flags, trials=trials)


def _search(
    run: Run,
    snapshot: "Snapshot",
    settings: SearchSettings,
    flags: SessionFlags,
    *,
    trials: int | None = None,
) -> Run:
    """Bring the run's study to the trials requested, with the settings of this session."""
    with run.locked() as still_held, run_log(run.path) as log:
        session = open_session(run, snapshot, settings, still_held, trials=trials)
        run, missing, budget_spent = session.run, session.num_missing, None
        print(f"search of {run.name} begins: {missing} of {run.requested} trials to go", file=log)
        if missing:
            with ray_session(flags.address, verbose=flags.verbose):
                from trajtune.search.tune.execute import execute

                budget_spent = execute(session, log, json_log=flags.json_log, verbose=flags.verbose)
        _conclude(session, log, budget_spent)
    return run


def _conclude(session: SearchSession, log: RunLog, budget_spent: str | None) -> None:
    """Report how the session ended; raises if it was interrupted or no trial may win."""
    run, records, missing = session.run, read_trials(session.study), session.num_missing
    retain_best(run, records)
    if missing:
        if budget_spent is None:
            raise KeyboardInterrupt(
                f"Stopped with {missing} of {run.requested} trials to go. "
                f"Go on with `trajtune search --resume {run.reference}`."
            )
        ended = f"Ended with {missing} of {run.requested} trials to go: {budget_spent}."
        print(ended, file=sys.stderr)
        print(ended, file=log)
    _check_winner(run, records)
    print(f"search of {run.name} ends: {missing} of {run.requested} trials to go", file=log)


def _check_winner(run: Run, records: Sequence[TrialRecord]) -> None:
    """Refuse a search that has no winner because every trial failed or breaks a constraint."""
    errors = Counter(trial.error for trial in records if trial.error)
    if errors and not ranked(records):
        error, count = errors.most_common(1)[0]
        raise RunError(f"Every trial of {run.name} failed, {count} of {len(records)} with: {error}")
    with_result = [trial for trial in records if trial.state in WITH_RESULT]
    broken = Counter(text for trial in with_result for text, by in trial.violations.items() if by > 0)
    if broken and all(not trial.is_feasible for trial in with_result):
        text, count = broken.most_common(1)[0]
        raise RunError(
            f"No trial of {run.name} keeps every constraint: {count} of {len(with_result)} break `{text}`. "
            "Loosen it or widen the space, and search again."
        )

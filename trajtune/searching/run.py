"""Start or resume a search on a snapshot. Ray Tune executes the trials; the Optuna study records them.

`searching.search` also reads the experiment and prepares the snapshot.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trajtune.cluster import ray_session
from trajtune.errors import RunError
from trajtune.experiment.settings import Experiment
from trajtune.experiment.space import Space, load_space
from trajtune.searching.budget import SessionLimits
from trajtune.searching.readiness import check_ready
from trajtune.searching.runs.create import create_run
from trajtune.searching.runs.directory import Run, open_run
from trajtune.searching.runs.log import RunLog, run_log
from trajtune.searching.runs.place_faults import refusing_for_place_faults, stopped, stopping_for_place_faults
from trajtune.searching.runs.resume_check import (
    Expected,
    changed_settings,
    check_resumable,
    space_changes,
)
from trajtune.searching.runs.retention import retain_best
from trajtune.searching.runs.snapshot_of_run import snapshot_of_run
from trajtune.searching.session import SearchSession, check_space, open_session
from trajtune.searching.show.conclusion import print_conclusion
from trajtune.searching.start_points import check_start_points, with_warm_start
from trajtune.searching.study.sampler import check_sampler
from trajtune.searching.study.trial_records import WITH_RESULT, TrialRecord, ranked, read_trials
from trajtune.searching.tune.tracking import check_tracking

if TYPE_CHECKING:
    from trajtune.dataset.snapshot import Snapshot


@dataclass(frozen=True)
class SessionFlags:
    """Display of a session, and the Ray that runs it; `searching.search` explains each field."""

    json_log: bool = False
    address: str | None = None
    verbose: bool = False


_DEFAULTS: Final = SessionFlags()
_NO_LIMITS: Final = SessionLimits()
_NOTHING_EXPECTED: Final = Expected()


def start_search(
    experiment: Experiment,
    snapshot: "Snapshot",
    *,
    space: Space | None = None,
    name: str | None = None,
    limits: SessionLimits = _NO_LIMITS,
    flags: SessionFlags = _DEFAULTS,
) -> Run:
    """Search with the number of trials that the experiment requests.

    The run directory is created only after all checks have passed.

    Args:
        experiment: The experiment, resolved.
        snapshot: Source of train and val; test is not read.
        space: The experiment's space, if it is already loaded; None: it is loaded from ``search.space``.
        name: Name of the run directory; None derives one from the time.
        limits: Limits of this session only.
        flags: Display of the session, and the Ray that runs it.

    Returns:
        The run, with the requested number of finished trials.

    Raises:
        ExperimentError: If the space breaks a rule.
        RunError: If the name is taken, if Ray or the run storage cannot run the search, or if every trial
            failed.
        SnapshotError: If the snapshot cannot be trained on.
        StorageError: If a disk, a store or a server fails during the search; the search can be resumed.
        KeyboardInterrupt: If stopped by Ctrl-C; the message says how to resume.
    """
    check_tracking(experiment.tracking, experiment.storage.runs)
    space = space or load_space(experiment.search.space)
    check_start_points(experiment.search, space, experiment.training)
    check_sampler(experiment.search, space, experiment.training)
    check_ready(experiment, snapshot)
    if experiment.storage.study_url_variable is not None:
        from trajtune.searching.study.database import database_storage, writer_retries

        database_storage(writer_retries(experiment.storage.study_url_variable))
    with ray_session(flags.address, verbose=flags.verbose, prestart=False):
        from trajtune.searching.tune.cluster_checks import check_cluster

        runs = experiment.storage.runs
        with refusing_for_place_faults(f"make a run in {runs}"):
            check_cluster(limits.on(experiment.search), runs)
            run = create_run(
                experiment, space, name=name, snapshot_path=snapshot.path, snapshot_id=snapshot.id
            )
        return _search(run, snapshot, flags, limits)


def resume_search(
    name: str | Path | None,
    *,
    expected: Expected = _NOTHING_EXPECTED,
    trials: int | None = None,
    limits: SessionLimits = _NO_LIMITS,
    force: bool = False,
    flags: SessionFlags = _DEFAULTS,
) -> Run:
    """Resume a run until it contains the requested trials; with more ``trials``, extend it.

    Finished trials are kept, and unfinished ones continue from their last checkpoint. The sampler and the
    pruner see all of them. With ``expected.space``, later trials are drawn from that space, if it contains
    every trial.

    Args:
        name: A run's name or path; None means the latest.
        expected: Expectations about the run, which is refused if it differs. Settings of the
            expected experiment that do not affect the value of a trial are used from now on.
        trials: Trials in total from now on; None keeps the number.
        limits: Limits of this session only.
        force: Whether to resume although the versions of trajtune or its libraries differ.
        flags: Display of the session, and the Ray that runs it.

    Raises:
        RunError: If there is no such run, if another process searches in it, if a difference forbids
            resuming, if the run already has more trials, or if every trial failed.
        SnapshotError: If the run's snapshot is missing or altered.
        StorageError: If a disk, a store or a server fails during the search; the search can be resumed.
        KeyboardInterrupt: If stopped by Ctrl-C; the message says how to resume.
    """
    from trajtune.dataset.snapshot import open_snapshot

    experiment = expected.experiment
    run = open_run(name, experiment.storage if experiment else None)
    snapshot = open_snapshot(expected.snapshot) if expected.snapshot else snapshot_of_run(run)
    expected = replace(expected, snapshot_id=expected.snapshot_id or snapshot.id)
    if expected.warm_start is not None:
        expected = _with_warm_start(run, expected, open_run(expected.warm_start), snapshot)
    check_resumable(run, expected, force=force)
    changed = changed_settings(run, experiment) if experiment else {}
    space = None if expected.space is None else load_space(expected.space)
    if space == run.space:
        space = None
    elif space is not None:
        changed = {**changed, "search": {**changed.get("search", {}), "space": expected.space}}
    check_tracking((experiment or run.experiment).tracking, str(run.path))
    check_sampler(run.experiment.search, space or run.space, run.experiment.training)
    return _search(run, snapshot, flags, limits, trials=trials, changed=changed, space=space)


def _with_warm_start(run: Run, expected: Expected, earlier: Run, snapshot: "Snapshot") -> Expected:
    """Return ``expected`` with the start points of a warm start from ``earlier``.

    Raises:
        RunError: If the run did not start with them.
    """
    if expected.experiment is not None:
        experiment = with_warm_start(expected.experiment, run.space, earlier, snapshot)
        return replace(expected, experiment=experiment)
    own = run.experiment.search.start_points
    warm = with_warm_start(run.experiment, run.space, earlier, snapshot).search.start_points[len(own) :]
    if any(point not in own for point in warm):
        raise RunError(
            f"The run {run.name} did not start with the best configurations of {earlier.name}. Leave "
            "--warm-start out, or start a new search."
        )
    return expected


def _search(
    run: Run,
    snapshot: "Snapshot",
    flags: SessionFlags,
    limits: SessionLimits,
    *,
    trials: int | None = None,
    changed: Mapping[str, Mapping[str, Any]] | None = None,
    space: Space | None = None,
) -> Run:
    """Run trials until the study has the number requested, with the settings of this session."""
    with (
        stopping_for_place_faults(run.reference),
        run.locked() as still_held,
        run_log(run.path) as log,
    ):
        changes = [] if space is None else space_changes(run.space, space)
        if space is not None:
            check_space(run, space)
        if changed:
            run = run.with_changed(changed)
        settings = limits.on(run.experiment.search)
        session = open_session(run, snapshot, settings, still_held, trials=trials, space=space)
        if changes:
            for file in (sys.stderr, log):
                print(f"The space of {run.name} changed: {', '.join(changes)}", file=file)
        run, missing, budget_spent = session.run, session.num_missing, None
        print(f"search of {run.name} begins: {missing} of {run.requested} trials to go", file=log)
        if missing:
            with ray_session(flags.address, verbose=flags.verbose, prestart=False):
                from trajtune.searching.tune.execute import execute

                budget_spent = execute(session, log, json_log=flags.json_log, verbose=flags.verbose)
        _conclude(session, log, budget_spent, json_log=flags.json_log)
    return run


def _conclude(session: SearchSession, log: RunLog, budget_spent: str | None, *, json_log: bool) -> None:
    """Report how the session ended; raise if it was interrupted or if no trial is eligible to win."""
    run, records, missing = session.run, read_trials(session.study), session.num_missing
    retain_best(run, records)
    if missing:
        if budget_spent is None and missing == len(session.lost.numbers):
            raise stopped(run.reference, session.lost.reason)
        if budget_spent is None:
            raise KeyboardInterrupt(
                f"Stopped with {missing} of {run.requested} trials to go. "
                f"Continue with `trajtune search --resume {run.reference}`."
            )
        ended = f"Ended with {missing} of {run.requested} trials to go: {budget_spent}."
        print(ended, file=sys.stderr)
        print(ended, file=log)
    _check_winner(run, records)
    if not json_log:
        print_conclusion(run, session.study, records, log)
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

"""A search: start one, or go on with one. Ray Tune executes the trials; the study remembers them."""

import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trajtune.cluster import ray_session
from trajtune.errors import RunError, TrajtuneError
from trajtune.experiment.objective import parse_constraint
from trajtune.experiment.settings import Experiment, SearchSettings
from trajtune.experiment.space import load_space
from trajtune.search.newest_careers import train_careers
from trajtune.search.runs.create import create_run
from trajtune.search.runs.directory import TUNE_PREFIX, Run, open_run
from trajtune.search.runs.lock import StillHeld
from trajtune.search.runs.log import RunLog, run_log, tee_stderr
from trajtune.search.runs.resume_check import check_resumable
from trajtune.search.runs.retention import retain_best
from trajtune.search.show.json_log import JsonLog
from trajtune.search.show.progress import lines_to, show_progress
from trajtune.search.start_points import check_start_points, start_points
from trajtune.search.study import study as record
from trajtune.search.study.open import create_study
from trajtune.search.study.sampler import check_sampler
from trajtune.search.study.trial_records import WITH_RESULT, TrialRecord, ranked, read_trials
from trajtune.search.tune.placement import num_concurrent, place
from trajtune.search.tune.tracking import check_tracking, tracked, trial_name
from trajtune.search.val_baselines import best_baseline, keep_baselines
from trajtune.storage.path import children, local_path, remove_tree

if TYPE_CHECKING:
    import optuna

    from trajtune.dataset.snapshot import Snapshot
    from trajtune.search.tune.searcher import Listener

__all__ = ["Run", "open_run", "resume_search", "search", "start_search"]


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
    """Start a search of ``experiment`` on ``snapshot``, or go on with the one that ``resume`` names.

    Args:
        experiment: What to search and where to write it; in a resume it is compared with the run's own.
        snapshot: The careers; a resumed run knows its own.
        run: Name of the new run; None: made of the time.
        resume: A run's name or path.
        trials: Trials in total; None: as the experiment says, or as the run was asked for.
        json_log: Write each event as a line of JSON on stdout, and show nothing else.
        address: Of a Ray cluster to join; None: Ray on this machine.
        verbose: Let Ray speak.

    Returns:
        The run, searched to its end.

    Raises:
        RunError: If neither a run to resume nor both experiment and snapshot are given, or the search
            cannot go on as asked.
    """
    if resume is not None:
        return resume_search(
            resume, experiment=experiment, trials=trials, json_log=json_log, address=address, verbose=verbose
        )
    if experiment is None or snapshot is None:
        raise RunError("A new search needs an experiment and a snapshot. Give both, or a run to resume.")
    if trials is not None:
        experiment = experiment.model_copy(
            update={"search": experiment.search.model_copy(update={"trials": trials})}
        )
    return start_search(experiment, snapshot, name=run, json_log=json_log, address=address, verbose=verbose)


def start_search(
    experiment: Experiment,
    snapshot: "Snapshot",
    *,
    name: str | None = None,
    json_log: bool = False,
    address: str | None = None,
    verbose: bool = False,
) -> Run:
    """Search ``experiment.search.space`` with as many trials as the experiment asks for.

    Args:
        experiment: Resolved.
        snapshot: Train and val are read; test is not.
        name: Of the run directory; None makes one from the time.
        json_log: Write each event as a line of JSON on stdout, instead of showing it on stderr.
        address: A Ray cluster to join; None starts Ray here, or uses an open session.
        verbose: Let Ray speak.

    Returns:
        The run, with as many finished trials as asked for.

    Raises:
        ExperimentError: If the space breaks a rule.
        RunError: If the name is taken, or every trial failed.
        KeyboardInterrupt: If stopped by Ctrl-C; the message says how to go on.
    """
    check_tracking(experiment.tracking, experiment.storage.runs)
    space = load_space(experiment.search.space)
    check_start_points(experiment.search, space)
    check_sampler(experiment.search, space)
    run = create_run(experiment, space, name=name, snapshot_path=snapshot.path, snapshot_id=snapshot.id)
    return _search(run, snapshot, experiment.search, json_log=json_log, address=address, verbose=verbose)


def resume_search(
    name: str | Path | None,
    *,
    experiment: Experiment | None = None,
    trials: int | None = None,
    max_concurrent: int | None = None,
    time_budget_s: float | None = None,
    max_epochs_total: int | None = None,
    force: bool = False,
    json_log: bool = False,
    address: str | None = None,
    verbose: bool = False,
) -> Run:
    """Go on with a run until it holds the trials asked for; with more ``trials``, extend it.

    Finished trials stay, unfinished ones go on from their last checkpoint, and the sampler and the
    pruner see all of them.

    Args:
        name: A run's name or path; None is the latest.
        experiment: What the caller believes to go on with; refused if it says otherwise than the run.
        trials: Trials in total from now on; None keeps the number.
        max_concurrent: Trials at once; None keeps the experiment's.
        time_budget_s: Seconds from now; None keeps the experiment's.
        max_epochs_total: Epochs of all trials, those of earlier sessions too; None keeps the experiment's.
        force: Go on although the versions of trajtune or its libraries differ.
        json_log: Write each event as a line of JSON on stdout, instead of showing it on stderr.
        address: A Ray cluster to join; None starts Ray here, or uses an open session.
        verbose: Let Ray speak.

    Raises:
        RunError: If there is no such run, another process searches in it, something differs that
            forbids going on, the run holds more trials already, or every trial failed.
        SnapshotError: If the run's snapshot is gone or altered.
        KeyboardInterrupt: If stopped by Ctrl-C; the message says how to go on.
    """
    from trajtune.dataset.snapshot import open_snapshot

    run = open_run(name, experiment.storage if experiment else None)
    check_tracking(run.experiment.tracking, str(run.path))
    check_sampler(run.experiment.search, run.space)
    snapshot = open_snapshot(run.snapshot_path)
    check_resumable(run, snapshot.id, experiment=experiment, force=force)
    chosen = {
        "max_concurrent": max_concurrent,
        "time_budget_s": time_budget_s,
        "max_epochs_total": max_epochs_total,
    }
    session = run.experiment.search.model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    return _search(run, snapshot, session, trials=trials, json_log=json_log, address=address, verbose=verbose)


def _search(
    run: Run,
    snapshot: "Snapshot",
    session: SearchSettings,
    *,
    trials: int | None = None,
    json_log: bool,
    address: str | None,
    verbose: bool,
) -> Run:
    """Bring the run's study to the trials requested, by the settings of this session."""
    with run.locked() as still_held, run_log(run.path) as log:
        return _complete(
            run,
            snapshot,
            session,
            log,
            still_held,
            trials=trials,
            json_log=json_log,
            address=address,
            verbose=verbose,
        )


def _complete(
    run: Run,
    snapshot: "Snapshot",
    session: SearchSettings,
    log: RunLog,
    still_held: StillHeld,
    *,
    trials: int | None,
    json_log: bool,
    address: str | None,
    verbose: bool,
) -> Run:
    """What `_search` does while it holds the run; says its beginning and its end to the log."""
    for leftover in children(run.path, f"{TUNE_PREFIX}*"):
        remove_tree(leftover)
    study = create_study(
        run.path,
        session,
        run.experiment.training.max_epochs,
        url_variable=run.experiment.storage.study_url_variable,
    )
    if trials is not None:
        run = _request(run, study, trials)
    points = start_points(session, run.space, run.experiment.training, run.requested)
    # Trial i is point i, so a search that was killed while queueing goes on where it stopped.
    for origin, params in points[len(record.trials_of(study)) :]:
        record.enqueue(study, run.space, params, origin)
    spent = None
    missing = _missing(study, run.requested)
    print(f"search of {run.name} begins: {missing} of {run.requested} trials to go", file=log)
    if missing:
        with ray_session(address, verbose=verbose), _own_interrupt_handler():
            spent = _execute(
                run, snapshot, study, session, log, still_held, json_log=json_log, verbose=verbose
            )
    records = read_trials(study)
    retain_best(run, records)
    missing = _missing(study, run.requested)
    if missing and spent:
        ended = f"Ended with {missing} of {run.requested} trials to go: {spent}."
        print(ended, file=sys.stderr)
        print(ended, file=log)
    elif missing:
        raise KeyboardInterrupt(
            f"Stopped with {missing} of {run.requested} trials to go. "
            f"Go on with `trajtune search --resume {run.reference}`."
        )
    errors = Counter(trial.error for trial in records if trial.error)
    if errors and not ranked(records):
        error, count = errors.most_common(1)[0]
        raise RunError(f"Every trial of {run.name} failed, {count} of {len(records)} with: {error}")
    _check_feasible(run, records)
    print(f"search of {run.name} ends: {missing} of {run.requested} trials to go", file=log)
    return run


def _execute(
    run: Run,
    snapshot: "Snapshot",
    study: "optuna.Study",
    settings: SearchSettings,
    log: RunLog,
    still_held: StillHeld,
    *,
    json_log: bool,
    verbose: bool,
) -> str | None:
    """Let Ray Tune run what the study lacks, until it has all, a budget is spent or Ctrl-C is pressed.

    Returns:
        Which budget was spent, in words; None if that is not why it ended.
    """
    import ray
    from ray import tune
    from ray.tune.error import TuneError

    from trajtune.model.network.title_vectors import words_of
    from trajtune.search.tune.searcher import StudyScheduler, StudySearcher
    from trajtune.search.tune.trainable import TrialActor

    placement = place(settings, ray.cluster_resources())
    encoder = snapshot.encoder()
    train, val = train_careers(snapshot, settings), snapshot.read("val").arrays
    baseline = best_baseline(keep_baselines(run, train, val, encoder.vocab_size), settings.metric)
    trainable = tune.with_parameters(
        TrialActor,
        data={"train": train.to_dict(), "val": val.to_dict()},
        vocab_size=encoder.vocab_size,
        title_words=words_of(encoder),
        directory=str(run.path),
        metric=settings.metric,
        constrained=frozenset(parse_constraint(text).name for text in settings.constraints),
        seed=settings.seed,
        device=placement.device,
    )
    with (
        _shown(run, study, settings.metric, baseline, log, json_log=json_log) as show,
        _scratch(run) as scratch,
        tracked(run.experiment.tracking, run) as callbacks,
    ):

        def listener(what: str, number: int) -> None:
            if what == "end":
                retain_best(run, read_trials(study))
            show(what, number)

        searcher = StudySearcher(
            study,
            run.space,
            settings,
            run.experiment.training,
            requested=run.requested,
            max_concurrent=lambda: num_concurrent(settings, ray.cluster_resources()),
            listener=listener,
            still_held=still_held,
        )
        tuner = tune.Tuner(
            tune.with_resources(trainable, dict(placement.resources)),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StudyScheduler(searcher),
                num_samples=-1,  # the searcher says when it is enough
                reuse_actors=True,
                trial_name_creator=trial_name,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=scratch,
                # Trials write their own checkpoints, where a new search finds them.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=settings.max_failures),
                callbacks=callbacks,
                verbose=int(verbose),
            ),
        )
        try:
            with _actors_started_together(placement.concurrent):
                tuner.fit()
        except TuneError as error:
            # Ray wraps what the searcher raises; ours is for the user.
            if isinstance(error.__context__, TrajtuneError):
                raise error.__context__ from None
            raise
    return searcher.budget.spent(study)


@contextmanager
def _actors_started_together(count: int) -> Iterator[None]:
    """Let Tune start as many actors at once as train at once; by itself it waits for each one's imports."""
    name = "TUNE_MAX_PENDING_TRIALS_PG"
    before = os.environ.get(name)
    os.environ.setdefault(name, str(count))
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


@contextmanager
def _scratch(run: Run) -> Iterator[str]:
    """A directory for Ray Tune's own files; what a killed session leaves in a run, the next one removes."""
    with tempfile.TemporaryDirectory(prefix=TUNE_PREFIX, dir=local_path(run.path)) as scratch:
        yield scratch


@contextmanager
def _shown(
    run: Run,
    study: "optuna.Study",
    metric: str,
    baseline: tuple[str, float] | None,
    log: RunLog,
    *,
    json_log: bool,
) -> Iterator["Listener"]:
    """Show the session to people or to programs, and keep it in the log."""
    if not json_log:
        # In this order: the live table takes stderr over, and what is printed beside it is for the log.
        with show_progress(study, run.requested, metric, baseline, log) as show, tee_stderr(log):
            yield show
        return
    events, lines = JsonLog(study, sys.stdout), lines_to(log, study, run.requested, metric, baseline)
    events.begin(run.name, run.requested, metric)

    def both(what: str, number: int) -> None:
        events(what, number)
        lines(what, number)

    try:
        with tee_stderr(log):
            yield both
    finally:
        events.done()


def _check_feasible(run: Run, records: Sequence[TrialRecord]) -> None:
    """A search whose every result breaks a constraint has no winner, and says so."""
    with_result = [trial for trial in records if trial.state in WITH_RESULT]
    broken = Counter(text for trial in with_result for text, by in trial.violations.items() if by > 0)
    if broken and all(not trial.is_feasible for trial in with_result):
        text, count = broken.most_common(1)[0]
        raise RunError(
            f"No trial of {run.name} keeps every constraint: {count} of {len(with_result)} break `{text}`. "
            "Loosen it or widen the space, and search again."
        )


def _request(run: Run, study: "optuna.Study", trials: int) -> Run:
    """Ask for another number of trials; those that were begun cannot be taken back."""
    begun = sum(trial.state.name != "WAITING" for trial in record.trials_of(study))
    if trials < begun:
        raise RunError(f"`trials` must be at least {begun}, which {run.name} holds already, but is {trials}.")
    return run.with_requested(trials)


def _missing(study: "optuna.Study", requested: int) -> int:
    """Trials to go: those without a final state, and those not asked yet."""
    return requested - sum(trial.state.is_finished() for trial in record.trials_of(study))


@contextmanager
def _own_interrupt_handler() -> Iterator[None]:
    """Put back the handler of Ctrl-C, which Tune replaces by one that outlives its run."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)

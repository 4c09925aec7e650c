"""Train a session's trials with Ray Tune. Import this inside `ray_session`: Ray reads its settings then."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune
from ray.tune.error import TuneError

from trajtune.dataset.arrays import CareerArrays
from trajtune.errors import TrajtuneError
from trajtune.experiment.objective import parse_constraint
from trajtune.model.network.title_vectors import words_of
from trajtune.searching.newest_careers import train_careers
from trajtune.searching.runs.create import versions
from trajtune.searching.runs.directory import TUNE_PREFIX, Run
from trajtune.searching.runs.log import RunLog
from trajtune.searching.session import SearchSession
from trajtune.searching.show.display import display
from trajtune.searching.tune.demand import Demand, can_grow, visible_demand
from trajtune.searching.tune.placement import Placement, num_concurrent, place
from trajtune.searching.tune.scheduler import StudyScheduler
from trajtune.searching.tune.searcher import StudySearcher
from trajtune.searching.tune.tracking import tracked, trial_name
from trajtune.searching.tune.trainable import TrialActor
from trajtune.searching.val_baselines import keep_baselines
from trajtune.storage.path import local_path


def execute(session: SearchSession, log: RunLog, *, json_log: bool, verbose: bool) -> str | None:
    """Train what the study lacks, until it has all, a budget is spent or Ctrl-C is pressed.

    Returns:
        Which budget was spent at the end, as a clause for a message; None if none was.
    """
    run, settings = session.run, session.settings
    with _interrupt_handler_restored():
        # A resumed search on a new cluster has no node yet, and waits for the first.
        grows = can_grow()
        placement = place(settings, ray.cluster_resources(), can_grow=grows)
        most = min(settings.max_concurrent or session.num_missing, session.num_missing)
        demand = Demand(settings, most)
        train, val = train_careers(session.snapshot, settings), session.snapshot.read("val").arrays
        keep_baselines(run, train, val, session.snapshot.encoder().vocab_size)
        trainable = _trainable(session, placement, train, val)
        with (
            display(run, session.study, log, json_log=json_log) as listener,
            _tune_directory(run) as directory,
            tracked(run.experiment.tracking, run) as callbacks,
            _actors_started_together(most if grows else placement.concurrent),
            visible_demand(demand),
        ):
            session.start(listener)
            tuner = tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(
                    search_alg=StudySearcher(
                        session,
                        lambda: num_concurrent(settings, ray.cluster_resources()),
                        lambda: demand.set_unfinished(session.num_missing),
                    ),
                    scheduler=StudyScheduler(session),
                    num_samples=-1,  # the searcher says when it is enough
                    reuse_actors=True,
                    trial_name_creator=trial_name,
                ),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=directory,
                    # Trials write their own checkpoints, where a new search finds them.
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    failure_config=tune.FailureConfig(max_failures=settings.max_failures),
                    callbacks=callbacks,
                    # In a notebook Tune would choose one that clears the cell, where our display is.
                    progress_reporter=tune.CLIReporter(),
                    verbose=int(verbose),
                ),
            )
            _fit(tuner)
        return session.stopped_by()


def _trainable(session: SearchSession, placement: Placement, train: CareerArrays, val: CareerArrays) -> Any:
    """The actor with the data and settings that all trials share, and the resources of one trial."""
    encoder, settings = session.snapshot.encoder(), session.settings
    with_data = tune.with_parameters(
        TrialActor,
        data={"train": train.to_dict(), "val": val.to_dict()},
        vocab_size=encoder.vocab_size,
        title_words=words_of(encoder),
        directory=str(session.run.path),
        metric=settings.metric,
        constrained=frozenset(parse_constraint(text).name for text in settings.constraints),
        device=placement.device,
        versions=versions(),
    )
    return tune.with_resources(with_data, dict(placement.resources))


def _fit(tuner: tune.Tuner) -> None:
    try:
        tuner.fit()
    except TuneError as error:
        # Ray wraps what the searcher raises; these are for the user.
        if isinstance(error.__context__, TrajtuneError | OSError):
            raise error.__context__ from None
        raise


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
def _tune_directory(run: Run) -> Iterator[str]:
    """A directory for Ray Tune's own files; what a killed session leaves in a run, the next one removes."""
    with tempfile.TemporaryDirectory(prefix=TUNE_PREFIX, dir=local_path(run.path)) as directory:
        yield directory


@contextmanager
def _interrupt_handler_restored() -> Iterator[None]:
    """Restore the handler of Ctrl-C, which Tune replaces by one that outlives its run."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)

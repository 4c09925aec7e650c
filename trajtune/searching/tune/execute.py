"""Trains a session's trials with Ray Tune. Import it inside `ray_session`: Ray reads settings on import."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune
from ray.tune.error import TuneError

from trajtune.careers.exchange.partitions import fetched
from trajtune.errors import TrajtuneError
from trajtune.experiment.objective import parse_constraint
from trajtune.model.network.title_words import words_of
from trajtune.searching.runs.create import versions
from trajtune.searching.runs.directory import TUNE_PREFIX, Run
from trajtune.searching.runs.log import RunLog
from trajtune.searching.session import SearchSession
from trajtune.searching.shared_careers import (
    SharedCareers,
    near_files,
    roles_left_out,
    shared_split,
    shared_train,
)
from trajtune.searching.show.display import display
from trajtune.searching.show.events import Event
from trajtune.searching.tune.baselines import BaselineTask
from trajtune.searching.tune.demand import Demand, can_grow, visible_demand
from trajtune.searching.tune.placement import Placement, num_concurrent, place
from trajtune.searching.tune.scheduler import StudyScheduler
from trajtune.searching.tune.searcher import StudySearcher
from trajtune.searching.tune.stacked_trials import StackedTrialActor, trial_processes
from trajtune.searching.tune.tracking import tracked, trial_name
from trajtune.searching.tune.trainable import TrialActor, TrialInputs
from trajtune.stages import stage
from trajtune.storage.path import local_path


def execute(session: SearchSession, log: RunLog, *, json_log: bool, verbose: bool) -> str | None:
    """Train the study's missing trials until all have ended, a budget is spent or Ctrl-C is pressed.

    Returns:
        Why the search stopped early, as a clause for a message; None if it did not.
    """
    run, settings = session.run, session.settings
    with _interrupt_handler_restored():
        # A resumed search on a new cluster may have no node yet; it then waits for the first one.
        grows = can_grow()
        placement = place(settings, ray.cluster_resources(), can_grow=grows)
        most = min(settings.max_concurrent or session.num_missing, session.num_missing)
        demand = Demand(settings, most)
        careers = _shared_careers(session, log)
        baselines = BaselineTask(run, careers, session.snapshot.encoder().vocab_size)
        with (
            _trainable(session, placement, careers) as trainable,
            display(run, session.study, log, json_log=json_log) as listener,
            _tune_directory(run) as directory,
            tracked(run.experiment.tracking, run) as callbacks,
            _actors_started_together(most if grows else placement.concurrent),
            visible_demand(demand),
        ):

            def on_event(event: Event, number: int) -> None:
                baselines.on_event(event)
                listener(event, number)

            session.start(on_event)
            tuner = tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(
                    search_alg=StudySearcher(
                        session,
                        lambda: num_concurrent(settings, ray.cluster_resources()),
                        lambda: demand.set_unfinished(session.num_missing),
                    ),
                    scheduler=StudyScheduler(session),
                    num_samples=-1,  # the searcher ends the search
                    reuse_actors=True,
                    trial_name_creator=trial_name,
                ),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=directory,
                    # Trials write their own checkpoints to the run directory.
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    failure_config=tune.FailureConfig(max_failures=settings.max_failures),
                    callbacks=callbacks,
                    # In a notebook Tune would choose one that clears the cell, where our display is.
                    progress_reporter=tune.CLIReporter(),
                    verbose=int(verbose),
                ),
            )
            _fit(tuner)
        if not session.num_missing or session.stopped_by() is not None:  # after Ctrl-C nobody waits
            with stage("Measuring the baselines on val"):
                baselines.finish()
        return session.stopped_by()


def _shared_careers(session: SearchSession, log: RunLog) -> SharedCareers:
    """Put train and val into Ray's object store, and report the roles that models do not read."""
    snapshot, most = session.snapshot, session.run.experiment.training.max_history
    careers = {"train": shared_train(snapshot, session.settings), "val": shared_split(snapshot, "val")}
    if line := fetched(near_files(snapshot, roles_left_out, careers["train"], most)):
        for file in (sys.stderr, log):
            print(line, file=file)
    return careers


@contextmanager
def _trainable(session: SearchSession, placement: Placement, careers: SharedCareers) -> Iterator[Any]:
    """Provide the actor class with what all trials share, and one trial's resources."""
    encoder, settings = session.snapshot.encoder(), session.settings
    inputs = TrialInputs(
        data=careers,
        vocab_size=encoder.vocab_size,
        title_words=words_of(encoder),
        directory=str(session.run.path),
        metric=settings.metric,
        constrained=frozenset(parse_constraint(text).name for text in settings.constraints),
        device=placement.device,
    )
    resources = dict(placement.resources)
    if settings.models_per_process == 1:
        with_data = tune.with_parameters(TrialActor, inputs=inputs, versions=versions())
        yield tune.with_resources(with_data, resources)
        return
    with trial_processes(inputs, settings.models_per_process) as processes:
        with_data = tune.with_parameters(
            StackedTrialActor, processes=processes, directory=inputs.directory, versions=versions()
        )
        yield tune.with_resources(with_data, resources)


def _fit(tuner: tune.Tuner) -> None:
    try:
        tuner.fit()
    except TuneError as error:
        # Ray wraps the exceptions that the searcher raises; these are meant for the user.
        if isinstance(error.__context__, TrajtuneError | OSError):
            raise error.__context__ from None
        raise


@contextmanager
def _actors_started_together(count: int) -> Iterator[None]:
    """Let Tune start ``count`` actors at once; by default it waits for the imports of each one."""
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
    """Create a directory for Ray Tune's files. If the session is killed, the next one removes it."""
    with tempfile.TemporaryDirectory(prefix=TUNE_PREFIX, dir=local_path(run.path)) as directory:
        yield directory


@contextmanager
def _interrupt_handler_restored() -> Iterator[None]:
    """Restore the handler for Ctrl-C, which Tune replaces and does not restore."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)

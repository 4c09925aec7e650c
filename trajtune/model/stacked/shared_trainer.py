"""Several trainings in the threads of one process, whose epochs are trained together.

Knows nothing of Ray: a caller runs each training in a thread of its own.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from trajtune.errors import TrainingError
from trajtune.model.stacked.epoch import stack_key, train_stacked
from trajtune.model.training.epoch import EpochTraining, train_alone

_LEAST_WAIT_S: Final = 2.0
"""Seconds to wait for the other trainings before the first epoch, and after a shorter one."""


class SharedTrainer:
    """Trains epochs of several trainings at once. It is the `EpochTrainer` of each of them.

    An epoch begins when all trainings in `expected` have asked for one. A training that does not ask in time
    is no longer waited for: it may have been stopped, or its decision takes long. It may ask again later.
    Trainings whose shapes differ are trained one after the other.

    Only one thread runs at a time, because torch's random state and its CPU are shared; see `running`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._expected: set[object] = set()
        self._waiting: dict[object, EpochTraining] = {}
        self._outcomes: dict[object, float | Exception] = {}
        self._by_thread = threading.local()
        self._wait_s = _LEAST_WAIT_S

    def is_waiting(self, training: object) -> bool:
        """Return whether a training waits for its epoch to begin."""
        with self._changed:
            return training in self._waiting

    @contextmanager
    def running(self, training: object) -> Iterator[None]:
        """Let this thread run the given training; other threads run only while it waits for an epoch.

        Args:
            training: Identifies the training.
        """
        with self._changed:
            self._expected.add(training)
            self._by_thread.training = training
            yield

    def forget(self, training: object) -> None:
        """Stop waiting for a training, which has ended or is started again; its thread gets an error."""
        with self._changed:
            self._expected.discard(training)
            if self._waiting.pop(training, None) is not None:
                self._outcomes[training] = RuntimeError("The training was started again.")
            self._changed.notify_all()

    def __call__(self, epoch: EpochTraining) -> float:
        """Train the epoch together with those of the others, and return its mean loss.

        Raises:
            TrainingError: If its loss has diverged.
        """
        own = self._by_thread.training
        self._waiting[own] = epoch
        self._changed.notify_all()
        deadline = time.monotonic() + self._wait_s
        while own not in self._outcomes:
            left = deadline - time.monotonic()
            if own in self._waiting and (self._expected <= self._waiting.keys() or left <= 0):
                self._train_waiting()
            else:
                self._changed.wait(max(0.01, left))
        outcome = self._outcomes.pop(own)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _train_waiting(self) -> None:
        began = time.monotonic()
        waiting, self._waiting = self._waiting, {}
        self._expected = set(waiting)
        groups: dict[object, list[object]] = {}
        for training, epoch in waiting.items():
            key = stack_key(epoch.params)
            groups.setdefault(("alone", training) if key is None else key, []).append(training)
        for group in groups.values():
            self._outcomes |= _train({training: waiting[training] for training in group})
        # Whoever needs longer than this for a validation and a decision misses an epoch.
        self._wait_s = max(_LEAST_WAIT_S, time.monotonic() - began)
        self._changed.notify_all()


def _train(group: Mapping[object, EpochTraining]) -> dict[object, float | Exception]:
    """Train a group; an error that is not of a single training is the outcome of all of them."""
    (first, epoch), *others = group.items()
    try:
        if not others:
            return {first: train_alone(epoch)}
        return dict(zip(group, train_stacked(list(group.values())), strict=True))
    except TrainingError as error:
        return {first: error}
    except Exception as error:  # noqa: BLE001 - raised again in the threads of the trainings
        return dict.fromkeys(group, error)

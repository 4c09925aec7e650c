"""Several trials in one process, whose models are trained as one stacked model.

With ``search.models_per_process`` above 1, the actor of a trial only forwards its steps to a shared
`TrialProcess`, which trains up to that many trials. So Ray Tune still starts, stops and retries each trial on
its own, and each has its own record and checkpoints. If the shared process dies, each of its trials is
retried from its checkpoint, like a trial whose own process has died.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import tune
from ray.exceptions import RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trajtune.searching.tune.trainable import TrialInputs, check_node, next_report
from trajtune.storage.path import stored_path

if TYPE_CHECKING:
    from ray.actor import ActorHandle

_GPUS: Final = "CUDA_VISIBLE_DEVICES"


class TrialProcess:
    """Trains trials in this process. Each method is called in a thread of its own.

    Args:
        inputs: What all trials share.
    """

    def __init__(self, inputs: TrialInputs) -> None:
        import torch

        from trajtune.model.stacked.shared_trainer import SharedTrainer

        torch.set_num_threads(1)
        self._inputs, self._trainer = inputs, SharedTrainer()
        self._trials: dict[int, Iterator[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def is_alive(self) -> bool:
        """Answer; a process that has died does not."""
        return True

    def start(self, config: Mapping[str, Any]) -> None:
        """Start a trial from its newest checkpoint; an earlier attempt in this process ends."""
        self.leave(config["number"])
        with self._lock:
            self._trials[config["number"]] = self._inputs.train(config, self._trainer)

    def step(self, number: int) -> dict[str, Any]:
        """Train an epoch of a trial; returns what `TrialActor.step` reports."""
        with self._lock:
            epochs = self._trials[number]
        with self._trainer.running(epochs):
            report = next_report(epochs)
        if report.get("done"):
            self.leave(number)
        return report

    def leave(self, number: int) -> None:
        """Forget a trial; the others no longer wait for it."""
        with self._lock:
            epochs = self._trials.pop(number, None)
        if epochs is not None:
            self._trainer.forget(epochs)


class TrialProcesses:
    """Assigns each trial to a process with room for it, and starts processes.

    The processes belong to this actor, which belongs to the search: Ray ends them if the search dies.

    Args:
        inputs: What all trials share, in Ray's object store; in a list, so that Ray does not resolve it.
        models_per_process: Number of trials that a process trains at once.
    """

    def __init__(self, inputs: "list[ray.ObjectRef[TrialInputs]]", models_per_process: int) -> None:
        (self._inputs,) = inputs
        self._most = models_per_process
        self._processes: dict[tuple[str, str], list[ActorHandle]] = {}
        self._process_of: dict[int, ActorHandle] = {}

    def join(self, number: int, node: str, gpus: str) -> "list[ActorHandle]":
        """Return the process of a trial, in a list; the fullest one of its node and GPUs that has room.

        Args:
            number: Number of the trial. A trial that was started again may get another process.
            node: Ray's id of the node of the trial.
            gpus: The trial's ``CUDA_VISIBLE_DEVICES``; empty without GPUs.
        """
        self.leave(number)
        processes = self._processes.setdefault((node, gpus), [])
        processes[:] = [process for process in processes if _is_alive(process)]
        count = Counter(map(id, self._process_of.values()))
        with_room = [process for process in processes if count[id(process)] < self._most]
        if not with_room:
            with_room = [self._new_process(node, gpus)]
            processes += with_room
        self._process_of[number] = max(with_room, key=lambda process: count[id(process)])
        return [self._process_of[number]]

    def leave(self, number: int) -> None:
        """Take a trial out of its process."""
        process = self._process_of.pop(number, None)
        if process is not None:
            process.leave.remote(number)

    def _new_process(self, node: str, gpus: str) -> "ActorHandle":
        options: dict[str, Any] = {"runtime_env": {"env_vars": {_GPUS: gpus}}} if gpus else {}
        # The trials hold the CPUs and the share of a GPU.
        actor = ray.remote(num_cpus=0, max_concurrency=4 * self._most + 8, **options)(TrialProcess)
        here = NodeAffinitySchedulingStrategy(node, soft=False)
        process: ActorHandle = actor.options(scheduling_strategy=here).remote(self._inputs)
        return process


def _is_alive(process: "ActorHandle") -> bool:
    try:
        return bool(ray.get(process.is_alive.remote()))
    except RayActorError:
        return False


class StackedTrialActor(tune.Trainable):  # type: ignore[misc]
    """Forwards the steps of a trial to its `TrialProcess`; reports the same as a `TrialActor`."""

    def setup(
        self, config: dict[str, Any], processes: "ActorHandle", directory: str, versions: Mapping[str, str]
    ) -> None:
        """Join a process and start a trial there."""
        check_node(versions, stored_path(directory))
        self._processes, self._number = processes, -1
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial, possibly in another process."""
        ray.get(self._processes.leave.remote(self._number))
        self._start(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch."""
        return dict(_result(self._process.step.remote(self._number)))

    def cleanup(self) -> None:
        """Leave the process."""
        self._processes.leave.remote(self._number)

    def _start(self, config: Mapping[str, Any]) -> None:
        self._number = config["number"]
        node, gpus = ray.get_runtime_context().get_node_id(), ""
        if ray.get_gpu_ids():
            gpus = os.environ.get(_GPUS, "")
        (self._process,) = ray.get(self._processes.join.remote(self._number, node, gpus))
        _result(self._process.start.remote(dict(config)))


def _result(reference: Any) -> Any:
    """Return a result, or raise the error of the process as if it had been raised here."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause from None


@contextmanager
def trial_processes(inputs: TrialInputs, models_per_process: int) -> "Iterator[ActorHandle]":
    """Provide the actor that assigns trials to processes; the processes end with the block."""
    actor = ray.remote(num_cpus=0)(TrialProcesses)
    processes = actor.remote([ray.put(inputs)], models_per_process)
    try:
        yield processes
    finally:
        ray.kill(processes)

"""Puts train and val into Ray's object store, where all trials of a node read them without a copy.

A task reads a snapshot with several shards, so the driver process never holds its careers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import ray
from numpy.typing import NDArray

from trajtune.dataset.arrays import CareerArrays, roles_not_read
from trajtune.dataset.snapshot import Snapshot
from trajtune.experiment.search_settings import SearchSettings

SharedCareers: TypeAlias = "Mapping[str, ray.ObjectRef[Any]]"
"""References to the arrays of `CareerArrays.to_dict`, by split."""


def shared_train(snapshot: Snapshot, settings: SearchSettings) -> "ray.ObjectRef[Any]":
    """Put the train careers of a search into Ray's store: the newest ``max_train_careers``, or all.

    Returns:
        A reference to `CareerArrays.to_dict`.
    """
    return near_files(snapshot, _train, snapshot, settings.max_train_careers)


def shared_split(snapshot: Snapshot, split: Literal["train", "val"]) -> "ray.ObjectRef[Any]":
    """Put train or val into Ray's store, and return a reference to `CareerArrays.to_dict`."""
    return near_files(snapshot, _split, snapshot, split)


def near_files(snapshot: Snapshot, function: Callable[..., Any], *arguments: Any) -> "ray.ObjectRef[Any]":
    """Put the result of ``function(*arguments)`` into Ray's object store.

    A snapshot in one shard is small, so the function runs in this process, which saves the start of a worker.
    Otherwise it runs in a task on this machine, because other nodes may not see the files.

    Args:
        snapshot: The snapshot that decides where the function runs.
        function: A function at the top of its module.
        arguments: Its arguments. References are replaced by what they refer to.
    """
    if not snapshot.has_shards:
        values = [ray.get(each) if isinstance(each, ray.ObjectRef) else each for each in arguments]
        return ray.put(function(*values))
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # max_calls: the worker ends with the task, which returns its memory.
    task = ray.remote(num_cpus=0, max_calls=1, scheduling_strategy=node)(function)
    reference: ray.ObjectRef[Any] = task.remote(*arguments)
    return reference


def newest(careers: CareerArrays, days: NDArray[np.int32], number: int) -> CareerArrays:
    """Return the ``number`` careers with the latest split dates, in the split's order.

    Among equal dates, earlier rows come first. The newest careers are closer in time to val and test than
    a random sample is.

    Args:
        careers: Careers of a split.
        days: Split date of each career, int32 ``[N]``.
        number: Number of careers to keep.
    """
    chosen = np.sort(np.argsort(-days, kind="stable")[:number])
    num_roles = np.diff(careers.offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(num_roles)]).astype(np.int64)
    # Index of each chosen role: the index of its career's first role, plus its position in the career.
    roles = np.repeat(careers.offsets[chosen] - offsets[:-1], num_roles) + np.arange(offsets[-1])
    columns = {name: column[roles] for name, column in careers.to_dict().items() if name != "offsets"}
    return CareerArrays.from_dict({**columns, "offsets": offsets})


def roles_left_out(train: Mapping[str, Any], max_history: int) -> str | None:
    """Return a line about the roles of train that `Params.max_history` leaves out, or None without any.

    Args:
        train: `CareerArrays.to_dict`.
        max_history: Number of most recent roles that models read; 0: all.
    """
    arrays = CareerArrays.from_dict(train)
    careers, roles = roles_not_read(arrays, max_history)
    if not careers:
        return None
    return (
        f"{careers:,} of {arrays.num_careers:,} train careers have more than {max_history} roles before "
        f"their last one: their {roles:,} earliest roles are not read (training.max_history)"
    )


def _train(snapshot: Snapshot, most: int | None) -> dict[str, Any]:
    train = snapshot.arrays("train")
    if most is not None and most < train.num_careers:
        train = newest(train, snapshot.split_days("train"), most)
    return train.to_dict()


def _split(snapshot: Snapshot, split: Literal["train", "val"]) -> dict[str, Any]:
    return snapshot.arrays(split).to_dict()

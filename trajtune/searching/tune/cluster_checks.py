"""Checks that a Ray cluster can run a search, before the run is created."""

import os
import secrets
import sys
import time
from contextlib import suppress
from typing import Any, Final

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trajtune.cluster import is_joined
from trajtune.errors import RunError
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.runs.create import versions
from trajtune.searching.tune.demand import can_grow
from trajtune.searching.tune.placement import num_slots, place
from trajtune.storage.files import write_file
from trajtune.storage.path import StoredPath, local_path, stored_path

_ANSWER_WAIT_S: Final = 60.0
"""Seconds in which each node must answer; the first task on a node starts a process and imports trajtune."""

_STATUS_WAIT_S: Final = 15.0
"""Seconds to wait for the autoscaler of a cluster that has just started."""


def check_cluster(settings: SearchSettings, runs: str) -> None:
    """Refuse a search that this Ray cannot run.

    Args:
        settings: ``max_concurrent`` and ``gpus_per_trial`` are used.
        runs: The setting ``storage.runs``.

    Raises:
        RunError: If no trial fits and the cluster cannot grow, if nodes have other versions of trajtune or
            its libraries, or if ``runs`` is not the same directory on every node.
    """
    place(settings, ray.cluster_resources(), can_grow=_will_grow(settings))
    if is_joined():
        _check_nodes(stored_path(runs).absolute())


def _will_grow(settings: SearchSettings) -> bool:
    """Return whether the cluster may add nodes; it is asked only if no trial fits now."""
    if num_slots(settings, ray.cluster_resources()) > 0 or not is_joined():
        return False
    deadline = time.monotonic() + _STATUS_WAIT_S
    while not (grows := can_grow()) and time.monotonic() < deadline:
        time.sleep(0.5)
    if grows:
        what = "GPUs" if settings.gpus_per_trial else "CPUs"
        print(f"No node with {what} is up yet. Requesting one from Ray's autoscaler.", file=sys.stderr)
    return grows


def _check_nodes(runs: StoredPath) -> None:
    directory = local_path(runs)
    is_new = directory is not None and not directory.exists()
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    probe, content = runs / f".probe-{secrets.token_hex(8)}", secrets.token_hex(16)
    try:
        write_file(probe, content.encode())
        for node in ray.nodes():
            if node["Alive"]:
                _check_node(node, str(probe), content)
    except RunError:
        probe.unlink(missing_ok=True)
        if is_new and directory is not None:
            with suppress(OSError):
                directory.rmdir()
        raise
    probe.unlink(missing_ok=True)


def _check_node(node: dict[str, Any], probe: str, content: str) -> None:
    name = node["NodeManagerHostname"]
    here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    try:
        seen = ray.get(_inspect_node.options(scheduling_strategy=here).remote(probe), timeout=_ANSWER_WAIT_S)
    except GetTimeoutError as error:
        raise RunError(
            f"The node {name} must answer, but did not within {_ANSWER_WAIT_S:g} s. Check `ray status`, or "
            "remove the node from the cluster."
        ) from error
    except RayError as error:
        reason = str(error).strip().splitlines()[-1].strip().rstrip(".")
        raise RunError(
            f"The node {name} cannot run trajtune: {reason}. Install trajtune {versions()['trajtune']} there."
        ) from error
    others = [
        f"{each} {seen['versions'][each]}"
        for each, own in versions().items()
        if seen["versions"][each] != own
    ]
    if others:
        ours = ", ".join(f"{each} {own}" for each, own in versions().items())
        raise RunError(
            f"Every node must have the versions of this process, {ours}, but {name} has {', '.join(others)}. "
            "Install the same versions everywhere."
        )
    if seen["content"] != content:
        raise RunError(
            f"`storage.runs` must be the same directory on every node, but {name} does not see what was "
            f"written to {os.path.dirname(probe)}. Use a file system that all nodes mount, or a store."
        )


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _inspect_node(probe: str) -> dict[str, Any]:
    """Return, from a node, its versions and the content that it reads at ``probe``."""
    try:
        content = stored_path(probe).read_text("utf-8")
    except (OSError, ValueError):  # includes an object store that refuses access
        content = None
    return {"versions": versions(), "content": content}

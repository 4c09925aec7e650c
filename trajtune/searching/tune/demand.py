"""Requests nodes from Ray's autoscaler, so that a cluster grows with the search.

Ray adds nodes only for pending demand. But trials are never pending: each is suggested only when a slot is
free, because the sampler learns from the trials that ended before. So this module creates pending demand
with empty placement groups. A group that finds room is removed at once, and Ray removes all groups when the
process ends for any reason.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import ray

from trajtune.cluster import is_joined
from trajtune.experiment.search_settings import SearchSettings
from trajtune.searching.tune.placement import cpus_per_trial, num_slots

if TYPE_CHECKING:
    from ray.util.placement_group import PlacementGroup

_INTERVAL_S: Final = 1.0
_STATUS_KEY: Final = "__autoscaling_status"
_V2_KEY: Final = "__autoscaler_v2_enabled"
_FIXED_NODE_TYPE: Final = "node_"
"""Prefix of Ray's node types in a cluster that Ray did not start itself."""


def can_grow() -> bool:
    """Return whether the joined cluster has an autoscaler, which starts nodes for pending demand."""
    from ray.experimental.internal_kv import _internal_kv_get

    if not is_joined():
        return False
    if _internal_kv_get(_V2_KEY) == b"1":
        return True
    status = _internal_kv_get(_STATUS_KEY)
    types = (json.loads(status).get("autoscaler_report") or {}).get("node_type_mapping") if status else None
    return any(not name.startswith(_FIXED_NODE_TYPE) for name in (types or {}).values())


class Demand:
    """The number of trials that could run at once if there were enough nodes.

    Attributes:
        wanted: Number of trials that could run now.
    """

    def __init__(self, settings: SearchSettings, most: int) -> None:
        self._settings, self._most = settings, most
        self._groups: list[PlacementGroup] = []
        self._sizes: list[int] = []
        self.wanted = most

    def set_unfinished(self, unfinished: int) -> None:
        """Set the number of trials that have not ended; it limits the nodes that are requested."""
        self.wanted = min(self._most, unfinished)

    def update(self) -> None:
        """Request the missing slots; request nothing while there is room for a trial."""
        lacking = self.wanted - num_slots(self._settings, ray.cluster_resources())
        has_room = num_slots(self._settings, ray.available_resources()) > 0
        # A placed group occupies the slot of a trial.
        if lacking <= 0 or has_room or any(group.wait(0) for group in self._groups):
            self.withdraw()
        elif self._sizes != (sizes := _sizes(lacking)):
            self.withdraw()
            bundle = {"CPU": cpus_per_trial(self._settings)}
            if self._settings.gpus_per_trial:
                bundle["GPU"] = self._settings.gpus_per_trial
            self._groups = [_group([bundle] * size) for size in sizes]
            self._sizes = sizes

    def withdraw(self) -> None:
        """Withdraw all requests."""
        from ray.util.placement_group import remove_placement_group

        for group in self._groups:
            remove_placement_group(group)
        self._groups, self._sizes = [], []


@contextmanager
def visible_demand(demand: Demand) -> Iterator[None]:
    """Show the demand to the cluster's autoscaler, if there is one, while the block runs."""
    if not is_joined():
        yield
        return
    ended = threading.Event()

    def keep_visible() -> None:
        while not ended.wait(_INTERVAL_S):
            if can_grow():
                demand.update()

    thread = threading.Thread(target=keep_visible, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        demand.withdraw()


def _group(bundles: list[dict[str, float]]) -> "PlacementGroup":
    from ray.util.placement_group import placement_group

    return placement_group(bundles, strategy="PACK")


def _sizes(lacking: int) -> list[int]:
    """Return the sizes of groups that sum to ``lacking`` slots: 1, 1, 2, 4, 8, ...

    Ray's autoscaler v2 starts nodes for a group only if the complete group will fit. How many nodes it may
    start is unknown here, so the groups have growing sizes.
    """
    sizes: list[int] = []
    while (left := lacking - sum(sizes)) > 0:
        sizes.append(min(left, max(1, sum(sizes))))
    return sizes

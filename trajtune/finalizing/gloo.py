"""How Ray Train's workers reach each other: by gloo, on the network that Ray itself runs on."""

import os
from typing import Any

import psutil
import ray
from ray.train.torch import TorchConfig


class GlooConfig(TorchConfig):  # type: ignore[misc]
    """gloo between workers on one host or on many."""

    def __init__(self) -> None:
        super().__init__(backend="gloo")

    @property
    def backend_cls(self) -> type:
        """The backend with which Ray Train sets up the process group."""
        return _Backend


class _Backend(TorchConfig().backend_cls):  # type: ignore[misc]
    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


def _choose_interface() -> None:
    """Tell gloo the interface with Ray's address; a user's own setting wins.

    By itself it takes the address that the host's name resolves to, which on many systems is 127.0.0.1.
    """
    address = ray.util.get_node_ip_address()
    for interface, addresses in psutil.net_if_addrs().items():
        if any(entry.address == address for entry in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)

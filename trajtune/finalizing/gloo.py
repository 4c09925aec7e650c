"""Connects Ray Train's workers by gloo, on the network interface that Ray uses."""

import os
from typing import Any

import psutil
import ray
from ray.train.torch import TorchConfig


class GlooConfig(TorchConfig):  # type: ignore[misc]
    """Configuration for gloo between workers on one or several hosts."""

    def __init__(self) -> None:
        super().__init__(backend="gloo")

    @property
    def backend_cls(self) -> type:
        """The backend that sets up the process group."""
        return _Backend


class _Backend(TorchConfig().backend_cls):  # type: ignore[misc]
    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


def _choose_interface() -> None:
    """Set gloo's interface to the one with Ray's address; a value set by the user takes precedence.

    By default gloo uses the address that the host name resolves to, which on many systems is 127.0.0.1.
    """
    address = ray.util.get_node_ip_address()
    for interface, addresses in psutil.net_if_addrs().items():
        if any(entry.address == address for entry in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)

"""Several hosts on one machine, each with a separate network and ``/tmp``, connected by a bridge.

A host is a network namespace with an address, a mount namespace with a separate ``/tmp``, and a process
namespace. Processes on one host cannot see the temporary files and processes of another host (by which Ray
finds the node of a driver), and communicate only over the network. Needs root.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

import psutil

BRIDGE = "trajtune0"
_NETWORK = "10.93.0"
_CODE = (Path(__file__).resolve().parents[2], Path(sys.prefix).resolve())
"""Directories that every host has, even if they are in ``/tmp``: this checkout and its environment."""
OUTSIDE = f"{_NETWORK}.254"
"""Address of this machine on the network of the hosts, for shared servers."""


@dataclass
class Host:
    """One simulated host.

    Attributes:
        name: Name of its network namespace.
        address: IPv4 address.
        holder: Process that waits for the first process.
        first: First process of the host, which keeps its namespaces alive; all others end with it.
        started: Processes that were started on the host.
    """

    name: str
    address: str
    holder: "subprocess.Popen[bytes]"
    first: psutil.Process
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start a command on the host and return a parent of its process; the caller reads its output."""
        process = subprocess.Popen(
            ["nsenter", "-t", str(self.first.pid), "-n", "-m", "-u", "-p", *command],
            env={**os.environ, **(environment or {})},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *command: str, environment: Mapping[str, str] | None = None, timeout: float = 120) -> str:
        """Run a command on the host, check that it succeeds, and return its output."""
        process = self.start(*command, environment=environment)
        output, _ = process.communicate(timeout=timeout)
        assert process.returncode == 0, output
        return output

    def path(self, path: str) -> Path:
        """Return the path of a file of the host, as seen from this machine."""
        return Path(f"/proc/{self.first.pid}/root{path}")

    def cut(self) -> None:
        """Disconnect the host from the network without notice."""
        _ip("link", "set", f"{self.name}-b", "down")

    def reconnect(self) -> None:
        """Reconnect the host to the network."""
        _ip("link", "set", f"{self.name}-b", "up")

    def processes(self) -> list[psutil.Process]:
        """Return all processes on the host, except those that keep its namespaces alive."""
        own = os.readlink(f"/proc/{self.first.pid}/ns/net")
        found = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if (
                    process.pid not in (self.holder.pid, self.first.pid)
                    and os.readlink(f"/proc/{process.pid}/ns/net") == own
                ):
                    found.append(process)
        return found

    def kill(self) -> None:
        """Kill all processes on the host."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Yield a number of hosts; all their processes are stopped after the block."""
    _remove_network(count)  # a killed test leaves its network behind
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{OUTSIDE}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    made: list[Host] = []
    try:
        made += [_made(number) for number in range(1, count + 1)]
        yield made
    finally:
        for host in made:
            host.kill()
            for process in host.started:
                process.wait()
            host.first.kill()
            host.holder.wait()
        _remove_network(count)


def _remove_network(count: int) -> None:
    """Remove the namespaces and links of the hosts and the bridge, if they exist."""
    names = [f"trajtune{number}" for number in range(1, count + 1)]
    commands = [("link", "del", f"{name}-b") for name in names]
    commands += [("netns", "del", name) for name in names]
    for command in [*commands, ("link", "del", BRIDGE)]:
        subprocess.run(["ip", *command], check=False, capture_output=True)


def why_no_hosts() -> str | None:
    """Return the reason why hosts cannot be created; None if they can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    if missing := [name for name in ("ip", "nsenter", "unshare") if shutil.which(name) is None]:
        return f"{', '.join(missing)} is not installed (Debian: apt-get install iproute2 util-linux)"
    probe = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else "this machine does not let root make namespaces"


def _own_tmp() -> str:
    """Return shell commands that mount an empty ``/tmp`` with the directories that every host needs."""
    commands = ["mount -t tmpfs tmpfs /mnt"]
    for path in _CODE:
        if path.is_relative_to("/tmp"):
            inside = quote(f"/mnt/{path.relative_to('/tmp')}")
            commands += [f"mkdir -p {inside}", f"mount --rbind {quote(str(path))} {inside}"]
    return " && ".join([*commands, "mount --move /mnt /tmp"])


_OWN_TMP = _own_tmp()


def _made(number: int) -> Host:
    name, address = f"trajtune{number}", f"{_NETWORK}.{number}"
    _ip("netns", "add", name)
    _ip("link", "add", f"{name}-b", "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", f"{name}-b", "master", BRIDGE, "up")
    for command in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
        _ip("-n", name, *command.split())
    ready = f"hostname {name} && {_OWN_TMP} && echo ready && exec sleep infinity"
    namespaces = ("--mount", "--uts", "--pid", "--fork", "--mount-proc", "--propagation", "private")
    apart = ("unshare", *namespaces, "sh", "-c", ready)
    holder = subprocess.Popen(["ip", "netns", "exec", name, *apart], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    (first,) = psutil.Process(holder.pid).children()
    return Host(name, address, holder, first)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)

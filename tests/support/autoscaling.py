"""A Ray cluster with an autoscaler on one machine: a head without CPUs, and workers that start on demand.

Ray's ``AutoscalingCluster`` runs ``ray stop --force``, which stops every Ray process on the machine.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil

_HOST: Final = "127.0.0.1"
_HEAD_TYPE: Final = "ray.head.default"
_LISTS: Final = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
)


@contextmanager
def autoscaling_cluster(worker: Mapping[str, float], *, most: int, idle_s: float = 20.0) -> Iterator[str]:
    """Yield the address of a cluster without workers; all its processes are stopped after the block.

    Args:
        worker: Resources of a worker, which this machine need not have.
        most: Largest number of workers.
        idle_s: Seconds after which an idle worker is stopped.
    """
    directory = Path(tempfile.mkdtemp(prefix="as"))
    with socket.create_server((_HOST, 0)) as free:
        port = free.getsockname()[1]
    config = directory / "cluster.json"
    config.write_text(json.dumps(_config(worker, most, idle_s, f"{_HOST}:{port}")))
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--num-cpus=0"]
    command += [f"--node-ip-address={_HOST}", f"--port={port}", f"--temp-dir={directory}"]
    command += ["--include-dashboard=false", "--object-store-memory=100000000"]
    command += [f"--autoscaling-config={config}"]
    environment = {
        **os.environ,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with (directory / "out").open("wb") as out:
        head = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        _wait_until_it_listens(port)
        yield f"{_HOST}:{port}"
    finally:
        _end(head, str(directory))
        shutil.rmtree(directory, ignore_errors=True)


def _config(worker: Mapping[str, float], most: int, idle_s: float, address: str) -> dict[str, Any]:
    types = {
        _HEAD_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {
            "resources": {**worker, "object_store_memory": 100_000_000},
            "node_config": {},
            "min_workers": 0,
            "max_workers": most,
        },
    }
    return {
        "cluster_name": "fake",
        "max_workers": most,
        "upscaling_speed": 20.0,
        "idle_timeout_minutes": idle_s / 60,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            "launch_multiple": True,
            "use_node_id_as_ip": True,  # the nodes share the IP address of this machine
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "available_node_types": types,
        "head_node_type": _HEAD_TYPE,
        "docker": {},
        "auth": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in _LISTS},
    }


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            return
        assert time.monotonic() < deadline, "Ray's head does not start"
        time.sleep(0.2)


def _end(head: "subprocess.Popen[bytes]", directory: str) -> None:
    """Kill the head and the workers that its autoscaler started."""
    processes = psutil.Process(head.pid).children(recursive=True) if head.poll() is None else []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(directory in part for part in process.cmdline()) and process.pid != os.getpid():
                processes.append(process)
    head.kill()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    head.wait()
    psutil.wait_procs(processes, timeout=30)

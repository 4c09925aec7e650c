"""Start or join Ray, without its output, and leave nothing behind: no process, no session directory."""

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import psutil

from trajtune.errors import RunError
from trajtune.storage.retry import retrying

# Ray reads these on import, so they are set before it. A value that the user has set is kept.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

_STOP_WAIT_S: Final = 3.0
"""Time that Ray's last processes get to stop after the others, before they are killed."""

_SOCKET_PATH: Final = "trajtune-12345678/session_2026-11-28_12-34-56_123456_1234567/sockets/plasma_store"
_LONGEST_SOCKET_PATH: Final = 103  # bytes; the limit is 104 on macOS and 108 on Linux, with a final zero

_ANSWER_WAIT_S: Final = 20.0
"""Time in which a cluster must accept a connection; it may still be starting."""


@contextmanager
def ray_session(
    address: str | None = None, *, verbose: bool = False, num_cpus: int | None = None
) -> Iterator[None]:
    """A Ray session for the block; a session that is already open is used and left open.

    Args:
        address: ``auto`` or ``host:port`` joins a cluster; None: that of RAY_ADDRESS, or without one, Ray is
            started on this machine.
        verbose: Show Ray's logs.
        num_cpus: CPUs of a Ray that is started here; None: all that this process may use.

    Raises:
        RunError: If no cluster answers at the address.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    address = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        yield
        return
    if not verbose:
        for logger in ("ray", "ray.tune", "ray.data", "ray.train"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
    level = logging.INFO if verbose else logging.ERROR
    if address is not None:
        _check_answers(address)
        try:
            ray.init(address=address, log_to_driver=verbose, logging_level=level)
        except ConnectionError as error:
            raise _no_cluster(address, str(error)) from error
        try:
            yield
        finally:
            ray.shutdown()
        return
    directory = _session_directory()
    try:
        with _interrupt_delayed():
            ray.init(
                num_cpus=num_cpus or len(os.sched_getaffinity(0)),
                include_dashboard=False,
                log_to_driver=verbose,
                logging_level=level,
                _temp_dir=directory,
            )
        yield
    finally:
        started = _processes_of(directory)
        ray.shutdown()
        # Ray's agents stop after the rest, and write their logs until then.
        _, alive = psutil.wait_procs(started, timeout=_STOP_WAIT_S)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def _session_directory() -> str:
    """A new directory for Ray's session: in TMPDIR, or in /tmp if a socket's path would be too long there."""
    parent = tempfile.gettempdir()
    if len(f"{parent}/{_SOCKET_PATH}".encode()) > _LONGEST_SOCKET_PATH:
        print(f"Note: {parent} is too long a path for Ray's sockets: its files are in /tmp", file=sys.stderr)
        parent = "/tmp"  # noqa: S108 - mkdtemp makes a private directory
    return tempfile.mkdtemp(prefix="trajtune-", dir=parent)


def _check_answers(address: str) -> None:
    """Refuse an address where nothing accepts connections; `ray.init` would wait for it without an end."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto" and "local", which Ray itself resolves
    try:
        retrying(
            lambda: socket.create_connection((host.strip("[]"), int(port)), timeout=5).close(),
            lambda error: isinstance(error, OSError),
            seconds=_ANSWER_WAIT_S,
            service=f"The Ray cluster at {address}",
        )
    except OSError as error:
        raise _no_cluster(address, error.strerror or str(error)) from error


def _no_cluster(address: str, reason: str) -> RunError:
    return RunError(
        f"A Ray cluster must answer at {address}, but none does: {' '.join(reason.split())}. "
        "Start one with `ray start --head`, or check --address and RAY_ADDRESS."
    )


@contextmanager
def ray_data_for_reading(*, in_order: bool = False) -> Iterator[None]:
    """For the block, let Ray Data read on every CPU, without output and without long retries.

    By default Ray Data reserves half of the CPUs for stages after the first. Reading has no further stage,
    so on two CPUs it would use one. Importing Ray Data sets its logger, so that comes first.

    Args:
        in_order: Keep the order of the rows, whichever task finishes first.
    """
    from ray.data import DataContext

    context, logger = DataContext.get_current(), logging.getLogger("ray.data")
    settings = {
        "enable_progress_bars": False,
        "op_resource_reservation_enabled": False,
        # Version 2 lists Parquet files in threads whose imports can fail in a race (Ray 2.60).
        "use_datasource_v2": False,
        # pyarrow tries three times; with Ray's retries around those, a store that is down costs ten minutes.
        "retried_io_errors": [e for e in context.retried_io_errors if "NETWORK_CONNECTION" not in e],
    }
    before = {name: getattr(context, name) for name in settings}
    options, level = context.execution_options, logger.level
    kept_order = options.preserve_order
    options.preserve_order = in_order or kept_order
    for name, value in settings.items():
        setattr(context, name, value)
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        options.preserve_order = kept_order
        for name, value in before.items():
            setattr(context, name, value)
        logger.setLevel(level)


@contextmanager
def _interrupt_delayed() -> Iterator[None]:
    """Delay Ctrl-C to the end of the block, because Ray may crash if it is interrupted while it starts.

    A second Ctrl-C interrupts at once.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    interrupts = []

    def delay(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, delay)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _processes_of(directory: str) -> list[psutil.Process]:
    """The processes of the Ray session in that directory that this process started, and their children."""
    processes = []
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            if any(directory in part for part in process.cmdline()):
                processes += [process, *process.children(recursive=True)]
    return processes
